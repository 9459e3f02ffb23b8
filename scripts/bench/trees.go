package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	seed        = 20261123
	perDir      = 9        // files of a directory
	fanOut      = 6        // directories in a directory
	bytesAFile  = 36 << 10 // all copies of a file in a scene, with repositories
	inodesAFile = 6
)

// forest is a tree of small files like /etc, a home or sources: 9 files a
// directory, nested six wide. The same number gives the same tree.
type forest struct {
	dirs  []string // the first is "", a directory comes after the one it is in
	files []string
}

func newForest(files int) *forest {
	f := &forest{dirs: []string{""}}
	for len(f.dirs)*perDir < files {
		n := len(f.dirs)
		f.dirs = append(f.dirs, path.Join(f.dirs[(n-1)/fanOut], fmt.Sprintf("%s-%d", vocabulary[n%len(vocabulary)], n)))
	}
	for i := range files {
		name := fmt.Sprintf("%s_%d.%s", vocabulary[i*7%len(vocabulary)], i, endings[i%len(endings)])
		f.files = append(f.files, path.Join(f.dirs[i/perDir], name))
	}
	return f
}

// write makes the tree in dir, which may exist.
func (f *forest) write(ctx context.Context, dir string) error {
	for _, d := range f.dirs {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(seed, uint64(len(f.files))))
	for _, name := range f.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text(random, size(random)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// size is small for most files: 2 KiB in the mean, 48 KiB at most.
func size(random *rand.Rand) int {
	switch n := random.IntN(100); {
	case n < 60:
		return 64 + random.IntN(1<<10)
	case n < 90:
		return 1<<10 + random.IntN(3<<10)
	case n < 99:
		return 4<<10 + random.IntN(8<<10)
	}
	return 12<<10 + random.IntN(36<<10)
}

// text is n bytes of words in lines.
func text(random *rand.Rand, n int) []byte {
	out := make([]byte, 0, n+16)
	for len(out) < n {
		out = append(out, vocabulary[random.IntN(len(vocabulary))]...)
		if random.IntN(8) == 0 {
			out = append(out, '\n')
		} else {
			out = append(out, ' ')
		}
	}
	return append(out[:n-1], '\n')
}

// touch gives every file a new time and leaves its content alone.
func (f *forest) touch(dir string) error {
	now := unix.NsecToTimespec(time.Now().UnixNano())
	for _, name := range f.files {
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, name), []unix.Timespec{now, now}, 0); err != nil {
			return &os.PathError{Op: "touch", Path: name, Err: err}
		}
	}
	return nil
}

// edit adds a line to n files all over the tree.
func (f *forest) edit(dir string, n, round int) error {
	for i := range n {
		name := f.files[(i*len(f.files)/n+round)%len(f.files)]
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(file, "edited in round %d\n", round)
		if cerr := file.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// room says whether the file system of dir takes trees of so many files.
func room(dir string, files int) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("cannot make trees in %s: %w", dir, err)
	}
	if need, free := uint64(files)*bytesAFile, st.Bavail*uint64(st.Bsize); need > free {
		return fmt.Errorf("cannot make trees in %s: %d MiB are needed, %d are free; name another directory with -dir", dir, need>>20, free>>20)
	}
	if need := uint64(files) * inodesAFile; st.Files > 0 && need > st.Ffree {
		return fmt.Errorf("cannot make trees in %s: %d inodes are needed, %d are free; name another directory with -dir", dir, need, st.Ffree)
	}
	return nil
}

var endings = []string{"conf", "txt", "go", "md", "h", "list", "service"}

var vocabulary = []string{
	"server", "listen", "address", "option", "default", "allow", "user", "group", "path", "include", "module", "return", "error",
	"value", "network", "interface", "timeout", "cache", "directory", "enable", "log", "level", "rotate", "weekly", "mount",
	"device", "locale", "message", "system", "kernel", "package", "source", "release", "main", "security", "update", "mirror",
	"certificate", "key", "private", "public", "host", "domain", "search", "nameserver", "route", "gateway", "static", "dynamic",
}
