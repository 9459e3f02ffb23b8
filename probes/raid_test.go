package probes

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestRAID(t *testing.T) { testRAID(t, filepath.Join("testdata", "raid")) }

// testRAID reads the extracts in a directory and compares with what mdadm says
// of them: when they were made, and that of this machine now.
func testRAID(t *testing.T, dir string) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.img.gz"))
	if err != nil || len(paths) < 50 {
		t.Fatalf("%d extracts, %v", len(paths), err)
	}
	arrays := map[string][]*raidMember{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".img.gz")
		e, err := loadExtract(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := readRAID(e, e.size)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m.On = Ref("member." + name)
		array := name[:strings.LastIndexByte(name, '-')]
		arrays[array] = append(arrays[array], m)
		said, err := os.ReadFile(strings.TrimSuffix(path, ".img.gz") + ".examine")
		if err != nil {
			t.Fatal(err)
		}
		bitmap, _ := os.ReadFile(strings.TrimSuffix(path, ".img.gz") + ".bitmap")
		t.Run(name, func(t *testing.T) { compareExamine(t, m, string(said), string(bitmap)) })
	}
	changesSeen := regexp.MustCompile(`changes of \d+`)
	for name, want := range assembled {
		t.Run("assemble "+name, func(t *testing.T) {
			a, findings, err := assembleRAID(arrays[name])
			if err != nil {
				t.Fatal(err)
			}
			// how often md wrote its superblocks is a matter of time
			if got := changesSeen.ReplaceAllString(assembledWords(a, findings), "changes of N"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			delete(arrays, name)
			compareDetail(t, a, filepath.Join(dir, name+".detail"))
		})
	}
	for name, members := range arrays {
		t.Errorf("%s with %d members is not assembled", name, len(members))
	}
}

// notSaid is what mdadm says of the bitmap in an image: it looks for one that
// is a file.
const notSaid = "nothing"

