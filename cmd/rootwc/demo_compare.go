package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/wc"
	"rootwc/wc/metadata"
)

// compare is the proof: every entry is what it was.
func (d *demo) compare(before, after map[string]string, outside map[string]string) error {
	compared, differences := 0, 0
	reasons := map[string]int{}
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, path := range slices.Sorted(maps.Keys(names)) {
		if why := outsideOf(outside, path); why != "" {
			reasons[why]++
			continue
		}
		compared++
		if before[path] != after[path] {
			differences++
			d.say("different: %s\n  before %s\n  after  %s", safe(path), before[path], after[path])
		}
	}
	d.say("Compared with the listing from before the loss (kind, content, owner, group,\nmode, ACLs, attributes, link targets):\n\n  %d entries compared, %d differences", compared, differences)
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		d.say("  %d not compared: %s", reasons[why], why)
	}
	if differences > 0 {
		return fmt.Errorf("%d entries did not come back as they were", differences)
	}
	return nil
}

// outside lists what the repository does not hold, and why.
func (d *demo) outside() (map[string]string, error) {
	t, err := wc.Open(d.root)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	t.Warn = d.warn
	if _, err := t.Attach(""); err != nil {
		return nil, err
	}
	entries, err := t.Status(d.ctx, wc.StatusOptions{NoIgnore: true})
	if err != nil {
		return nil, err
	}
	outside := map[string]string{}
	for _, e := range entries {
		if e.Status == wc.Ignored || e.Status == wc.Unversioned || e.Status == wc.Unstorable {
			outside[e.Path] = string(e.Status) + ", so not versioned"
		}
	}
	withheld, err := t.Withheld()
	for path := range withheld {
		outside[path] = "withheld, so to be supplied from elsewhere"
	}
	return outside, err
}

// outsideOf tells why a path, or a directory above it, is not versioned.
func outsideOf(outside map[string]string, path string) string {
	for ; path != "."; path = filepath.Dir(path) {
		if why := outside[path]; why != "" {
			return why
		}
	}
	return ""
}

// listing describes what is below the versioned directories, one text for each
// path. It asks the kernel directly, and so is independent of what rootwc
// itself believes. Times are left out.
func (d *demo) listing() (map[string]string, error) {
	all := map[string]string{}
	for _, top := range []string{"etc", ".rootwc"} {
		err := filepath.WalkDir(filepath.Join(d.root, top), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(d.root, path)
			if err == nil {
				all[rel], err = fingerprint(path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fingerprint writes kind, mode, owner, content and attributes of one entry.
func fingerprint(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	text := fmt.Sprintf("%06o %d:%d", st.Mode, st.Uid, st.Gid)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		return text + " -> " + target, err
	case unix.S_IFREG:
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return "", err
		}
		text += fmt.Sprintf(" sha256 %x", sum.Sum(nil))
	}
	names := make([]byte, 64<<10) // XATTR_LIST_MAX
	n, err := unix.Llistxattr(path, names)
	if err != nil && !errors.Is(err, unix.ENOTSUP) {
		return "", &os.PathError{Op: "llistxattr", Path: path, Err: err}
	}
	list := strings.FieldsFunc(string(names[:max(n, 0)]), func(r rune) bool { return r == 0 })
	slices.Sort(list)
	for _, name := range list {
		if !metadata.Versioned(name) && !strings.HasPrefix(name, "system.posix_acl_") {
			continue // belongs to the machine: see the metadata package
		}
		value := make([]byte, 64<<10) // XATTR_SIZE_MAX
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", &os.PathError{Op: "lgetxattr", Path: path, Err: err}
		}
		text += fmt.Sprintf(" %q=%x", name, value[:n])
	}
	return text, nil
}
