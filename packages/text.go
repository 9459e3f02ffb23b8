package packages

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"rootwc/internal/page"
)

// Format is the version of the text of an [Installed].
const Format = "1.0.0"

// record is the text: a package a line, so that a review of one that is added,
// gone or newer is a review of that line.
type record struct {
	Format        string                 `toml:"format"`
	OS            string                 `toml:"os"`
	Release       string                 `toml:"release"`
	Codename      string                 `toml:"codename"`
	Manager       string                 `toml:"manager"`
	Architectures []string               `toml:"architectures"`
	Held          []string               `toml:"held"`
	Enabled       []string               `toml:"enabled"`
	Masked        []string               `toml:"masked"`
	Repository    map[string]*Repository `toml:"repository"`
	Keys          map[string]string      `toml:"keys"`
	Flatpak       map[string]string      `toml:"flatpak"`
	Snap          map[string]string      `toml:"snap"`
	// Versions by [Package.Key]; more than one, of a kernel, with blanks between.
	Wanted      map[string]string            `toml:"wanted"`
	Recommended map[string]string            `toml:"recommended"`
	PulledIn    map[string]string            `toml:"pulled-in"`
	Conffiles   map[string]map[string]string `toml:"conffiles"`
}

// Write writes the canonical text: equal machines give equal bytes.
func (in *Installed) Write(w io.Writer) error {
	r := record{
		Format: Format, OS: in.OS, Release: in.Release, Codename: in.Codename, Manager: in.Manager, Architectures: in.Architectures,
		Enabled: in.Enabled, Masked: in.Masked, Repository: in.Repositories, Keys: in.Keys,
		Flatpak: in.Flatpak, Snap: in.Snap,
		Wanted: map[string]string{}, Recommended: map[string]string{}, PulledIn: map[string]string{},
		Conffiles: map[string]map[string]string{},
	}
	for _, p := range in.Packages {
		key := p.Key()
		versions := r.PulledIn
		switch {
		case p.Wanted:
			versions = r.Wanted
		case p.Recommended:
			versions = r.Recommended
		}
		versions[key] = strings.TrimLeft(versions[key]+" "+p.Version, " ")
		if p.Held && !slices.Contains(r.Held, key) {
			r.Held = append(r.Held, key)
		}
		if len(p.Conffiles) > 0 {
			r.Conffiles[key] = p.Conffiles
		}
	}
	return page.Write(w, &r)
}

// Text is what [Installed.Write] writes.
func (in *Installed) Text() ([]byte, error) {
	var b bytes.Buffer
	err := in.Write(&b)
	return b.Bytes(), err
}

// Parse reads a text. It comes from a repository: what no package manager could
// have said is an error. A package that is of the machine's own architecture has
// none here.
func Parse(text []byte) (*Installed, error) {
	r, err := page.Read[record](text, Format)
	if err != nil {
		return nil, err
	}
	in := &Installed{
		OS: r.OS, Release: r.Release, Codename: r.Codename, Manager: r.Manager, Architectures: r.Architectures, Enabled: r.Enabled, Masked: r.Masked,
		Repositories: r.Repository, Keys: r.Keys, Flatpak: r.Flatpak, Snap: r.Snap,
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	for i, versions := range r.versions() {
		for key, list := range versions {
			for _, version := range strings.Fields(list) {
				p := &Package{Version: version, Wanted: i == 0, Recommended: i == 1, Held: slices.Contains(r.Held, key), Conffiles: r.Conffiles[key]}
				p.Name, p.Architecture, p.Foreign = strings.Cut(key, ":")
				in.Packages = append(in.Packages, p)
			}
		}
	}
	in.sort()
	return in, nil
}

func (r *record) versions() []map[string]string {
	return []map[string]string{r.Wanted, r.Recommended, r.PulledIn}
}

// check takes only names that can do no harm as arguments of a program.
func (r *record) check() error {
	if !slices.Contains([]string{Apt, Dnf, Pacman}, r.Manager) {
		return fmt.Errorf("manager %.60q is not known", r.Manager)
	}
	for _, word := range []string{r.OS, r.Release, r.Codename} {
		if word != "" && !validName(word) {
			return fmt.Errorf("%.60q names no release of a system", word)
		}
	}
	names := slices.Concat(r.Architectures, r.Held, slices.Sorted(maps.Keys(r.Conffiles)))
	for _, versions := range r.versions() {
		names = slices.AppendSeq(names, maps.Keys(versions))
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		if !validKey(name) {
			return fmt.Errorf("%.60q is no name of a package", name)
		}
	}
	for _, versions := range r.versions() {
		for _, key := range slices.Sorted(maps.Keys(versions)) {
			list := strings.Fields(versions[key])
			if len(list) == 0 || slices.ContainsFunc(list, func(v string) bool { return !validVersion(v) }) {
				return fmt.Errorf("package %s: %.60q is no version", key, versions[key])
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Conffiles)) {
		for name, digest := range r.Conffiles[key] {
			if !validPath(name) || !validDigest(digest) {
				return fmt.Errorf("package %s: configuration file %.60q with digest %.80q", key, name, digest)
			}
		}
	}
	for ref := range r.Flatpak {
		if !validRef(ref) || !validName(r.Flatpak[ref]) {
			return fmt.Errorf("flatpak %.60q of remote %.60q", ref, r.Flatpak[ref])
		}
	}
	for name, revision := range r.Snap {
		if !validName(name) || !validName(revision) {
			return fmt.Errorf("snap %.60q of revision %.60q", name, revision)
		}
	}
	return nil
}
