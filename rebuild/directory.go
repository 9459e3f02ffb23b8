package rebuild

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"rootwc/probes"
)

// places are the directories that the kernel's own file systems and the first
// programs need before anything can make them. On the running machine they are
// mount points or for everybody, so they come from no working copy.
var places = []struct {
	name string
	mode fs.FileMode
}{
	{"dev", 0o755}, {"proc", 0o755}, {"run", 0o755}, {"sys", 0o755}, {"tmp", 0o777 | fs.ModeSticky},
}

// directories adds the step that makes a root a place to start from.
func (p *planner) directories() {
	if ref := probes.Ref("mount./"); p.Layout.Mount["/"] == nil || p.without[ref] {
		return
	}
	s := Step{Title: "directories of the system at " + p.Root, Why: "the system mounts over them before it can make them"}
	for _, place := range places {
		s.Make = append(s.Make, Action{
			Words: fmt.Sprintf("make %s/%s, unless it is there", p.Root, place.name),
			Do:    func() error { return makePlace(p.Root, place.name, place.mode) },
		})
	}
	p.add(s, nil)
}

// makePlace makes a directory, which gets its name when it has its mode: the
// next run makes only what is missing. A link that the machine has in its place
// stays.
func makePlace(dir, name string, mode fs.FileMode) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	const fresh = ".rootwc-new"
	if err := root.Mkdir(fresh, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := root.Chmod(fresh, mode); err != nil {
		return err
	}
	return root.Rename(fresh, name)
}
