package wc

import (
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc/metadata"
)

// unsafeName says why no path of a repository may be called so.
func unsafeName(rel string) string {
	for _, name := range strings.Split(rel, "/") {
		if strings.EqualFold(name, AdminDir) || name == ".." || name == "." {
			return "a name that only Subversion's own directory may have"
		}
	}
	return ""
}

// inTheWay says why the live path must not be touched: a mount point, an
// immutable or append-only file, or a symlink where a directory must be.
func (p *planner) inTheWay(rel string, l *live) string {
	if point, crosses := p.tree.Mounts.Crosses(p.path, joinPath(p.path, rel)); crosses {
		return "below the mount point " + point
	}
	for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
		why, known := p.blocked[dir]
		if !known {
			if info, err := p.live.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 && !p.making[dir] {
				why = "below " + dir + ", a symlink where the repository has a directory"
			}
			p.blocked[dir] = why
		}
		if why != "" {
			return why
		}
	}
	if !l.exists {
		return ""
	}
	var stx unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, filepath.Join(p.tree.abs(p.path), rel), unix.AT_SYMLINK_NOFOLLOW, 0, &stx) != nil {
		return ""
	}
	switch {
	case stx.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return "immutable (chattr +i)"
	case stx.Attributes&unix.STATX_ATTR_APPEND != 0:
		return "append-only (chattr +a)"
	case stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 && rel != "":
		return "a mount point"
	}
	return ""
}

// beyond says whether something that is no directory stands above rel, such as
// a symlink: what is reached through it is not rel.
func (p *planner) beyond(rel string) bool {
	dir := parentOf(rel)
	if dir == "" {
		return false
	}
	is, known := p.isBeyond[dir]
	if !known {
		info, err := p.live.Lstat(dir)
		is = err == nil && !info.IsDir() || p.beyond(dir)
		if p.isBeyond != nil {
			p.isBeyond[dir] = is
		}
	}
	return is
}

// mayReplace says whether a live path of another kind may be taken away: the
// repository had just that there and nobody has changed it, or the
// repository's version wins anyway and the live one is kept aside.
func (p *planner) mayReplace(rel string, was *state, l *live) bool {
	if p.takeAll {
		if l.values.Kind == metadata.File || l.values.Kind == metadata.Symlink || l.values.Kind == metadata.Fifo {
			p.replaced = append(p.replaced, rel)
			return true
		}
		return l.values.Kind == metadata.Dir && p.empty(rel)
	}
	e := p.local[rel]
	return was != nil && was.kind == l.values.Kind && (e == nil || e.Status == Normal || e.quiet)
}

// empty says whether a live directory holds nothing.
func (p *planner) empty(rel string) bool {
	d, err := openDir(p.live, rel)
	if err != nil {
		return false
	}
	defer d.Close()
	_, err = d.Readdirnames(1)
	return err == io.EOF
}
