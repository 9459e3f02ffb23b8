package probes

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// RAID is an md array. Its ID is the array's UUID as mdadm prints it.
type RAID struct {
	On          []Ref    `toml:"on"` // in the order of their roles, spares last
	Name        string   `toml:"name"`
	Homehost    string   `toml:"homehost"`
	Metadata    string   `toml:"metadata"` // "1.2"
	Level       string   `toml:"level"`
	Devices     int      `toml:"devices"`
	Spares      int      `toml:"spares"`
	Layout      string   `toml:"layout"`                    // as mdadm --create --layout takes it
	Chunk       uint64   `toml:"chunk" unit:"bytes"`        // bytes
	Size        uint64   `toml:"size" unit:"bytes"`         // bytes used of each device; zero where all of each is used
	DataOffset  uint64   `toml:"data-offset" unit:"bytes"`  // bytes; zero for metadata 1.0 and 0.90, which stand behind the data, and when they differ
	DataOffsets []string `toml:"data-offsets"`              // when they differ: bytes, in the order of On
	BitmapChunk uint64   `toml:"bitmap-chunk" unit:"bytes"` // bytes; zero for no bitmap
	BitmapDelay uint64   `toml:"bitmap-delay"`              // seconds, when not 5
	WriteBehind uint64   `toml:"write-behind"`              // writes that a write-mostly device may lag
	WriteMostly []Ref    `toml:"write-mostly"`              // those of On that are read only in need
	FailFast    []Ref    `toml:"failfast"`                  // those of On that are given up soon
	Journal     Ref      `toml:"journal"`                   // the device for the consistency policy "journal"
	Consistency string   `toml:"consistency-policy"`        // "resync", "bitmap", "journal", "ppl"; "" where there is none
	Unsupported string   `toml:"unsupported"`
}

// raidMember is what the superblock on one device says.
type raidMember struct {
	On          Ref    // the device; the caller's
	Array       ID     // UUID of the array
	RAID        RAID   // of the array, without what all members together tell
	Device      string // UUID of the device; metadata 0.90 has none
	Role        int    // place in the array, or one of the constants
	Events      uint64 // changes of the array that this device has seen
	WriteMostly bool
	FailFast    bool
	Replacement bool   // it takes the place of the device with its role
	SuperOffset uint64 // bytes
	Bitmap      int64  // bytes from the superblock; zero for none
	BitmapSpace uint64 // bytes set aside for it; zero when the superblock does not say
}

// Roles of devices that have no place in the array.
const (
	roleSpare   = -1
	roleFaulty  = -2
	roleJournal = -3
)

// readRAID reads the superblock of a member: those of md in all four places,
// where a later version wins as with mdadm, then those of firmware RAID, which
// are recorded only. It fails with errAbsent when there is none.
func readRAID(r io.ReaderAt, size uint64) (*raidMember, error) {
	m := medium{r, size}
	for _, read := range []func(medium) (*raidMember, error){readRAID1, readRAID090, readFirmwareRAID} {
		member, err := read(m)
		if !errors.Is(err, errAbsent) {
			return member, err
		}
	}
	return nil, errAbsent
}

// readFirmwareRAID recognizes Intel's matrix storage, whose signature is in the
// last sector but one, and DDF, whose anchor is the last sector. Sources:
// super-intel.c and super-ddf.c of mdadm.
func readFirmwareRAID(m medium) (*raidMember, error) {
	if m.size < 1024 {
		return nil, errAbsent
	}
	b, err := m.read(m.size-1024, 1024)
	if err != nil {
		return nil, err
	}
	kind := ""
	switch {
	case strings.HasPrefix(string(b), "Intel Raid ISM Cfg Sig. "):
		kind = "imsm"
	case string(b[512:516]) == "\xde\x11\xde\x11":
		kind = "ddf"
	default:
		return nil, errAbsent
	}
	return &raidMember{Role: roleSpare, RAID: RAID{Metadata: kind, Unsupported: "RAID of the firmware"}}, nil
}

// assembleRAID puts the members of one array together: those that have seen
// most count, as with mdadm --assemble. Findings are sentences on members that
// are missing or out of date.
func assembleRAID(members []*raidMember) (array *RAID, findings []string, err error) {
	if len(members) == 0 {
		return nil, nil, errors.New("internal error: an array without members")
	}
	find := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }
	newest := slices.MaxFunc(members, func(a, b *raidMember) int { return cmp.Compare(a.Events, b.Events) })
	a := newest.RAID
	holder := map[int]*raidMember{}
	var spares []*raidMember
	for _, m := range members {
		if m.Array != newest.Array {
			return nil, nil, fmt.Errorf("internal error: member %s of array %s among those of %s", m.On, m.Array, newest.Array)
		}
		if what := a.disagrees(m.RAID); what != "" && m.Events == newest.Events {
			return nil, nil, fmt.Errorf("array %s: %s and %s do not agree on the %s", m.Array, newest.On, m.On, what)
		}
		switch other := holder[m.Role]; {
		case m.Role == roleFaulty:
			find("%s is a faulty member", m.On)
		case m.Role == roleSpare:
			spares = append(spares, m)
		case m.Role == roleJournal:
			a.Journal = m.On
		case m.Replacement:
			find("%s replaces device %d", m.On, m.Role)
			a.refuse("a device is being replaced")
		case m.Role >= a.Devices:
			find("%s has role %d of %d", m.On, m.Role, a.Devices)
		case m.Events+1 < newest.Events:
			// One change is what a crash leaves, md takes such a member.
			find("%s is out of date: it has seen %d changes of %d", m.On, m.Events, newest.Events)
		case other != nil:
			return nil, nil, fmt.Errorf("array %s: %s and %s are both device %d", m.Array, other.On, m.On, m.Role)
		default:
			holder[m.Role] = m
		}
	}
	slices.SortFunc(spares, func(a, b *raidMember) int { return cmp.Compare(a.On, b.On) })
	a.Spares = len(spares)
	var all []*raidMember
	for role := range a.Devices {
		if holder[role] == nil {
			find("device %d of %d is missing", role, a.Devices)
			a.refuse("device " + strconv.Itoa(role) + " is missing")
			continue
		}
		all = append(all, holder[role])
	}
	if a.Consistency == "journal" && a.Journal == "" {
		find("the journal is missing")
		a.refuse("the journal is missing")
	}
	a.take(append(all, spares...))
	return &a, findings, nil
}

