package rebuild

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

const (
	espA = "5eed0000-0000-4000-8000-00000000000a"
	espB = "5eed0001-01"
	dead = "5eed0000-0000-4000-8000-00000000dead"
	live = "5eed0000-0000-4000-8000-0000000011fe" // on a disk that the layout does not have
)

// bootLayout has two EFI system partitions that begin at an LBA.
func bootLayout(lba uint64) *probes.Layout {
	return &probes.Layout{Format: probes.Format, Partition: map[probes.ID]*probes.Partition{
		espA: {Number: 1, FirstLBA: lba, LastLBA: lba + 20479},
		espB: {Number: 1, FirstLBA: lba, LastLBA: lba + 9999},
	}}
}

func isLive(partuuid string) bool { return partuuid == live }

// nvram is a directory like efivarfs.
type nvram struct {
	*testing.T
	dir string
}

func newNVRAM(t *testing.T) nvram { return nvram{t, t.TempDir()} }

func (n nvram) vars() Variables { return Variables(n.dir) }

func (n nvram) put(id probes.ID, content []byte) {
	n.Helper()
	if err := os.WriteFile(n.vars().path(id), append([]byte{7, 0, 0, 0}, content...), 0o644); err != nil {
		n.Fatal(err)
	}
}

// entry puts an entry for a partition that begins at an LBA.
func (n nvram) entry(id probes.ID, partuuid string, lba uint64, e probes.EFIEntry) []byte {
	n.Helper()
	length := uint64(20480)
	if partuuid == espB {
		length = 10000
	}
	b, err := e.Encode(partuuid, probes.EFIPlace{Number: 1, FirstLBA: lba, Sectors: length})
	if err != nil {
		n.Fatal(err)
	}
	n.put(id, b)
	return b
}

func (n nvram) order(ids ...probes.ID) {
	var b []byte
	for _, id := range ids {
		number, err := strconv.ParseUint(strings.TrimPrefix(string(id), "Boot"), 16, 16)
		if err != nil {
			n.Fatal(err)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(number))
	}
	n.put("BootOrder", b)
}

// files is what is in the directory.
func (n nvram) files() map[string]string {
	n.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(n.dir)
	if err != nil {
		n.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(n.dir, e.Name()))
		if err != nil {
			n.Fatal(err)
		}
		all[strings.TrimSuffix(e.Name(), "-"+probes.EFIGlobal)] = string(b)
	}
	return all
}

// do makes the entries, and returns what was said of it.
func (n nvram) do(old *probes.Boot, layout *probes.Layout) (words, notes []string) {
	n.Helper()
	l, err := Entries(old, layout, n.vars(), isLive)
	if err != nil {
		n.Fatal(err)
	}
	if len(l.Open) > 0 || len(l.Close) > 0 {
		n.Errorf("%+v", l)
	}
	for _, a := range l.Make {
		words = append(words, a.String())
		if err := (&Performer{}).Do(context.Background(), a); err != nil {
			n.Fatal(err)
		}
	}
	return words, l.Notes
}

// probe reads the entries as a capture does.
func (n nvram) probe(layout *probes.Layout) (*probes.Boot, []string) {
	n.Helper()
	sys := n.TempDir()
	if err := os.MkdirAll(filepath.Join(sys, "firmware/efi"), 0o755); err != nil {
		n.Fatal(err)
	}
	if err := os.Symlink(n.dir, filepath.Join(sys, "firmware/efi/efivars")); err != nil {
		n.Fatal(err)
	}
	b, findings, err := probes.ReadBoot(os.DirFS(n.TempDir()), os.DirFS(sys), nil, layout)
	if err != nil {
		n.Fatal(err)
	}
	return b, findings
}

