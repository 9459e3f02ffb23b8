// Package packages reads which software is installed below a root, and plans
// how to install it again.
//
// Reading starts nothing where the database's format is documented (dpkg and
// apt, pacman), needs no privileges, and leaves the database as it is. What it
// finds is an [Installed], which has one canonical text.
package packages

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"rootwc/internal/osrelease"
	"slices"
	"strings"
)

// ErrNone is the error of a root without the database of any package manager
// that is known here.
var ErrNone = errors.New("there is no package database (of dpkg, pacman or rpm)")

// The package managers: the programs that install.
const (
	Apt    = "apt"
	Dnf    = "dnf"
	Pacman = "pacman"
)

// Installed is what is installed below a root.
type Installed struct {
	// OS, Release and Codename are ID, VERSION_ID and VERSION_CODENAME of
	// os-release(5): "debian", "12", "bookworm". Each may be empty.
	OS, Release, Codename string

	Manager string // [Apt], [Dnf] or [Pacman]
	// Architectures are the machine's own first, then the foreign ones that
	// dpkg --add-architecture has added.
	Architectures []string
	Packages      []*Package // by [Package.Key], then version

	// Repositories are where the packages come from, by "URI SUITE" (apt) or by
	// name. A user name or password in a URI is left out, and of a file that others
	// may not read there is only the name.
	Repositories map[string]*Repository
	// Keys are the digests, "sha256:…", of the files whose keys are trusted.
	Keys map[string]string
	// Enabled and Masked are the systemd units that start by links in
	// /etc/systemd/system, and those that cannot start.
	Enabled, Masked []string
	// Flatpak are the names of remotes by the ref of an application that is
	// installed for all users, "app/org.gimp.GIMP/x86_64/stable".
	Flatpak map[string]string
	// Snap are the revisions of snaps by name.
	Snap map[string]string

	// Findings are what is odd, a sentence each; they are not in the text.
	Findings []string
}

// Repository is a place that packages come from.
type Repository struct {
	Files      []string `toml:"files"`      // that name it
	URIs       []string `toml:"uris"`       // where its name does not say
	Types      []string `toml:"types"`      // "deb", "deb-src"
	Components []string `toml:"components"` // "main", "contrib"
	SignedBy   []string `toml:"signed-by"`  // key files by their paths below the root, or fingerprints
	Unsigned   bool     `toml:"unsigned"`   // nobody checks where its packages come from
}

// Package is an installed package.
type Package struct {
	Name         string
	Architecture string // "amd64", "all"; as the package manager has it
	Version      string // whole: with epoch and release where there are any
	Foreign      bool   // of another architecture than the machine
	// Wanted is a package that somebody asked for. A library that others depend
	// on is none, though installers mark all that they install so: nobody asks
	// for one by itself, and the next release has another in its place.
	Wanted bool
	// Recommended is a package that nobody asked for, and that no other depends
	// on: it came as a recommendation, or stayed from an earlier version.
	Recommended bool
	Held        bool // kept from upgrades: apt-mark hold
	Broken      bool // an interrupted run has left it half installed or unconfigured
	marked      bool // the mark itself, of apt-mark manual
	library     bool // by its section or name
	// Conffiles are the configuration files of the package, by their paths below
	// the root without a leading slash, with the digest of the text that this
	// version of the package ships: "md5:" and 32 hexadecimal digits, or
	// "sha256:" and 64. Where a package's file is diverted, the path is the one
	// it really has. Obsolete ones, which this version ships no longer, are not
	// among them.
	Conffiles map[string]string
}

// Key is the name that the package manager takes: with the architecture where
// that is a foreign one, "libc6:i386".
func (p *Package) Key() string {
	if p.Foreign {
		return p.Name + ":" + p.Architecture
	}
	return p.Name
}

// Owner is the package that has a path, relative to the root, among its
// configuration files; nil for none. Where packages of several architectures
// share it, the machine's own comes first.
func (in *Installed) Owner(path string) *Package {
	var owner *Package
	for _, p := range in.Packages {
		if _, owns := p.Conffiles[path]; owns && (owner == nil || owner.Foreign && !p.Foreign) {
			owner = p
		}
	}
	return owner
}

// Get are the packages with a [Package.Key]: several versions only of what rpm
// installs beside itself, kernels.
func (in *Installed) Get(key string) []*Package {
	at, _ := slices.BinarySearchFunc(in.Packages, key, func(p *Package, key string) int { return strings.Compare(p.Key(), key) })
	end := at
	for end < len(in.Packages) && in.Packages[end].Key() == key {
		end++
	}
	return in.Packages[at:end]
}

// Unsigned are the repositories whose packages nobody's signature vouches for.
func (in *Installed) Unsigned() []string {
	var ids []string
	for id, r := range in.Repositories {
		if r.Unsigned {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// release takes the fields of os-release that are words.
func (in *Installed) release(fields map[string]string) {
	for name, word := range map[string]*string{"ID": &in.OS, "VERSION_ID": &in.Release, "VERSION_CODENAME": &in.Codename} {
		if validName(fields[name]) {
			*word = fields[name]
		}
	}
}

func (in *Installed) sort() {
	slices.SortFunc(in.Packages, func(a, b *Package) int {
		return cmp.Or(strings.Compare(a.Key(), b.Key()), strings.Compare(a.Version, b.Version))
	})
}

// managers read databases. The first one that holds a package counts: a Debian
// may have the program rpm without being made with it.
var managers = []struct {
	packages     func(context.Context, *os.Root) (*Installed, error)
	repositories func(*Installed, *os.Root) error
}{
	{readDpkg, readAptSources},
	{readPacman, readPacmanConf},
	{readRPM, readDnfRepositories},
}

// Read reads what is installed below a root; [ErrNone] where nothing is.
func Read(ctx context.Context, root *os.Root) (*Installed, error) {
	for _, m := range managers {
		in, err := m.packages(ctx, root)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(in.Packages) == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		in.sort()
		in.release(osrelease.Read(root.ReadFile))
		return in, errors.Join(m.repositories(in, root), readUnits(in, root), readFlatpaks(in, root), readSnaps(in, root))
	}
	return nil, ErrNone
}