// refuse keeps the first reason for which an array cannot be made again.
func (a *RAID) refuse(why string) {
	if a.Unsupported == "" {
		a.Unsupported = why
	}
}

// disagrees names the first thing that is the array's and differs, "" for
// none.
func (a RAID) disagrees(b RAID) string {
	for _, d := range []struct {
		what   string
		differ bool
	}{
		{"metadata version", a.Metadata != b.Metadata},
		{"name", a.Name != b.Name || a.Homehost != b.Homehost},
		{"level", a.Level != b.Level},
		{"number of devices", a.Devices != b.Devices},
		{"layout", a.Layout != b.Layout},
		{"chunk size", a.Chunk != b.Chunk},
		{"size", a.Size != b.Size},
	} {
		if d.differ {
			return d.what
		}
	}
	return ""
}

// take sets what each member has of its own.
func (a *RAID) take(members []*raidMember) {
	for _, m := range members {
		a.On = append(a.On, m.On)
		a.DataOffsets = append(a.DataOffsets, strconv.FormatUint(m.RAID.DataOffset, 10))
		if m.WriteMostly {
			a.WriteMostly = append(a.WriteMostly, m.On)
		}
		if m.FailFast {
			a.FailFast = append(a.FailFast, m.On)
		}
		// A spare may have no bitmap yet.
		if a.BitmapChunk == 0 {
			a.BitmapChunk, a.BitmapDelay, a.WriteBehind = m.RAID.BitmapChunk, m.RAID.BitmapDelay, m.RAID.WriteBehind
		}
	}
	if len(slices.Compact(slices.Clone(a.DataOffsets))) <= 1 {
		a.DataOffsets = nil
	} else {
		a.DataOffset = 0
	}
}

// Layouts by their number. Source: drivers/md/raid5.h and maps.c of mdadm. The
// numbers of DDF come from its containers alone.
var parityLayouts = map[uint32]string{
	0: "left-asymmetric", 1: "right-asymmetric", 2: "left-symmetric", 3: "right-symmetric", 4: "parity-first", 5: "parity-last",
	8: "ddf-zero-restart", 9: "ddf-N-restart", 10: "ddf-N-continue",
	16: "left-asymmetric-6", 17: "right-asymmetric-6", 18: "left-symmetric-6", 19: "right-symmetric-6", 20: "parity-first-6",
}

var raidLevels = map[int32]string{-5: "faulty", -4: "multipath", -1: "linear", 0: "raid0", 1: "raid1", 4: "raid4", 5: "raid5", 6: "raid6", 10: "raid10"}

// setLevel puts level and layout into words.
func (a *RAID) setLevel(level int32, layout uint32) error {
	a.Level = raidLevels[level]
	if a.Level == "" {
		return fmt.Errorf("level %d is none of md", level)
	}
	known := true
	switch a.Level {
	case "raid0":
		// Since Linux 5.4 an array over devices of several sizes must say which
		// way of counting its zones it has.
		a.Layout, known = map[uint32]string{0: "", 1: "original", 2: "alternate"}[layout], layout <= 2
	case "raid5", "raid6":
		a.Layout, known = parityLayouts[layout], parityLayouts[layout] != ""
	case "raid10":
		a.Layout, known = raid10Layout(layout)
	case "faulty", "multipath":
		a.refuse("arrays of level " + a.Level)
	default:
		known = layout == 0
	}
	if !known {
		a.refuse(fmt.Sprintf("layout %#x of %s", layout, a.Level))
	}
	return nil
}

// raid10Layout is the layout in mdadm's words: copies near, far or at an
// offset. Both kinds of copies at once cannot be said.
func raid10Layout(layout uint32) (string, bool) {
	near, far, offset := layout&0xff, layout>>8&0xff, layout>>16 != 0
	switch {
	case near > 1 && far > 1 || layout>>17 != 0:
		return "", false
	case near > 1 || far <= 1:
		return "n" + strconv.FormatUint(uint64(near), 10), !offset
	case offset:
		return "o" + strconv.FormatUint(uint64(far), 10), true
	}
	return "f" + strconv.FormatUint(uint64(far), 10), true
}

// redundant tells whether the members must be kept consistent.
func (a *RAID) redundant() bool {
	return a.Level == "raid1" || a.Level == "raid4" || a.Level == "raid5" || a.Level == "raid6" || a.Level == "raid10"
}
