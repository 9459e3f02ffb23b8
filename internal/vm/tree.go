package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// tree is the content of an initramfs while it is put together: absolute
// paths, and what is there.
type tree map[string]node

type node struct {
	mode    uint32 // type and permissions
	content []byte // of a file, or the target of a link
}

// file adds a file that this machine does not have, or not like this.
func (t tree) file(path string, mode uint32, content []byte) {
	t.directories(path)
	t[path] = node{typeFile | mode, content}
}

// link adds a symbolic link.
func (t tree) link(path, target string) {
	t.directories(path)
	t[path] = node{typeLink | 0o777, []byte(target)}
}

// directories adds those above a path.
func (t tree) directories(path string) {
	for dir := filepath.Dir(path); dir != "/"; dir = filepath.Dir(dir) {
		if _, ok := t[dir]; !ok {
			t[dir] = node{typeDir | 0o755, nil}
		}
	}
}

// host copies a path of this machine: links as they are, all along the path,
// and then the file behind them with everything it needs. A directory is
// copied without what is in it.
func (t tree) host(path string) error {
	for range 64 {
		at, link, err := firstLink(path)
		if err != nil {
			return err
		}
		if link == "" {
			return t.hostFile(path)
		}
		t.link(at, link)
		rest := strings.TrimPrefix(path, at)
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(at), link)
		}
		path = filepath.Join(link, rest)
	}
	return fmt.Errorf("%s: too many links", path)
}

// firstLink returns the first part of a path that is a symbolic link, and its
// target; "" when none is.
func firstLink(path string) (at, target string, err error) {
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		info, err := os.Lstat(path[:i])
		if err != nil {
			return "", "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path[:i])
			return path[:i], target, err
		}
	}
	return "", "", nil
}

func (t tree) hostFile(path string) error {
	if _, ok := t[path]; ok {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		t.directories(path + "/.")
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	t.file(path, uint32(info.Mode().Perm()), content)
	needed, err := needs(path, content)
	if err != nil {
		return err
	}
	for _, n := range needed {
		if err := t.host(n); err != nil {
			return fmt.Errorf("%s needs %w", path, err)
		}
	}
	return nil
}

// hostTree copies everything below a directory of this machine but what leave
// tells to leave out.
func (t tree) hostTree(dir string, leave func(path string) bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case leave != nil && leave(path):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0:
			if _, err := os.Stat(path); err != nil {
				return nil // a link to nowhere
			}
			return t.host(path)
		}
		return nil
	})
}

// digest is the same for equal trees.
func (t tree) digest() string {
	hash := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(hash, "%q %o %d\n", path, t[path].mode, len(t[path].content))
		hash.Write(t[path].content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// write packs the tree as an initramfs.
func (t tree) write(w io.Writer) error {
	archive := newCPIO(w)
	// In the order of bytes a directory comes before what is in it.
	for _, path := range slices.Sorted(maps.Keys(t)) {
		if err := archive.add(strings.TrimPrefix(path, "/"), t[path].mode, t[path].content); err != nil {
			return err
		}
	}
	return archive.close()
}
