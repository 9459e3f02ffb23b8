package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// contents is what is on a device.
type contents struct {
	*Device
	medium
	table   *Table // of a disk
	found   *found // nil for nothing known
	unclear error  // why it cannot be said what is there
}

// The formats that other nodes stand on.
var (
	raidFormat = format{name: "linux_raid_member", read: func(m medium) (*found, error) {
		member, err := readRAID(m.past(), m.size)
		if err != nil {
			return nil, present(err)
		}
		return &found{"linux_raid_member", member.Array, member}, nil
	}}
	luksFormat = format{name: "crypto_LUKS", read: func(m medium) (*found, error) {
		id, l, findings, err := readLUKS(m, m.size)
		if err != nil {
			return nil, present(err)
		}
		return &found{"crypto_LUKS", id, &luksHeader{l, findings}}, nil
	}}
	lvmFormat = format{name: "LVM2_member", read: func(m medium) (*found, error) {
		pv, err := readPV(m, m.size)
		if err != nil {
			return nil, present(err)
		}
		return &found{"LVM2_member", pv.ID, pv}, nil
	}}
	btrfsFormat = format{name: "btrfs", read: func(m medium) (*found, error) {
		s, err := identifyBtrfs(m.past())
		if s == nil || err != nil {
			return nil, err
		}
		return &found{"btrfs", s.id(), s}, nil
	}}
)

// luksHeader is a LUKS device with what is odd about its header.
type luksHeader struct {
	*LUKS
	findings []string
}

// present is nil for what is not there.
func present(err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

// look opens the devices and tells what is on them. Who may not read them
// gets an error.
func (m Machine) look(ctx context.Context, devices []*Device) (all []*contents, closeAll func(), err error) {
	var files []*source
	closeAll = func() {
		for _, f := range files {
			f.Close()
		}
	}
	partitioned := map[string]bool{}
	for _, d := range devices {
		partitioned[d.Disk] = true
	}
	for _, d := range devices {
		if hidden(d) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, closeAll, err
		}
		f, err := m.open(d)
		if err != nil {
			return nil, closeAll, fmt.Errorf("cannot read disks: %w", err)
		}
		files = append(files, f)
		c := &contents{Device: d, medium: f.medium()}
		if err := c.look(partitioned[d.Name]); err != nil {
			return nil, closeAll, fmt.Errorf("cannot read %s: %w", f.Name(), err)
		}
		all = append(all, c)
	}
	return all, closeAll, nil
}

// look tells what is on a device. The kernel decides whether a disk with
// partitions has a table: what stands at its end may be the last partition's.
func (c *contents) look(partitioned bool) error {
	if c.Disk == "" && c.Mapping == "" && !c.MD {
		if !partitioned {
			c.identify()
		}
		if c.found == nil && c.unclear == nil || partitioned {
			table, err := readTable(c.medium, c.size, c.Sector)
			switch {
			case errors.Is(err, errAbsent):
			case errors.As(err, new(*os.PathError)):
				return err
			case err != nil:
				c.unclear = err
			default:
				c.table = table
			}
		}
		return nil
	}
	c.identify()
	if errors.As(c.unclear, new(*os.PathError)) {
		return c.unclear
	}
	return nil
}

func (c *contents) identify() {
	c.found, c.unclear = identify(c.medium)
}

// hidden are layers inside of LVM volumes: a suffix follows the UUID.
func hidden(d *Device) bool {
	lv, ok := strings.CutPrefix(d.Mapper, "LVM-")
	return ok && len(lv) != 2*lvmUUIDBytes
}

// duplicates lists what is there more than once, which a copied disk makes:
// nobody can tell then which one is meant.
type duplicates struct{ places map[Ref][]string }

func (d *duplicates) add(ref Ref, place string) (first bool) {
	if d.places == nil {
		d.places = map[Ref][]string{}
	}
	d.places[ref] = append(d.places[ref], place)
	return len(d.places[ref]) == 1
}

func (d *duplicates) err() error {
	var all []error
	for ref, places := range d.places {
		if len(places) > 1 {
			all = append(all, fmt.Errorf("%s is on each of %s", ref, and(places)))
		}
	}
	slices.SortFunc(all, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}
