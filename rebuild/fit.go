package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rootwc/probes"
)

// Policy is what happens to a node when there is more room than it had.
type Policy string

// The policies. Of the partitions of a disk, or the volumes of a group, one may
// grow, or any number may share.
const (
	Keep  Policy = "keep"  // it stays as it was; the default
	Grow  Policy = "grow"  // it takes all that is left
	Share Policy = "share" // it divides what is left with the others that share, in proportion to their sizes
)

// Rule is what may happen to the size of a node.
type Rule struct {
	Policy Policy
	// Minimum is how small it may become where there is less room than it had,
	// in bytes. Zero is as large as it was. A node that is kept keeps its size.
	Minimum uint64
}

func (r Rule) elastic() bool { return r.Policy == Grow || r.Policy == Share }

// least is the size to which a node may shrink.
func (r Rule) least(size uint64) uint64 {
	if r.Minimum == 0 {
		return size
	}
	return min(size, r.Minimum)
}

// Sizes are rules by node: "partition.<PARTUUID>", "lv.vg0/home", or "disk.of-…"
// for a disk without partitions. The rest is kept.
type Sizes map[probes.Ref]Rule

// TooSmall is a disk that has no room for what is to be on it.
type TooSmall struct {
	Disk    probes.ID
	Missing uint64 // bytes
	Why     string // what does not fit, "" for the partitions
}

func (e *TooSmall) Error() string {
	why := ""
	if e.Why != "" {
		why = ": " + e.Why
	}
	return fmt.Sprintf("disk %s is too small by %s (%d bytes)%s", e.Disk, probes.Size(e.Missing), e.Missing, why)
}

// Fit changes a layout, and the texts of its volume groups by the names that
// it has for them, so that it takes the disks that there are: disks has the size
// of each in bytes. What is given stays as it is.
//
// It returns what changes, a sentence each. Errors are a [*TooSmall] for each
// disk without room, and others for what cannot have another size, joined.
func Fit(l *probes.Layout, texts map[string][]byte, disks map[probes.ID]uint64, sizes Sizes) (*probes.Layout, map[string][]byte, []string, error) {
	f := &fitting{old: l, given: texts, texts: maps.Clone(texts), disks: disks, sizes: sizes, spans: map[probes.Ref]span{}, groups: map[probes.ID]bool{}}
	var err error
	if f.new, err = copyLayout(l); err != nil {
		return nil, nil, nil, err
	}
	if err := sizes.check(l); err != nil {
		return nil, nil, nil, err
	}
	for _, step := range []func(){f.fitDisks, f.fitStacked, f.fitContents} {
		step()
	}
	if len(f.errs) > 0 {
		return nil, nil, nil, errors.Join(f.errs...)
	}
	if _, err := copyLayout(f.new); err != nil {
		return nil, nil, nil, fmt.Errorf("fitted layout: %w", err)
	}
	return f.new, f.texts, f.changes(), nil
}

// copyLayout makes a copy that is checked as one from a file.
func copyLayout(l *probes.Layout) (*probes.Layout, error) {
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		return nil, err
	}
	return probes.Read(b.Bytes())
}

// check refuses rules for what is not there, or has no size to be changed.
func (s Sizes) check(l *probes.Layout) error {
	var wrong []error
	for _, ref := range slices.Sorted(maps.Keys(s)) {
		if err := s[ref].check(ref, l); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", ref, err))
		}
	}
	return errors.Join(wrong...)
}

func (r Rule) check(ref probes.Ref, l *probes.Layout) error {
	kind, id := split(ref)
	there := false
	switch kind {
	case "partition":
		p := l.Partition[id]
		there = p != nil
		if there && r.elastic() && isExtended(l, p) {
			return errors.New("an extended partition has the size that those in it need")
		}
	case "lv":
		there = l.LV[id] != nil
	case "disk":
		there = l.Disk[id] != nil
		if there && l.Disk[id].Table != "" {
			return errors.New("it has partitions: name one of them")
		}
	default:
		return errors.New("only partitions, logical volumes and disks without partitions have a size to choose")
	}
	switch {
	case !there:
		return errors.New("that is not in the layout")
	case !slices.Contains([]Policy{"", Keep, Grow, Share}, r.Policy):
		return fmt.Errorf("policy %q", r.Policy)
	}
	return nil
}

// split takes a reference apart.
func split(ref probes.Ref) (kind string, id probes.ID) {
	kind, rest, _ := strings.Cut(string(ref), ".")
	return kind, probes.ID(rest)
}

// alone checks that one grows, or all share.
func (s Sizes) alone(elastic []probes.Ref) error {
	for _, ref := range elastic {
		if s[ref].Policy == Grow && len(elastic) > 1 {
			others := slices.DeleteFunc(slices.Clone(elastic), func(r probes.Ref) bool { return r == ref })
			return fmt.Errorf("%s grows, which leaves nothing for %s", ref, others[0])
		}
	}
	return nil
}

// span is how many bytes a device had, and has now.
type span struct{ old, new uint64 }

// fitting is a layout that is being changed.
type fitting struct {
	old, new *probes.Layout
	given    map[string][]byte // texts of the old layout
	texts    map[string][]byte
	disks    map[probes.ID]uint64
	sizes    Sizes
	spans    map[probes.Ref]span // of what is decided
	groups   map[probes.ID]bool  // those that are done
	errs     []error
}

func (f *fitting) fail(err error) { f.errs = append(f.errs, err) }

// failed says of a node what cannot be. The others are looked at all the same,
// so that all that is wrong shows at once.
func (f *fitting) failed(ref probes.Ref, format string, args ...any) {
	f.fail(fmt.Errorf("%s: %w", ref, fmt.Errorf(format, args...)))
}

// device is the span of what something stands on.
func (f *fitting) device(ref probes.Ref) span {
	if s, ok := f.spans[ref]; ok {
		return s
	}
	kind, id := split(ref)
	var s span
	switch kind {
	case "raid":
		s = f.fitRAID(id)
	case "luks":
		s = f.fitLUKS(id)
	case "lv":
		_, group := split(f.new.LV[id].On)
		f.fitGroup(group)
		s = span{f.old.LV[id].Size, f.new.LV[id].Size}
	}
	f.spans[ref] = s
	return s
}

// fitStacked goes over what stands on other things and is stood on.
func (f *fitting) fitStacked() {
	for _, id := range sorted(f.new.RAID) {
		f.device(probes.Ref("raid." + id))
	}
	for _, id := range sorted(f.new.LUKS) {
		f.device(probes.Ref("luks." + id))
	}
	for _, id := range sorted(f.new.VG) {
		f.fitGroup(id)
	}
}

func sorted[T any](nodes map[probes.ID]T) []probes.ID { return slices.Sorted(maps.Keys(nodes)) }
