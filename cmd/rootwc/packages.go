package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"rootwc/packages"
	"rootwc/probes"
	"rootwc/wc"
)

type packagesCmd struct {
	List    packagesListCmd    `cmd:"" default:"withargs" help:"List what somebody wanted installed."`
	Check   packagesCheckCmd   `cmd:"" help:"Compare what is installed with what was recorded; exit with 1 when something is more or gone."`
	Install packagesInstallCmd `cmd:"" help:"Install what was recorded and is missing. This runs what packages bring, as root."`
}

type packagesListCmd struct {
	All  bool `help:"What was pulled in as well."`
	JSON bool `name:"json" help:"Answer in JSON."`
}

// Run lists packages with their versions.
func (c *packagesListCmd) Run(a *app) error {
	p, err := a.openPackages()
	if err != nil {
		return fmt.Errorf("cannot list packages: %w", err)
	}
	defer p.close()
	docs := []packageDoc{}
	for _, one := range p.now.Packages {
		if !c.All && !one.Wanted {
			continue
		}
		docs = append(docs, packageDoc{one.Name, one.Architecture, one.Version, one.Wanted, one.Recommended, one.Held})
		if !c.JSON {
			fmt.Fprintf(a.out, "%s %s%s\n", one.Key(), one.Version, packageWords(one))
		}
	}
	if c.JSON {
		return a.json(packagesDoc{jsonFormat, p.tree.Root, p.now.Manager, docs})
	}
	return nil
}

// packageWords are what is special about a package.
func packageWords(p *packages.Package) string {
	words := ""
	switch {
	case p.Recommended:
		words = "  recommended"
	case !p.Wanted:
		words = "  pulled in"
	}
	if p.Held {
		words += "  held"
	}
	return words
}

// The JSON of packages.
type (
	packagesDoc struct {
		Format   string       `json:"format"`
		Root     string       `json:"root"`
		Manager  string       `json:"manager"`
		Packages []packageDoc `json:"packages"`
	}
	packageDoc struct {
		Name         string `json:"name"`
		Architecture string `json:"architecture"`
		Version      string `json:"version"`
		Wanted       bool   `json:"wanted"`
		Recommended  bool   `json:"recommended,omitempty"`
		Held         bool   `json:"held,omitempty"`
	}
)

type packagesCheckCmd struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

// Run prints a line for each package that is more, gone or otherwise.
func (c *packagesCheckCmd) Run(a *app) error {
	p, err := a.openPackages()
	if err == nil {
		defer p.close()
		err = p.readRecorded()
	}
	if err != nil {
		return fmt.Errorf("cannot check packages: %w", err)
	}
	d := packages.Compare(p.recorded, p.now)
	if c.JSON {
		err = a.json(differenceDoc{jsonFormat, p.tree.Root, d.More, d.Gone, d.Marked, d.Held, d.Released, d.Foreign, d.Keys, d.Flatpak, d.Snap, d.Versions, d.PulledIn})
	} else {
		a.tellDifference(p, d)
	}
	if err == nil && d.News() != "" {
		return errDifferences
	}
	return err
}

// differenceDoc is the JSON of a comparison; names are as the package manager
// takes them.
type differenceDoc struct {
	Format        string   `json:"format"`
	Root          string   `json:"root"`
	More          []string `json:"more,omitempty"`
	Gone          []string `json:"gone,omitempty"`
	Marked        []string `json:"marked,omitempty"`
	Held          []string `json:"held,omitempty"`
	Released      []string `json:"released,omitempty"`
	Architectures []string `json:"architectures,omitempty"`
	Keys          []string `json:"keys,omitempty"`
	Flatpak       []string `json:"flatpak,omitempty"`
	Snap          []string `json:"snap,omitempty"`
	Versions      []string `json:"versions,omitempty"`
	PulledIn      []string `json:"pulledIn,omitempty"`
}

func (a *app) tellDifference(p *openedPackages, d *packages.Difference) {
	for _, section := range []struct {
		letter byte
		words  string
		names  []string
	}{
		{'A', "", d.More}, {'D', "", d.Gone}, {'M', "marked otherwise", d.Marked}, {'M', "held", d.Held}, {'M', "held no longer", d.Released},
		{'M', "architecture", d.Foreign}, {'M', "key file", d.Keys}, {'M', "flatpak", d.Flatpak}, {'M', "snap", d.Snap},
	} {
		for _, name := range section.names {
			a.line(section.letter, name, section.words)
		}
	}
	for _, key := range d.Versions {
		a.line('M', key, versions(p.recorded, key)+" -> "+versions(p.now, key))
	}
	for _, finding := range p.now.Findings {
		a.warn("%s", finding)
	}
}

func versions(in *packages.Installed, key string) string {
	var all []string
	for _, p := range in.Get(key) {
		all = append(all, p.Version)
	}
	return strings.Join(all, " ")
}

// openedPackages is what is installed below a root, beside what was recorded.
type openedPackages struct {
	tree          *wc.Tree
	root          *os.Root
	recorded, now *packages.Installed
	own           bool // the tree is closed with it
}

func (a *app) openPackages() (*openedPackages, error) {
	t, err := a.openRoot()
	if err != nil {
		return nil, err
	}
	p, err := a.packagesOf(t)
	if err != nil {
		t.Close()
		return nil, err
	}
	p.own = true
	return p, nil
}

func (a *app) packagesOf(t *wc.Tree) (*openedPackages, error) {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	p := &openedPackages{tree: t, root: root}
	if err := p.read(a); err != nil {
		root.Close()
		return nil, err
	}
	return p, nil
}

func (p *openedPackages) read(a *app) (err error) {
	p.now, err = packages.Read(a.ctx, p.root)
	return err
}

func (p *openedPackages) readRecorded() error {
	name := path.Join(probes.Dir, probes.PackagesName+".toml")
	text, err := p.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return wc.Hint(fmt.Errorf("%s is not there", name), "rootwc probe packages writes it on the machine, rootwc commit sends it")
	}
	if err == nil {
		p.recorded, err = packages.Parse(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (p *openedPackages) close() {
	p.root.Close()
	if p.own {
		p.tree.Close()
	}
}
