package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/probes"
	"rootwc/rebuild"
	"rootwc/system"
	"rootwc/wc"
)

// recordedMachine are the texts of a machine's probes, and where its repository
// is when that is on this machine.
type recordedMachine struct {
	probes.Recorded
	texts       map[string][]byte
	description *system.Description // nil for none
	repository  string
}

// readMachine reads the texts of a machine from where the caller says.
func (a *app) readMachine(from, revision string) (*recordedMachine, error) {
	dir, repository, err := a.texts(from, revision)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	m := &recordedMachine{repository: repository}
	if m.Recorded, err = probes.ReadRecorded(root.FS()); err != nil {
		return nil, err
	}
	if m.Layout == nil {
		return nil, wc.Hint(fmt.Errorf("%s has no storage.toml", cmp.Or(from, dir)), "rootwc probe writes one on the machine, rootwc commit sends it")
	}
	if m.texts, err = m.Texts(root.FS()); err != nil {
		return nil, err
	}
	above, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return nil, err
	}
	defer above.Close()
	page := filepath.Base(wc.DescriptionPath)
	text, err := above.ReadFile(page)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		m.description, err = system.Load(bytes.NewReader(text), page)
	}
	return m, err
}

// sizes are the rules for other disks: those of the description, and before
// them those of the command line.
func (m *recordedMachine) sizes(options []string) (rebuild.Sizes, error) {
	var nodes []system.Node
	if m.description != nil {
		nodes = m.description.Rebuild
	}
	for _, o := range options {
		node, rule, _ := strings.Cut(o, "=")
		size, minimum, _ := strings.Cut(rule, ",")
		nodes = append(nodes, system.Node{Node: node, Size: system.NodeSize(size), Minimum: system.Amount(minimum)})
	}
	sizes := rebuild.Sizes{}
	for _, n := range nodes {
		least, err := n.Minimum.Bytes()
		if err != nil {
			return nil, fmt.Errorf("size of %s: minimum %w", n.Node, err)
		}
		if !slices.Contains(system.NodeSizes, n.Size) {
			return nil, fmt.Errorf("size of %s: %q is not known; write grow, keep or share", n.Node, n.Size)
		}
		sizes[probes.Ref(n.Node)] = rebuild.Rule{Policy: rebuild.Policy(n.Size), Minimum: least}
	}
	return sizes, nil
}

// texts is a directory with the texts of a machine's probes, and the path of
// the repository when that is on this machine.
func (a *app) texts(from, revision string) (dir, repository string, err error) {
	switch {
	case from == "":
		return filepath.Join(a.global.Root, probes.Dir), "", nil
	case !strings.Contains(from, "://"):
		if _, err := os.Stat(filepath.Join(from, probes.Dir)); err == nil {
			from = filepath.Join(from, probes.Dir)
		}
		return from, "", nil
	}
	if u, err := url.Parse(from); err == nil && u.Scheme == "file" {
		repository = existing(u.Path)
	}
	if err := os.MkdirAll(workDir, 0o700); err != nil {
		return "", "", err
	}
	t, err := a.openRoot() // for its svn client
	if err != nil {
		return "", "", err
	}
	defer t.Close()
	above := filepath.Join(workDir, filepath.Dir(probes.Dir))
	if err := os.RemoveAll(above); err != nil {
		return "", "", err
	}
	place := strings.TrimSuffix(from, "/") + "/" + filepath.Dir(probes.Dir)
	_, err = t.Client.Run(a.ctx, wc.Call{Args: []string{"export", "--quiet", "--ignore-externals", "--revision", cmp.Or(revision, "HEAD"), "--", place + "@", above}})
	return filepath.Join(workDir, probes.Dir), repository, err
}

// existing is the part of a path that is there: the rest of a URL is inside
// of the repository.
func existing(path string) string {
	for path != "/" && path != "." {
		if _, err := os.Stat(path); err == nil {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}
