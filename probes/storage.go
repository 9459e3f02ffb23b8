package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Storage is what there is to know of a machine's storage.
type Storage struct {
	Layout   *Layout
	Hardware map[ID]*Hardware  // by the IDs of disks
	Files    map[string][]byte // texts and boot code, by the names that the layout has
	// Findings are sentences on what is odd or damaged, and not recorded as a
	// fact.
	Findings []string
	Notes    []string // on what is as it should be, for who wants to know all
}

// ReadStorage reads the storage of a machine, of which all disks must be
// readable. Nothing is written and no program started. What is inside of
// closed devices is taken from before, nil for nothing known.
func ReadStorage(ctx context.Context, m Machine, before *Layout) (*Storage, error) {
	all, err := Devices(m.Sys)
	if err != nil {
		return nil, err
	}
	chosen := m.chosen(all)
	if len(chosen) == 0 {
		return nil, ErrNoStorage
	}
	contents, closeAll, err := m.look(ctx, chosen)
	defer closeAll()
	if err != nil {
		return nil, err
	}
	b := &builder{
		Storage:  &Storage{Layout: newLayout(), Hardware: map[ID]*Hardware{}, Files: map[string][]byte{}},
		machine:  m,
		contents: contents,
		refs:     map[string]Ref{},
		parts:    map[string]bool{},
	}
	for _, step := range []func() error{b.disks, b.stacked, b.raids, b.luks, b.groups} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if err := b.fileSystems(ctx); err != nil {
		return nil, err
	}
	b.keep(before)
	if err := b.tables(); err != nil {
		return nil, err
	}
	slices.Sort(b.Findings)
	b.Findings = slices.Compact(b.Findings)
	if err := errors.Join(b.twice.err(), b.Layout.check()); err != nil {
		return nil, err
	}
	return b.Storage, nil
}

func newLayout() *Layout {
	return &Layout{
		Format: Format, Disk: map[ID]*Disk{}, Partition: map[ID]*Partition{}, RAID: map[ID]*RAID{}, LUKS: map[ID]*LUKS{},
		PV: map[ID]*PV{}, VG: map[ID]*VG{}, LV: map[ID]*LV{}, FileSystem: map[ID]*FileSystem{}, Swap: map[ID]*Swap{},
		Mount: map[ID]*Mount{}, Unknown: map[ID]*Unknown{},
	}
}

// builder makes a layout of what is on the devices.
type builder struct {
	*Storage
	machine  Machine
	contents []*contents
	refs     map[string]Ref  // what a device is, by its name
	parts    map[string]bool // devices that LVM makes volumes of
	twice    duplicates
}

func (b *builder) find(format string, args ...any) {
	b.Findings = append(b.Findings, fmt.Sprintf(format, args...))
}

// on calls f with everything of one kind that is on a device which is a node.
func on[T any](b *builder, f func(c *contents, id ID, ref Ref, what T)) {
	for _, c := range b.contents {
		if ref := b.refs[c.Name]; c.found != nil && ref != "" {
			if what, ok := c.found.node.(T); ok {
				f(c, c.found.id, ref, what)
			}
		}
	}
}
