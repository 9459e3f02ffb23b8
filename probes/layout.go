package probes

import (
	"io"
	"strings"

	"rootwc/internal/page"
)

// Format is the version of the texts of a [Layout], a [Boot] and an
// [Inventory]: readers refuse another major one.
const Format = "1.0.0"

// ID names a node within its kind by what is written on the medium, so that
// it stays when disks change their names: a partition table's UUID, a
// partition's, a file system's, "GROUP/NAME" for a logical volume.
type ID string

// Ref names a node with its kind: "partition.29a3ec04-…", "lv.vg0/root".
type Ref string

// Kind is the kind of the node: "partition".
func (r Ref) Kind() string {
	kind, _, _ := strings.Cut(string(r), ".")
	return kind
}

// ID is the node's name within its kind.
func (r Ref) ID() ID {
	_, id, _ := strings.Cut(string(r), ".")
	return ID(id)
}

// Layout is how the storage of a machine is set up: a graph whose nodes stand
// on others ("on"), from disks up to mounts. It has no kernel names, nothing
// that changes by use, and no secrets. A value that is its kind's zero is the
// usual one and is not written.
type Layout struct {
	Format     string             `toml:"format"`
	Disk       map[ID]*Disk       `toml:"disk"`
	Partition  map[ID]*Partition  `toml:"partition"`
	RAID       map[ID]*RAID       `toml:"raid"`
	LUKS       map[ID]*LUKS       `toml:"luks"`
	PV         map[ID]*PV         `toml:"pv"`
	VG         map[ID]*VG         `toml:"vg"`
	LV         map[ID]*LV         `toml:"lv"`
	FileSystem map[ID]*FileSystem `toml:"filesystem"`
	Swap       map[ID]*Swap       `toml:"swap"`
	Mount      map[ID]*Mount      `toml:"mount"`
	Unknown    map[ID]*Unknown    `toml:"unsupported"`
}

// Write writes the layout as TOML: kinds and keys in the order of their
// definition, nodes by ID, one fact a line, nothing that is zero. Equal layouts
// give equal bytes.
func (l *Layout) Write(w io.Writer) error { return page.Write(w, l) }

// Read reads a layout. An unknown key is an error with its line, and so is
// another major format.
func Read(text []byte) (*Layout, error) {
	l, err := page.Read[Layout](text, Format)
	if err != nil {
		return nil, err
	}
	return l, l.check()
}

// Mount is a file system in its place. Its ID is the path.
type Mount struct {
	On        Ref    `toml:"on"`
	Subvolume string `toml:"subvolume"`
	Options   string `toml:"options"`
}
