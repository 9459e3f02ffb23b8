package rebuild

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/vm"
	"rootwc/internal/vm/inside"
	"rootwc/probes"
)

//go:embed testdata/boot.sh
var bootScript string

// TestGuestEntries has a machine with boot entries lose its disk and its
// firmware's memory. The new disk is another one, the partition is elsewhere on
// it, and the new firmware knows an entry of somebody else.
func TestGuestEntries(t *testing.T) {
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts virtual machines; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	image, err := vm.Build(ctx, vm.Options{Programs: []string{"chroot"}})
	if err != nil {
		t.Fatal(err)
	}
	kernels, _ := filepath.Glob("../.cache/vm/*/boot/vmlinuz-*")
	if len(kernels) == 0 {
		t.Fatal("no kernel in .cache/vm")
	}
	kernel, err := os.ReadFile(kernels[0])
	if err != nil {
		t.Fatal(err)
	}
	program := inside.Build(t)
	files := fstest.MapFS{"boot.sh": {Data: []byte(bootScript)}, "kernel": {Data: kernel}}
	guest := func(variables string, disk vm.Disk, script string) *vm.Result {
		t.Helper()
		files["script"] = &fstest.MapFile{Data: []byte(script)}
		r, err := image.Run(ctx, vm.Machine{
			Command: []string{"sh", "-eu", "script"}, Files: files, Programs: map[string]string{"inside.test": program},
			Disks: []vm.Disk{disk}, Firmware: vm.UEFI, Variables: variables, Timeout: 5 * time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != 0 {
			t.Fatalf("exit status %d\n%s", r.Status, r.Console)
		}
		return r
	}
	out := func(r *vm.Result, name string) string {
		t.Helper()
		b, err := fs.ReadFile(r.Files, name)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.Console)
		}
		return string(b)
	}

	dir := t.TempDir()
	before := guest(filepath.Join(dir, "old"), sparse(t, 128<<20, vm.Virtio), `
		sh boot.sh /dev/vda 2048 /dev/vda1
		entry() { efibootmgr --quiet --create --disk /dev/vda --part 1 "$@"; }
		entry --label '"$(id)" Grüße' --loader '\EFI\b\x.efi' 'bytes of text'
		printf '\001\002\003' >/tmp/data
		entry --label data --loader '\d.efi' --append-binary-args /tmp/data
		efibootmgr --quiet --bootnum 0002 --inactive
		entry --label debian --loader '\EFI\debian\shimx64.efi' --unicode 'console=ttyS0 panic=-1 ours.mark'
		entry --bootnum 00A0 --label numbered --loader '\n.efi'
		efibootmgr --quiet --bootorder 0003,00A0,0001,0002,0000
		efibootmgr --verbose >/out/said
		STAGE=capture LBA=2048 inside.test -test.run '^TestInGuest$'
	`)
	files["boot.toml"] = &fstest.MapFile{Data: []byte(out(before, "boot.toml"))}

	disk := sparse(t, 256<<20, vm.NVMe)
	after := guest(filepath.Join(dir, "new"), disk, `
		sh boot.sh /dev/nvme0n1 8192 /dev/nvme0n1p1
		efibootmgr --quiet --create --bootnum 0030 --disk /dev/nvme0n1 --part 1 --label 'somebody else' --loader '\windows.efi'
		efibootmgr --quiet --create --bootnum 0001 --disk /dev/nvme0n1 --part 1 --label 'found' --loader '\EFI\debian\shimx64.efi'
		efibootmgr --verbose >/out/blank
		mkdir -p /r
		mount --bind / /r
		mkdir -p /r/usr/local/sbin
		for p in grub-install grub-mkconfig update-initramfs; do
			printf '#!/bin/sh\necho "$0" "$@" >>/log; test -b /dev/nvme0n1 && test -e /proc/self/mounts && test -d /sys/firmware/efi/efivars\n' >/r/usr/local/sbin/$p
			chmod +x /r/usr/local/sbin/$p
		done
		STAGE=rebuild LBA=8192 inside.test -test.run '^TestInGuest$'
		efibootmgr --verbose >/out/said
		STAGE=capture LBA=8192 inside.test -test.run '^TestInGuest$'
		cp /log /out/log
		grep -c ' /r/' /proc/self/mounts >/out/mounts || true
	`)

	var plan [2][]string
	if err := json.Unmarshal([]byte(out(after, "plan.json")), &plan); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s\n%s\n%s", out(after, "blank"), strings.Join(plan[0], "\n"), out(after, "said"), out(after, "boot.toml"))
	sameLines(t, "second run", plan[1], nil)
	old, err := probes.ParseBoot([]byte(out(before, "boot.toml")))
	if err != nil {
		t.Fatal(err)
	}
	now, err := probes.ParseBoot([]byte(out(after, "boot.toml")))
	if err != nil {
		t.Fatal(err)
	}
	var changes []string
	for _, c := range probes.CompareBoot(old, now) {
		changes = append(changes, c.Words)
	}
	sameLines(t, "changes", changes, []string{
		"boot: boot order Boot0003 Boot00A0 Boot0001 Boot0002 -> Boot0003 Boot00A0 Boot0001 Boot0002 Boot0030",
		`boot entry: "somebody else" is new`,
	})

	// efibootmgr says what it said, but for the partition's place
	said, _ := entryLines(out(before, "said"))
	here, order := entryLines(out(after, "said"))
	for id, line := range said {
		if got := strings.Replace(here[id], ",0x2000,", ",0x800,", 1); got != line {
			t.Errorf("efibootmgr has %q, it had %q", got, line)
		}
	}
	if len(said) != 4 || len(here) != 5 || order != "BootOrder: 0003,00A0,0001,0002,0030,0000" {
		t.Errorf("%d entries, %d before, %s", len(here), len(said), order)
	}
	sameLines(t, "programs", strings.Split(strings.TrimSpace(out(after, "log")), "\n"), []string{
		"/usr/local/sbin/grub-install --target=i386-pc /dev/nvme0n1",
		"/usr/local/sbin/grub-install --target=x86_64-efi --efi-directory=/boot/efi --no-nvram",
		"/usr/local/sbin/grub-mkconfig -o /boot/grub/grub.cfg",
		"/usr/local/sbin/update-initramfs -u -k all",
	})
	if n := strings.TrimSpace(out(after, "mounts")); n != "0" {
		t.Errorf("%s mounts are left in the root", n)
	}

	// and the firmware starts the kernel by it
	r, err := image.Run(ctx, vm.Machine{
		FromDisk: true, Disks: []vm.Disk{disk}, Firmware: vm.UEFI, Variables: filepath.Join(dir, "new"),
		Until: regexp.MustCompile(`ours\.mark`), Timeout: 3 * time.Minute,
	})
	if err != nil || !strings.Contains(r.Console, "ours.mark") {
		t.Errorf("%v\n%s", err, r.Console)
	}
}

