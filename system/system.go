// Package system loads, checks and writes the description .rootwc/system.toml.
//
// The description says how a machine looks beyond what Subversion itself
// holds: its name and distribution, the package manager, how secrets are
// treated, which changes are no news, which directories are datasets. It comes
// from a repository and is data: nothing in it is run, no path in it leads
// outside the root. What [Load] returns has passed [Description.Check].
//
// The package touches no file; callers open and replace them.
package system

import (
	"fmt"
	"regexp"
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
	Noise    []Noise   `toml:"noise"`
	Datasets []Dataset `toml:"dataset"`
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
}

// Policy is what happens to content that others may not read on the machine.
type Policy string

// The policies for secrets. Code that cannot encrypt yet must refuse Encrypt,
// never fall back to Clear.
const (
	Withhold Policy = "withhold" // it stays out of the repository; the default
	Encrypt  Policy = "encrypt"  // it is committed encrypted, to the recipients
	Clear    Policy = "clear"    // it is committed as it is
)

// Secrets is the policy for secrets.
type Secrets struct {
	Policy     Policy   `toml:"policy"`
	Recipients []string `toml:"recipients"` // age public keys, for Encrypt
}

// Noise are changes of one file that are no news.
type Noise struct {
	Path  string   `toml:"path"`  // relative to the root
	Lines []string `toml:"lines"` // regular expressions (RE2); a line that one of them matches does not count
}

// Compile returns the expressions of n.Lines. There are no errors in a checked
// description.
func (n Noise) Compile() ([]*regexp.Regexp, error) {
	patterns := make([]*regexp.Regexp, len(n.Lines))
	for i, line := range n.Lines {
		var err error
		if patterns[i], err = regexp.Compile(line); err != nil {
			return nil, fmt.Errorf("line pattern %q: %w", line, err)
		}
	}
	return patterns, nil
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
	Repository string      `toml:"repository"` // in the driver's own form: "vfs:/net/server/audio"
	Include    []string    `toml:"include"`    // patterns relative to the repository; empty for everything
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
