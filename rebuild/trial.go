package rebuild

import (
	"errors"
	"os"
	"path/filepath"

	"rootwc/probes"
)

// scratch does something with a device that is a file without blocks. Some
// tools have rules that differ between their releases: what one will do shows
// only when it is tried. The file takes what the tool writes there.
func (m made) scratch(size uint64, f func(try made) error) error {
	dir, err := os.MkdirTemp("", "rootwc-trial-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m.work, m.devices = dir, []string{filepath.Join(dir, "device")}
	if err := os.WriteFile(m.devices[0], nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(m.devices[0], int64(size)); err != nil {
		return err
	}
	return f(m)
}

func (m made) do(actions []Action) error {
	var p Performer
	for _, a := range actions {
		if err := p.Do(m.ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// trial is the file system that actions make.
func (m made) trial(size uint64, actions func(try made) []Action) (fs *probes.FileSystem, err error) {
	err = m.scratch(size, func(try made) error {
		if err := try.do(actions(try)); err != nil {
			return err
		}
		f, err := os.Open(try.devices[0])
		if err != nil {
			return err
		}
		defer f.Close()
		_, node, err := probes.Identify(m.ctx, f)
		if err != nil {
			return err
		}
		var ok bool
		if fs, ok = node.(*probes.FileSystem); !ok {
			return errors.New("the trial of it made nothing")
		}
		return nil
	})
	return fs, err
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