// entryLines are efibootmgr's lines on entries that start from a partition, and
// that on the order.
func entryLines(said string) (entries map[string]string, order string) {
	entries = map[string]string{}
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "BootOrder") {
			order = line
		}
		if strings.HasPrefix(line, "Boot") && strings.Contains(line, "HD(") {
			entries[line[:len("Boot0000")]] = line
		}
	}
	return entries, order
}

func sparse(t *testing.T, size int64, bus vm.Bus) vm.Disk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return vm.Disk{Path: path, Bus: bus}
}

// TestInGuest is what [TestGuestEntries] runs in its guests.
func TestInGuest(t *testing.T) {
	stage := os.Getenv("STAGE")
	if stage == "" {
		t.Skip("runs in a guest")
	}
	var lba uint64
	if _, err := fmt.Sscan(os.Getenv("LBA"), &lba); err != nil {
		t.Fatal(err)
	}
	layout := &probes.Layout{Partition: map[probes.ID]*probes.Partition{espA: {Number: 1, FirstLBA: lba, LastLBA: lba + 131071}}}
	if stage == "capture" {
		b, findings, err := probes.ReadBoot(fstest.MapFS{}, os.DirFS("/sys"), nil, layout)
		if err != nil || len(findings) > 0 {
			t.Fatalf("%q, %v", findings, err)
		}
		if err := os.WriteFile("/out/boot.toml", []byte(pageOf(t, b)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile("boot.toml")
	if err != nil {
		t.Fatal(err)
	}
	old, err := probes.ParseBoot(text)
	if err != nil {
		t.Fatal(err)
	}
	do := func(actions []Action) (words []string) {
		for _, a := range actions {
			words = append(words, a.String())
			if err := (&Performer{Output: os.Stderr}).Do(context.Background(), a); err != nil {
				t.Fatal(err)
			}
		}
		return words
	}
	var plan [2][]string
	for i := range plan {
		l, err := Entries(old, layout, EFIVars, nil)
		if err != nil {
			t.Fatal(err)
		}
		plan[i] = append(do(l.Make), l.Notes...)
	}
	inRootOfGuest(t, do)
	b, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/out/plan.json", b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// inRootOfGuest runs the programs of the root /r, which are scripts.
func inRootOfGuest(t *testing.T, do func([]Action) []string) {
	root, err := Chroot("/r")
	if err != nil {
		t.Fatal(err)
	}
	old := &probes.Boot{
		Loader:    map[probes.ID]*probes.Loader{"grub": {Directory: "/boot/grub", Platforms: []string{"i386-pc", "x86_64-efi"}}},
		Initramfs: &probes.Initramfs{Generator: "initramfs-tools", Setting: "MODULES=dep"},
	}
	grub, err := GRUB(old, "/r", []string{"/dev/nvme0n1"})
	if err != nil {
		t.Fatal(err)
	}
	initramfs, err := Initramfs(old, inventory("virtio"), inventory("nvme"), "/r")
	if err != nil {
		t.Fatal(err)
	}
	do(root.Open)
	do(root.Open) // once more does no harm
	do(slices.Concat(grub.Make, initramfs.Make))
	do(root.Close)
	do(root.Close)
	if entries, err := os.ReadDir("/dev"); err != nil || len(entries) < 10 {
		t.Errorf("/dev has %d entries, %v", len(entries), err)
	}
}

func inventory(bus string) *probes.Inventory {
	return &probes.Inventory{Disk: map[probes.ID]*probes.Hardware{"d": {Bus: bus}}}
}
