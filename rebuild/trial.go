package rebuild

import (
	"fmt"
	"os"
	"path/filepath"

	"rootwc/probes"
)

// trial makes a file system on a file without blocks and reads it: some tools
// reckon by rules that differ between their releases, and take no size of a
// table or number of segments. The file takes what the tool writes there.
func (m made) trial(size uint64, make func(device string) []Action) (*probes.FileSystem, error) {
	dir, err := os.MkdirTemp("", "rootwc-trial-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "device")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(path, int64(size)); err != nil {
		return nil, err
	}
	var p Performer
	for _, a := range make(path) {
		if err := p.Do(m.ctx, a); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, node, err := probes.Identify(m.ctx, f)
	if err != nil {
		return nil, err
	}
	fs, ok := node.(*probes.FileSystem)
	if !ok {
		return nil, fmt.Errorf("a trial made no file system")
	}
	return fs, nil
}

// changes are sentences on what will not be as it was.
func (m made) changes(want, got *probes.FileSystem) (notes []string) {
	layout := func(fs *probes.FileSystem) *probes.Layout {
		alone := *fs
		alone.On = nil
		return &probes.Layout{FileSystem: map[probes.ID]*probes.FileSystem{m.id: &alone}}
	}
	for _, c := range probes.Compare(layout(want), layout(got)) {
		notes = append(notes, c.Words)
	}
	return notes
}
