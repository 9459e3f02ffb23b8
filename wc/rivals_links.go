package wc

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"rootwc/wc/metadata"
)

// Leads follows a symlink of the repository through the tree as it will be, the
// paths without left out: to where it leads, or to the first path that is not
// there. Other working copies, that come later, are taken as they are.
func (r *Rivals) Leads(link string, without map[string]bool) (path string, there bool) {
	p := r.plan
	return leads(link, func(path string) (target string, is bool, err error) {
		if without[path] {
			return "", false, fs.ErrNotExist
		}
		if p.path == "" || strings.HasPrefix(path, p.path+"/") {
			if s := stateOf(p.new, r.rel(path)); s != nil {
				if s.kind != metadata.Symlink {
					return "", false, nil
				}
				err := as(p.stage.user, func() error { target, err = p.stage.root.Readlink(r.rel(path)); return err })
				return target, true, err
			}
		}
		return r.tree.link(path)
	})
}

// link is the target of what may be a symlink.
func (t *Tree) link(path string) (target string, is bool, err error) {
	info, err := t.fs.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return "", false, err
	}
	target, err = t.fs.Readlink(path)
	return target, true, err
}

// leads follows a symlink by what target says of each path on the way; no path
// it is asked for has a symlink but as its last name.
func leads(link string, target func(path string) (to string, is bool, err error)) (path string, there bool) {
	dir, name := splitPath(link)
	at, rest := dir, []string{name}
	for hops := 0; len(rest) > 0; {
		name, rest = rest[0], rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = parentOf(at)
			continue
		}
		next := joinPath(at, name)
		to, is, err := target(next)
		if err != nil {
			return joinPath(next, strings.Join(rest, "/")), false
		}
		if !is {
			at = next
			continue
		}
		if hops++; hops > 40 { // as the kernel counts, path_resolution(7)
			return next, false
		}
		if strings.HasPrefix(to, "/") {
			at = ""
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return at, true
}

// Regain brings back the symlinks that [Rivals] were decided not to come and that
// lead somewhere by now: packages have been installed since. The changes of the
// results are theirs.
func (w *Work) Regain(ctx context.Context) ([]*Result, error) {
	t := w.tree
	decided, err := t.State.Decided()
	if err != nil || len(decided) == 0 {
		return nil, err
	}
	var paths []string
	for path := range decided {
		to, dropped := t.dropped(path)
		if !dropped {
			continue
		}
		_, there := leads(path, func(at string) (string, bool, error) {
			if at == path {
				return to, true, nil
			}
			return t.link(at)
		})
		if there {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil, nil
	}
	return w.Revert(ctx, RevertOptions{Paths: paths})
}

// dropped is the target of a symlink that the next commit would delete.
func (t *Tree) dropped(path string) (target string, is bool) {
	c, rel := t.CopyOf(path)
	if c == nil {
		return "", false
	}
	s := stateOf(c.record(), rel)
	if s == nil || s.kind != metadata.Symlink || !s.n.scheduledDelete() {
		return "", false
	}
	text, err := os.ReadFile(pristinePath(c.dir, s.row.checksum))
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(text), "link ")
}
