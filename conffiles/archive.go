package conffiles

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// archives is where apt keeps the packages that it has installed.
const archives = "var/cache/apt/archives"

// manyArchives bounds how many versions of one package are looked into.
const manyArchives = 10

// FromArchives looks for a conffile's text in the archives of its package that
// apt has kept below root, read as a stream: nothing is unpacked. Nil when none
// has it.
func FromArchives(ctx context.Context, root *os.Root, pkg, conffile string, old []Digest) ([]byte, error) {
	if pkg == "" {
		return nil, nil
	}
	dir, err := root.Open(archives)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, pkg+"_") || path.Ext(n) != ".deb" })
	slices.Sort(names)
	for _, name := range names[max(0, len(names)-manyArchives):] {
		text, err := fromArchive(ctx, root, path.Join(archives, name), conffile)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && text != nil && anyMatches(old, text) { // a broken archive is none
			return text, nil
		}
	}
	return nil, nil
}

// fromArchive reads one file out of a Debian package: deb(5).
func fromArchive(ctx context.Context, root *os.Root, archive, conffile string) ([]byte, error) {
	deb, err := root.OpenFile(archive, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer deb.Close()
	ctx, enough := context.WithCancel(ctx)
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, err := run.Output(ctx, run.Command{Args: []string{"dpkg-deb", "--fsys-tarfile", "/dev/stdin"}, Stdin: deb, Stdout: w, Kill: true})
		w.CloseWithError(err)
	}()
	defer func() {
		enough()
		r.Close()
		<-ended
	}()
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if path.Clean(h.Name) == conffile && h.Typeflag == tar.TypeReg && h.Size <= MaxSize {
			return io.ReadAll(files)
		}
	}
}
