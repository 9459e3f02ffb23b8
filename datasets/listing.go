package datasets

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/system"
)

// stamp is what tells two states of a file apart without reading it: what
// rsync's quick check compares.
type stamp struct {
	Kind byte  `json:"kind"` // 'f' file, 'L' symlink, as rsync has them
	Size int64 `json:"size"`
	Time int64 `json:"time"` // of the last modification, in seconds since 1970
}

func (s stamp) same(t stamp) bool { return s == t }

// listing are the files and symlinks of one side, by path.
type listing map[string]stamp

// paths are sorted.
func (l listing) paths() []string {
	list := make([]string, 0, len(l))
	for p := range l {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func (l listing) bytes() (n int64) {
	for _, s := range l {
		n += s.Size
	}
	return n
}

// identity is one state of one file on this machine. The kernel changes ctime
// with every change of content or metadata, and nobody can set it.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func identityOf(info fs.FileInfo) identity {
	st, ok := info.Sys().(*unixStat)
	if !ok {
		return identity{}
	}
	return identity{uint64(st.Dev), st.Ino, st.Size, unix.Timespec(st.Mtim), unix.Timespec(st.Ctim)}
}

// found is what a walk over the dataset met.
type found struct {
	listing
	identities map[string]identity
	other      []string // fifos, sockets and devices: not transferred
	dirs       []string // parents first
}

// walk lists the dataset's directory. It follows no symlink.
func (j *job) walk() (*found, error) {
	f := &found{listing: listing{}, identities: map[string]identity{}}
	return f, walkDir(j.dir, "", func(rel string, info fs.FileInfo) error {
		if j.excluded(rel) || rel == j.administration() {
			return fs.SkipDir
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			f.dirs = append(f.dirs, rel)
		case mode.IsRegular():
			f.listing[rel] = stamp{'f', info.Size(), info.ModTime().Unix()}
			f.identities[rel] = identityOf(info)
		case mode&fs.ModeSymlink != 0:
			f.listing[rel] = stamp{'L', info.Size(), info.ModTime().Unix()}
			f.identities[rel] = identityOf(info)
		default:
			f.other = append(f.other, rel)
		}
		return nil
	})
}

// administration is the directory in which the repository's program keeps its
// records, "" for none.
func (j *job) administration() string {
	driver, _ := j.Source()
	return map[system.Driver]string{system.SVN: ".svn", system.Annex: ".git"}[driver]
}

// walkDir visits everything below dir but what is owned, sorted; what is below
// a directory only if visit does not say fs.SkipDir.
func walkDir(root *os.Root, dir string, visit func(rel string, info fs.FileInfo) error) error {
	d, err := root.OpenFile(orDot(dir), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	entries, err := d.ReadDir(-1)
	d.Close()
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if owned(e.Name()) {
			continue
		}
		rel := path.Join(dir, e.Name())
		info, err := root.Lstat(rel)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err == nil {
			err = visit(rel, info)
		}
		if errors.Is(err, fs.SkipDir) {
			continue
		}
		if err == nil && info.IsDir() {
			err = walkDir(root, rel, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func orDot(rel string) string {
	if rel == "" {
		return "."
	}
	return rel
}