// TestExamineHere compares with the mdadm of this machine, which reads images.
func TestExamineHere(t *testing.T) {
	need(t, "mdadm")
	for _, name := range []string{"plain-0", "spare-2", "slow-1", "far-1", "journal-3", "six-2", "zero-original-1"} {
		e, err := loadExtract(filepath.Join("testdata", "raid", name+".img.gz"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := readRAID(e, e.size)
		if err != nil {
			t.Fatal(err)
		}
		image := e.image(t)
		t.Run(name, func(t *testing.T) {
			compareExamine(t, m, tool(t, "", "mdadm", "--examine", image), notSaid)
		})
	}
}

// listing takes a key of "Key : value" lines, "" when there is none.
func listing(text, key string) string {
	m := regexp.MustCompile(`(?m)^ *` + key + ` : *(.*?) *$`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// firstNumber is the number that a value begins with, in its unit.
func firstNumber(value string, unit uint64) uint64 {
	n, _ := strconv.ParseUint(strings.Fields(value + " 0")[0], 10, 64)
	return n * unit
}

// compareExamine compares each field with what mdadm --examine says.
func compareExamine(t *testing.T, m *raidMember, said, bitmap string) {
	a := m.RAID
	if a.Metadata == "ddf" || a.Metadata == "imsm" {
		if a.Unsupported == "" || !strings.Contains(said, map[string]string{"ddf": "de11de11", "imsm": "Intel Raid ISM"}[a.Metadata]) {
			t.Errorf("%+v\n%s", m, said)
		}
		return
	}
	check := func(what, got, want string) {
		if got != want {
			t.Errorf("%s is %q, mdadm says %q", what, got, want)
		}
	}
	old := a.Metadata == "0.90"
	check("metadata", a.Metadata, strings.TrimSuffix(listing(said, "Version"), ".00"))
	check("level", a.Level, strings.Replace(listing(said, "Raid Level"), "-unknown-", "linear", 1))
	check("devices", fmt.Sprint(a.Devices), listing(said, "Raid Devices"))
	check("events", fmt.Sprint(m.Events), listing(said, "Events"))
	check("layout", layoutSaid(a.Layout), strings.Replace(listing(said, "Layout"), "-unknown-", "", 1))
	check("chunk", fmt.Sprint(a.Chunk), fmt.Sprint(kilo(listing(said, "Chunk Size"))))
	if old {
		check("uuid", string(m.Array), strings.Fields(listing(said, "UUID"))[0])
		check("size", fmt.Sprint(a.Size), fmt.Sprint(firstNumber(listing(said, "Used Dev Size"), 1024)))
		place := regexp.MustCompile(`(?m)^this +\d+ +\d+ +\d+ +(-?\d+) +(.*?) +/`).FindStringSubmatch(said)
		if place[2] == "spare" {
			place[1] = fmt.Sprint(roleSpare)
		}
		check("role", fmt.Sprint(m.Role), place[1])
		check("bitmap", fmt.Sprint(m.Bitmap != 0), fmt.Sprint(listing(said, "Internal Bitmap") == "present"))
	} else {
		check("uuid", string(m.Array), listing(said, "Array UUID"))
		check("device", m.Device, listing(said, "Device UUID"))
		name := a.Name
		if a.Homehost != "" {
			name = a.Homehost + ":" + name
		}
		check("name", name, strings.Fields(listing(said, "Name"))[0])
		used := listing(said, "Used Dev Size")
		if used == "" {
			used = listing(said, "Avail Dev Size")
		}
		if a.Level != "raid0" && a.Level != "linear" {
			check("size", fmt.Sprint(a.Size), fmt.Sprint(firstNumber(used, 512)))
		}
		check("data offset", fmt.Sprint(a.DataOffset), fmt.Sprint(firstNumber(listing(said, "Data Offset"), 512)))
		check("super offset", fmt.Sprint(m.SuperOffset), fmt.Sprint(firstNumber(listing(said, "Super Offset"), 512)))
		check("role", roleSaid(m), listing(said, "Device Role"))
		at, _, _ := strings.Cut(listing(said, "Internal Bitmap"), " ")
		n, _ := strconv.ParseInt(at, 10, 64)
		check("bitmap", fmt.Sprint(m.Bitmap), fmt.Sprint(n*512))
		flags := listing(said, "Flags")
		check("flags", fmt.Sprint(m.WriteMostly, m.FailFast), fmt.Sprint(strings.Contains(flags, "write-mostly"), strings.Contains(flags, "failfast")))
	}
	reshaped := listing(said, "Delta Devices") != ""
	check("reshaped", fmt.Sprint(a.Unsupported != ""), fmt.Sprint(reshaped))
	check("ppl", fmt.Sprint(a.Consistency == "ppl"), fmt.Sprint(strings.Contains(said, "PPL :")))
	if bitmap == notSaid {
		return
	}
	check("bitmap chunk", fmt.Sprint(a.BitmapChunk), fmt.Sprint(kilo(listing(bitmap, "Chunksize"))))
	if a.BitmapChunk > 0 {
		delay := max(a.BitmapDelay, 5)
		check("delay", fmt.Sprintf("%ds flush period", delay), listing(bitmap, "Daemon"))
		if a.WriteBehind > 0 {
			check("write behind", fmt.Sprintf("Allow write behind, max %d", a.WriteBehind), listing(bitmap, "Write Mode"))
		} else {
			check("write behind", "Normal", listing(bitmap, "Write Mode"))
		}
	}
}

// compareDetail compares what is known of all members together with what mdadm
// said of the running array.
func compareDetail(t *testing.T, a *RAID, path string) {
	said, err := os.ReadFile(path)
	if err != nil { // one of the firmware, or one that was not whole
		return
	}
	policy := strings.NewReplacer("none", "", "unknown", "").Replace(listing(string(said), "Consistency Policy"))
	if a.Consistency != policy {
		t.Errorf("consistency policy is %q, mdadm says\n%s", a.Consistency, said)
	}
	if spares := listing(string(said), "Spare Devices"); spares != "" && a.Unsupported == "" && fmt.Sprint(a.Spares) != spares {
		t.Errorf("%d spares, mdadm says\n%s", a.Spares, said)
	}
}

// layoutSaid is a layout as mdadm prints it.
func layoutSaid(layout string) string {
	m := regexp.MustCompile(`^([nfo])(\d)$`).FindStringSubmatch(layout)
	if m == nil {
		return layout
	}
	words := []string{"near=1", "far=1"}
	switch m[1] {
	case "n":
		words[0] = "near=" + m[2]
	case "f":
		words[1] = "far=" + m[2]
	default:
		words[1] = "offset=" + m[2]
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.HasSuffix(w, "=1") }), ", ")
}

func roleSaid(m *raidMember) string {
	switch {
	case m.Role == roleSpare:
		return "spare"
	case m.Role == roleFaulty:
		return "Faulty"
	case m.Role == roleJournal:
		return "Journal"
	case m.Replacement:
		return fmt.Sprintf("Replacement device %d", m.Role)
	}
	return fmt.Sprintf("Active device %d", m.Role)
}

// kilo reads "512K", "64 MB".
func kilo(s string) uint64 {
	n := firstNumber(strings.TrimRight(s, "KMGB "), 1)
	switch {
	case strings.Contains(s, "K"):
		return n << 10
	case strings.Contains(s, "M"):
		return n << 20
	}
	return n
}

// assembledWords is an array in short, for a table of wants.
func assembledWords(a *RAID, findings []string) string {
	names := func(refs []Ref) string {
		var all []string
		for _, r := range refs {
			all = append(all, strings.TrimPrefix(string(r), "member."))
		}
		return strings.Join(all, " ")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s %s", names(a.On), a.Metadata, a.Level, a.Consistency)
	for _, extra := range [][2]string{
		{"spares", fmt.Sprint(a.Spares)}, {"layout", a.Layout}, {"behind", fmt.Sprint(a.WriteBehind)}, {"delay", fmt.Sprint(a.BitmapDelay)},
		{"mostly", names(a.WriteMostly)}, {"fast", names(a.FailFast)}, {"journal", names([]Ref{a.Journal})}, {"offsets", strings.Join(a.DataOffsets, " ")},
		{"unsupported", a.Unsupported}, {"findings", strings.Join(findings, "; ")},
	} {
		if extra[1] != "" && extra[1] != "0" {
			fmt.Fprintf(&b, ", %s %s", extra[0], extra[1])
		}
	}
	return b.String()
}

// assembled are the arrays in short.
var assembled = map[string]string{
	"plain":         "plain-0 plain-1: 1.2 raid1 bitmap",
	"asymmetric":    "asymmetric-0 asymmetric-1 asymmetric-2 asymmetric-3: 1.2 raid5 bitmap, spares 1, layout left-asymmetric",
	"ddf":           "ddf-0 ddf-1: ddf  , spares 2, unsupported RAID of the firmware",
	"far":           "far-0 far-1: 1.0 raid10 resync, layout f2",
	"fast":          "fast-0 fast-1: 1.2 raid1 resync, fast fast-0 fast-1",
	"five-old":      "five-old-0 five-old-1 five-old-2 five-old-3: 0.90 raid5 bitmap, spares 1, layout right-asymmetric",
	"four":          "four-0 four-1 four-2: 0.90 raid4 resync",
	"imsm":          "imsm-0 imsm-1: imsm  , spares 2, unsupported RAID of the firmware",
	"journal":       "journal-0 journal-1 journal-2: 1.2 raid5 journal, layout left-symmetric, journal journal-3",
	"linear":        "linear-0 linear-1: 1.2 linear ",
	"missing":       "missing-0: 1.2 raid1 resync, unsupported device 0 is missing, findings device 0 of 2 is missing",
	"nameless":      "nameless-0 nameless-1: 1.2 raid1 resync",
	"near":          "near-0 near-1 near-2: 1.2 raid10 bitmap, layout n2",
	"near3":         "near3-0 near3-1 near3-2: 1.2 raid10 resync, layout n3",
	"offset":        "offset-0 offset-1 offset-2 offset-3: 1.2 raid10 resync, layout o2",
	"old":           "old-0 old-1: 0.90 raid1 resync",
	"one":           "one-0: 1.2 raid1 resync",
	"parity":        "parity-0 parity-1 parity-2: 1.2 raid5 resync, layout parity-first",
	"ppl":           "ppl-0 ppl-1 ppl-2: 1.2 raid5 ppl, layout left-symmetric",
	"replaced":      "replaced-0 replaced-1: 1.2 raid1 resync, unsupported a device is being replaced, findings member.replaced-2 replaces device 0",
	"reshaped":      "reshaped-0 reshaped-1 reshaped-2 reshaped-3: 1.2 raid5 resync, layout left-symmetric, unsupported it is being reshaped",
	"six":           "six-0 six-1 six-2 six-3: 1.1 raid6 resync, layout right-symmetric",
	"six-like-five": "six-like-five-0 six-like-five-1 six-like-five-2 six-like-five-3: 1.2 raid6 resync, layout left-symmetric-6",
	"slow":          "slow-0 slow-1: 1.1 raid1 bitmap, behind 300, delay 11, mostly slow-1",
	"spare":         "spare-0 spare-1 spare-2: 1.0 raid1 resync, spares 1",
	"stale":         "stale-0: 1.2 raid1 resync, unsupported device 1 is missing, findings member.stale-1 is out of date: it has seen 0 changes of N; device 1 of 2 is missing",
	"variable":      "variable-0 variable-1: 1.2 raid1 resync, offsets 1048576 2097152",
	"zero":          "zero-0 zero-1: 1.2 raid0 ",
	"zero-original": "zero-original-0 zero-original-1: 1.0 raid0 , layout original",
	"zero-uneven":   "zero-uneven-0 zero-uneven-1 zero-uneven-2: 1.2 raid0 ",
}