func pageOf(t *testing.T, b *probes.Boot) string {
	t.Helper()
	var text strings.Builder
	if err := b.Write(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

var (
	debian = probes.EFIEntry{Label: "debian", Partition: "partition." + espA, Loader: `\EFI\debian\shimx64.efi`}
	second = probes.EFIEntry{Label: `"$(id)"`, Partition: "partition." + espB, Loader: `\EFI\debian\shimx64.efi`, Arguments: "a b", Attributes: []string{"inactive"}}
	kernel = probes.EFIEntry{Label: "kernel", Partition: "partition." + espA, Loader: `\vmlinuz`, ASCII: "root=x"}
	uiApp  = []byte("\x09\x01\x00\x00\x08\x00U\x00\x00\x00\x04\x06\x04\x00\x7f\xff\x04\x00")
)

func oldBoot() *probes.Boot {
	return &probes.Boot{Format: probes.Format, Firmware: "uefi", Order: []string{"Boot0003", "Boot0001"},
		Entry: map[probes.ID]*probes.EFIEntry{"Boot0001": &debian, "Boot0003": &second, "Boot0004": &kernel}}
}

// TestEntries has firmware that knows nothing of the machine but its own.
func TestEntries(t *testing.T) {
	n := newNVRAM(t)
	n.put("Boot0000", uiApp)
	n.put("Timeout", []byte{0, 0})
	n.order("Boot0000")
	layout := bootLayout(4096)
	words, notes := n.do(oldBoot(), layout)
	sameLines(t, "words", words, []string{
		`write boot entry Boot0001 "debian": "\\EFI\\debian\\shimx64.efi" on partition.` + espA,
		`write boot entry Boot0003 "\"$(id)\"": "\\EFI\\debian\\shimx64.efi" on partition.` + espB,
		`write boot entry Boot0004 "kernel": "\\vmlinuz" on partition.` + espA,
		"write the boot order: Boot0003, Boot0001, Boot0000",
	})
	sameLines(t, "notes", notes, nil)
	now, findings := n.probe(layout)
	sameLines(t, "findings", findings, nil)
	if got, want := pageOf(t, now), pageOf(t, oldBoot()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	before := n.files()
	words, _ = n.do(oldBoot(), layout)
	sameLines(t, "second run", words, nil)
	if !maps.Equal(before, n.files()) {
		t.Error("the second run has changed something")
	}
}

// TestEntriesAmongOthers has firmware that others use, too.
func TestEntriesAmongOthers(t *testing.T) {
	n := newNVRAM(t)
	foreign := map[probes.ID][]byte{
		"Boot0000": uiApp,
		"Boot0001": n.entry("Boot0001", live, 2048, probes.EFIEntry{Label: "debian", Loader: debian.Loader}), // another Debian
		"Boot0006": n.entry("Boot0006", dead, 2048, probes.EFIEntry{Label: "stick", Loader: `\EFI\BOOT\BOOTX64.EFI`}),
		"Boot0007": []byte("broken"),
	}
	for id, b := range foreign {
		n.put(id, b)
	}
	n.entry("Boot0002", dead, 2048, debian)                                                               // left by an earlier installation
	n.entry("Boot0003", espB, 2048, second)                                                               // ours, where the partition was
	n.entry("Boot0005", espA, 4096, probes.EFIEntry{Label: "UEFI OS", Loader: `\efi\DEBIAN\SHIMx64.efi`}) // found by the firmware
	n.entry("Boot0008", espA, 4096, kernel)                                                               // ours, under another number
	n.order("Boot0006", "Boot0002", "Boot0005", "Boot0009", "Boot0001", "Boot0000", "Boot0006")

	layout := bootLayout(4096)
	old := oldBoot()
	old.Entry["Boot000A"] = &probes.EFIEntry{Label: "gone", Partition: "partition." + dead}
	old.Entry["Boot000B"] = &probes.EFIEntry{Label: "elsewhere", PARTUUID: dead}
	words, notes := n.do(old, layout)
	sameLines(t, "words", words, []string{
		`write boot entry Boot0002 "debian": "\\EFI\\debian\\shimx64.efi" on partition.` + espA,
		`write boot entry Boot0003 "\"$(id)\"": "\\EFI\\debian\\shimx64.efi" on partition.` + espB,
		`write boot entry Boot0004 "kernel": "\\vmlinuz" on partition.` + espA,
		"write the boot order: Boot0003, Boot0002, Boot0006, Boot0009, Boot0001, Boot0000",
		`remove boot entry Boot0005 "UEFI OS": "\\efi\\DEBIAN\\SHIMx64.efi" on partition ` + espA + ", of an earlier installation",
		`remove boot entry Boot0008 "kernel": "\\vmlinuz" on partition ` + espA + ", of an earlier installation",
	})
	sameLines(t, "notes", notes, []string{
		`boot entry Boot000A "gone" is not made again: there is no "partition.` + dead + `"`,
		`boot entry Boot000B "elsewhere" is not made again: it starts from partition "` + dead + `", which was not on the machine's disks`,
		`boot entry Boot0001 "debian" becomes Boot0002: the number is taken`,
	})
	files := n.files()
	for id, b := range foreign {
		if files[string(id)] != "\x07\x00\x00\x00"+string(b) {
			t.Errorf("%s is %x", id, files[string(id)])
		}
	}
	if len(files) != len(foreign)+4 {
		t.Errorf("%d variables", len(files))
	}
	words, _ = n.do(old, layout)
	sameLines(t, "second run", words, nil)
}

func TestEntriesCannotBeMade(t *testing.T) {
	layout := bootLayout(2048)
	for name, change := range map[string]func(*probes.Boot){
		`boot entry "../../etc": no name of one`: func(b *probes.Boot) { b.Entry["../../etc"] = &debian },
		`boot entry "Boot000a": no name of one`:  func(b *probes.Boot) { b.Entry["Boot000a"] = &debian },
		`boot entry Boot0001: unknown attribute "x"`: func(b *probes.Boot) {
			b.Entry["Boot0001"] = &probes.EFIEntry{Partition: debian.Partition, Attributes: []string{"x"}}
		},
		`boot entry Boot0001: label "a\x00b" cannot be written`: func(b *probes.Boot) {
			b.Entry["Boot0001"] = &probes.EFIEntry{Partition: debian.Partition, Label: "a\x00b"}
		},
	} {
		n := newNVRAM(t)
		n.put("Boot0000", uiApp)
		old := oldBoot()
		change(old)
		if _, err := Entries(old, layout, n.vars(), nil); err == nil || err.Error() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}

	old := oldBoot()
	empty := Variables(t.TempDir())
	why := "boot entries are not made again: there is nothing in " + string(empty) + ", because this system was not started by UEFI or efivarfs is not mounted; "
	notes := func(vars Variables) string {
		t.Helper()
		l, err := Entries(old, layout, vars, nil)
		if err != nil || len(l.Make) > 0 || len(l.Notes) != 1 {
			t.Fatalf("%v, %v", l, err)
		}
		return strings.ReplaceAll(l.Notes[0], string(vars), string(empty))
	}
	missing := Variables(filepath.Join(t.TempDir(), "efivars"))
	for _, vars := range []Variables{missing, empty} {
		if got, want := notes(vars), why+"without them the machine does not start by itself: choose its loader in the firmware's menu"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	old.Loader = map[probes.ID]*probes.Loader{"fallback": {Programs: []string{"/boot/efi/EFI/BOOT/BOOTX64.EFI"}}}
	if got, want := notes(missing), why+`the machine starts without them by "/boot/efi/EFI/BOOT/BOOTX64.EFI"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if l, err := Entries(&probes.Boot{}, layout, missing, nil); err != nil || len(l.Notes) > 0 {
		t.Errorf("a machine without entries: %v, %v", l, err)
	}
}

// TestRandomEntries has firmware of which any part is ours.
func TestRandomEntries(t *testing.T) {
	for round := range odds.Rounds(200) {
		t.Run(fmt.Sprint(round), func(t *testing.T) { randomEntries(t, odds.Dice(round)) })
	}
}

func randomEntries(t *testing.T, r *rand.Rand) {
	random := func() (string, probes.EFIEntry) {
		e := probes.EFIEntry{Label: []string{"debian", "Grüße", ""}[r.IntN(3)], Loader: []string{`\a.efi`, `\B.efi`, ""}[r.IntN(3)], Data: []string{"", "000100"}[r.IntN(2)]}
		return []string{espA, espB}[r.IntN(2)], e
	}
	number := func() probes.ID { return probes.ID(fmt.Sprintf("Boot%04X", r.IntN(10))) }
	layout := bootLayout(4096)
	old := &probes.Boot{Format: probes.Format, Firmware: "uefi", Entry: map[probes.ID]*probes.EFIEntry{}}
	for range 1 + r.IntN(4) {
		partuuid, e := random()
		e.Partition = probes.Ref("partition." + partuuid)
		id := number()
		if old.Entry[id] == nil && r.IntN(4) > 0 {
			old.Order = append(old.Order, string(id))
		}
		old.Entry[id] = &e
	}

	n := newNVRAM(t)
	foreign := map[probes.ID][]byte{}
	var order []probes.ID
	for range r.IntN(8) {
		id := number()
		if foreign[id] != nil {
			continue
		}
		order = append(order, id)
		switch partuuid, e := random(); r.IntN(6) {
		case 0:
			foreign[id] = uiApp
			n.put(id, uiApp)
		case 1:
			foreign[id] = n.entry(id, live, 2048, e)
		case 2: // found by nobody, so nobody's
			e.Label = "foreign"
			foreign[id] = n.entry(id, dead, 2048, e)
		case 3:
			e.Loader = `\foreign.efi`
			foreign[id] = n.entry(id, partuuid, 2048, e)
		default: // ours if it is, somebody's if not: of this the sums below tell
			mine := slices.Sorted(maps.Keys(old.Entry))
			was := old.Entry[mine[r.IntN(len(mine))]]
			n.entry(id, strings.TrimPrefix(string(was.Partition), "partition."), uint64([]int{2048, 4096}[r.IntN(2)]), *was)
		}
	}
	n.put("Boot00FF", uiApp)
	n.order(order...)

	n.do(old, layout)
	files := n.files()
	for id, b := range foreign {
		if !bytes.Equal([]byte(files[string(id)])[4:], b) {
			t.Errorf("%s of somebody else is %x", id, files[string(id)])
		}
	}
	// ours are there as often as they were, and nothing but what they and the others are
	count := map[string]int{}
	for _, b := range files {
		count[b]++
	}
	for id, e := range old.Entry {
		b, err := layout.Option(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, there := count["\x07\x00\x00\x00"+string(b)]; !there {
			t.Errorf("%s is not there", id)
		}
		if foreign[id] == nil && files[string(id)] != "\x07\x00\x00\x00"+string(b) {
			t.Errorf("%s is %x", id, files[string(id)])
		}
	}
	delete(files, "BootOrder") // there is none when nothing is in it
	if want := len(foreign) + len(old.Entry) + 1; len(files) != want {
		t.Errorf("%d variables, want %d", len(files), want)
	}
	options, _, err := probes.ReadEFIOptions(os.DirFS(n.dir))
	if err != nil {
		t.Fatal(err)
	}
	var others, want []probes.ID
	for _, id := range options.Order {
		if foreign[id] != nil {
			others = append(others, id)
		} else if len(others) > 0 {
			t.Errorf("%s stands behind those of others in %v", id, options.Order)
		}
	}
	for _, id := range order {
		if foreign[id] != nil && !slices.Contains(want, id) {
			want = append(want, id)
		}
	}
	if !slices.Equal(others, want) || len(options.Order) != len(want)+len(old.Order) {
		t.Errorf("order %v, of others %v before", options.Order, want)
	}
	if words, _ := n.do(old, layout); len(words) > 0 {
		t.Errorf("a second run would %q", words)
	}
	if len(foreign) == 0 {
		now, _ := n.probe(layout)
		if got, want := pageOf(t, now), pageOf(t, old); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestImmutable has a variable that the kernel protects.
func TestImmutable(t *testing.T) {
	n := newNVRAM(t)
	n.put("Boot0001", []byte("a longer one"))
	path := n.vars().path("Boot0001")
	if err := setImmutable(path, true); err != nil {
		t.Skipf("needs root, and a file system with flags: %v", err)
	}
	t.Cleanup(func() { _ = setImmutable(path, false) })
	if err := os.WriteFile(path, nil, 0o644); err == nil {
		t.Fatal("it is not protected")
	}
	if err := n.vars().write("Boot0001", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "\x07\x00\x00\x00new" {
		t.Errorf("%q, %v", b, err)
	}
	if n, err := flags(path); err != nil || n&immutableFlag == 0 {
		t.Errorf("flags %x, %v", n, err)
	}
	if err := n.vars().remove("Boot0001"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still there")
	}
	if err := n.vars().remove("Boot0001"); err != nil {
		t.Errorf("removed twice: %v", err)
	}
	if err := Variables(filepath.Join(n.dir, "missing")).write("Boot0001", nil); err == nil {
		t.Error("written into no directory")
	}
}
