// Package system loads, checks and writes the description .rootwc/system.toml.
//
// The description says how a machine looks beyond what Subversion itself
// holds: its name and distribution, the package manager, how secrets are
// treated, which changes are no news or are committed by themselves, which
// directories are datasets, what may have another size on other disks. It comes
// from a repository and is data: nothing in it is run, no path in it leads
// outside the root. What [Load] returns has passed [Description.Check].
//
// The package touches no file; callers open and replace them.
package system

import (
	"fmt"
	"strconv"
	"strings"
)

// Path is where a root keeps its description, relative to the root.
const Path = ".rootwc/system.toml"

// FormatVersion is the newest format (semver) that this package knows and the
// one it writes. A file of the same major version can be read, except for keys
// that a newer minor version has added.
const FormatVersion = "1.0.0"

// Description is the whole page. The zero Description is not valid, since it
// has no format; [New] makes one that is.
type Description struct {
	Format   string    `toml:"format"` // semver
	System   System    `toml:"system"`
	Packages Packages  `toml:"packages"`
	Secrets  Secrets   `toml:"secrets"`
	Hooks    Hooks     `toml:"hooks"`
	Noise    []Noise   `toml:"noise"`
	Commit   Commit    `toml:"commit"`
	Datasets []Dataset `toml:"dataset"`
	Rebuild  []Node    `toml:"rebuild"`
}

// System names the machine and its distribution. Each may be empty.
type System struct {
	Hostname string `toml:"hostname"`
	OS       string `toml:"os"`      // ID of os-release(5): "debian"
	Release  string `toml:"release"` // VERSION_ID of os-release(5): "12"
}

// Packages says how software gets onto the machine.
type Packages struct {
	Manager string `toml:"manager"` // the program: "apt"; empty when there is none
	Dirty   Dirty  `toml:"dirty"`   // empty is [CommitDirty]
}

// Dirty is what the hooks of a package manager do about changes that nobody has
// committed yet.
type Dirty string

// What is done about them.
const (
	CommitDirty Dirty = "commit" // they are committed before packages change
	RefuseDirty Dirty = "refuse" // packages are not changed until somebody commits
)

// Policy is what happens to content that others may not read on the machine.
type Policy string

// The policies for secrets.
const (
	Withhold Policy = "withhold" // it stays out of the repository; the default
	Encrypt  Policy = "encrypt"  // it is committed encrypted, to the recipients
	Clear    Policy = "clear"    // it is committed as it is
)

// Secrets is the policy for secrets.
type Secrets struct {
	Policy     Policy   `toml:"policy"`
	Recipients []string `toml:"recipients"` // public keys of age or SSH, for Encrypt
}

// Hooks is how the administrator's own programs are run.
type Hooks struct {
	Timeout int `toml:"timeout"` // seconds that each may take; 0 for 60
}

// Noise are changes of content that are no news. See package noise for what
// its patterns mean.
type Noise struct {
	Path     string   `toml:"path"`     // pattern of paths relative to the root
	Lines    []string `toml:"lines"`    // regular expressions (RE2); a line that one of them matches does not count; none for every change
	Revert   bool     `toml:"revert"`   // what such lines alone explain is put back
	Defaults *bool    `toml:"defaults"` // false: rootwc's own rules do not speak for these paths; nil otherwise

	Line int `toml:"-"` // of the file, from 1; 0 for one that was not loaded
}

// Commit says what is committed without a person.
type Commit struct {
	Auto []string `toml:"auto"` // patterns of paths, as in [Noise]
}

// DatasetType is ddm's idea of how a dataset's directory and its repository
// relate.
type DatasetType string

// The dataset types.
const (
	Blob      DatasetType = "blob"
	Buffer    DatasetType = "buffer"
	Cache     DatasetType = "cache"
	Copy      DatasetType = "copy"
	Direct    DatasetType = "direct"
	Extension DatasetType = "extension"
	Selection DatasetType = "selection"
)

// DatasetTypes lists the dataset types, sorted.
var DatasetTypes = []DatasetType{Blob, Buffer, Cache, Copy, Direct, Extension, Selection}

// Dataset is a directory that a transfer tool fills, never svn.
type Dataset struct {
	Path       string      `toml:"path"` // relative to the root
	Type       DatasetType `toml:"type"`
	Repository string      `toml:"repository"` // driver and address: "vfs:/net/server/audio"; see [Dataset.Source]
	Include    []string    `toml:"include"`    // of a selection: patterns relative to the repository; empty for everything
	Exclude    []string    `toml:"exclude"`    // patterns of what is never transferred
	Newest     int         `toml:"newest"`     // of a selection: only so many files, the newest; 0 for all
	Budget     Amount      `toml:"budget"`     // of a selection: no more than that, the newest first; empty for no bound
	Limit      Amount      `toml:"limit"`      // of the transfer, in a second; empty for none
}

// NodeSize is what happens to the size of something when the machine's storage
// is set up again and there is more room than it had.
type NodeSize string

// The sizes. Of the partitions of a disk, or the volumes of a group, one may
// grow, or any number may share.
const (
	KeepSize  NodeSize = "keep"  // it stays as it was
	GrowSize  NodeSize = "grow"  // it takes all that is left
	ShareSize NodeSize = "share" // it divides what is left with the others that share
)

// NodeSizes lists the sizes, sorted.
var NodeSizes = []NodeSize{GrowSize, KeepSize, ShareSize}

// Node is something of the machine's storage that may have another size on
// other disks.
type Node struct {
	Node    string   `toml:"node"` // as the layout names it: "lv.vg0/home", "partition.<PARTUUID>"
	Size    NodeSize `toml:"size"`
	Minimum Amount   `toml:"minimum"` // how small it may become on smaller disks; empty is never smaller than it was
}

// Amount is a number of bytes, or one of KiB, MiB, GiB or TiB: "10 GiB". In the
// file, one of bytes may stand without quotes.
type Amount string

// UnmarshalText takes either as it stands in the file.
func (a *Amount) UnmarshalText(text []byte) error {
	*a = Amount(text)
	return nil
}

// Bytes is the number of bytes, zero for the empty Amount. There are no errors
// in a checked description.
func (a Amount) Bytes() (uint64, error) {
	if a == "" {
		return 0, nil
	}
	number, unit, _ := strings.Cut(string(a), " ")
	shift := map[string]int{"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
	n, err := strconv.ParseUint(number, 10, 63)
	by, known := shift[unit]
	if err != nil || !known || strings.HasSuffix(string(a), " ") || n > 1<<62>>by {
		return 0, fmt.Errorf("%.60q is no size; write bytes, or a whole number of KiB, MiB, GiB or TiB, as \"10 GiB\"", string(a))
	}
	return n << by, nil
}

// New returns the description of a machine without noise and datasets, in the
// current format, with secrets withheld. osID and release are ID and
// VERSION_ID of os-release(5), manager the package manager; each may be empty.
func New(hostname, osID, release, manager string) *Description {
	return &Description{
		Format:   FormatVersion,
		System:   System{Hostname: hostname, OS: osID, Release: release},
		Packages: Packages{Manager: manager},
		Secrets:  Secrets{Policy: Withhold},
	}
}
