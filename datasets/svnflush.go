package datasets

import (
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/internal/fault"
)

// createNew makes a file that must not be there, nor be a symlink.
const createNew = os.O_WRONLY | os.O_CREATE | os.O_EXCL | unix.O_NOFOLLOW

// flush sends a buffer's files as one revision, reads them back from the
// repository, and removes here those that came back byte for byte.
func (s *subversion) flush(ctx context.Context) error {
	revision, err := s.revision(ctx)
	if err != nil {
		return err
	}
	there, dirs, err := s.listAt(ctx, revision)
	if err != nil {
		return err
	}
	here, err := s.walk()
	if err != nil {
		return err
	}
	for _, p := range here.other {
		s.report.note("%s is no file: it stays here", p)
	}
	var names, send []string
	for _, p := range here.paths() {
		_, in := there[p]
		switch {
		case here.listing[p].Kind != 'f':
			s.report.note("%s is a symlink: a buffer of svn keeps it here", p)
			continue
		case strings.ContainsAny(p, "\n\r"):
			s.report.add('!', []string{p}, "svn cannot store its name")
			continue
		case !in:
			send = append(send, p)
		}
		names = append(names, p)
	}
	if s.DryRun {
		s.report.add('>', names, "")
		return nil
	}
	fault.At("dataset-listed")
	if err := s.put(ctx, send, dirs, revision); err != nil {
		return err
	}
	fault.At("dataset-sent")
	proven, err := s.readBack(ctx, names)
	if err != nil {
		return err
	}
	fault.At("dataset-proven")
	s.tellUnproven(names, proven, nil, "")
	gone, err := s.remove(only(names, proven), here)
	s.report.add('>', gone, "")
	if err == nil {
		err = s.removeEmpty(here.dirs)
	}
	if err != nil {
		return err
	}
	return s.recount()
}

// revision is the repository's youngest.
func (s *subversion) revision(ctx context.Context) (string, error) {
	out, err := s.svn(ctx, "info", "--show-item", "revision", "--", s.url+"@")
	return strings.TrimSpace(string(out)), err
}

// put sends files that are not in the repository at a revision: svnmucc fails
// as a whole when somebody else has put one there since.
func (s *subversion) put(ctx context.Context, names []string, dirs map[string]bool, revision string) error {
	if len(names) == 0 {
		return nil
	}
	var args []string
	for _, p := range names {
		var dirsAbove []string
		for dir := path.Dir(p); dir != "." && !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
			dirsAbove = append(dirsAbove, "mkdir", dir)
		}
		for i := len(dirsAbove) - 2; i >= 0; i -= 2 {
			args = append(args, dirsAbove[i:i+2]...)
		}
		args = append(args, "put", "./"+p, p)
	}
	list, err := s.writeList(args)
	if err != nil {
		return err
	}
	defer s.dir.Remove(list)
	_, err = s.run(ctx, nil, "svnmucc", "--message="+s.message(), "--revision", revision, "--root-url", s.url, "--extra-args", list)
	return err
}

// listAt is list at a revision, with the directories.
func (s *subversion) listAt(ctx context.Context, revision string) (files listing, dirs map[string]bool, err error) {
	out, err := s.svn(ctx, "list", "--xml", "--recursive", "--", s.url+"@"+revision)
	if err != nil {
		return nil, nil, err
	}
	var doc struct {
		Entries []listEntry `xml:"list>entry"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return nil, nil, fmt.Errorf("cannot read the output of svn list: %w", err)
	}
	files, dirs = listing{}, map[string]bool{}
	for _, e := range doc.Entries {
		switch {
		case slices.ContainsFunc(strings.Split(e.Name, "/"), owned):
		case e.Kind == "dir":
			dirs[e.Name] = true
		default:
			files[e.Name] = stamp{'f', e.Size, e.Date.Unix()}
		}
	}
	return files, dirs, nil
}

// readBack compares files with what the repository sends of them.
func (s *subversion) readBack(ctx context.Context, names []string) (proven map[string]bool, err error) {
	revision, err := s.revision(ctx)
	if err != nil {
		return nil, err
	}
	there, _, err := s.listAt(ctx, revision)
	if err != nil {
		return nil, err
	}
	proven = map[string]bool{}
	var check []sample
	for _, p := range names {
		sum, size, err := s.hash(p)
		if err != nil {
			continue // gone or closed meanwhile: not proven
		}
		if t, in := there[p]; in && t.Size == size {
			check = append(check, sample{p, size, sum})
		}
	}
	for batch := range slices.Chunk(check, batchSize) {
		args := []string{"cat", "--ignore-keywords", "--"}
		for _, c := range batch {
			args = append(args, s.url+"/"+escapeURL(c.name)+"@"+revision)
		}
		w := &comparer{left: batch, proven: proven}
		if _, err := s.run(ctx, w, "svn", args...); err != nil && ctx.Err() != nil {
			return nil, err
		}
		w.finish()
	}
	return proven, nil
}

// hash reads a file here.
func (s *subversion) hash(rel string) (sum [sha256.Size]byte, size int64, err error) {
	f, err := s.dir.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return sum, 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return sum, 0, os.ErrInvalid
	}
	h := sha256.New()
	size, err = io.Copy(h, f)
	return [sha256.Size]byte(h.Sum(nil)), size, err
}

// sample is what a file has to be.
type sample struct {
	name string
	size int64
	sum  [sha256.Size]byte
}

// comparer takes the contents of several files as svn cat writes them, one
// behind the other. Once one does not come, nothing after it fits.
type comparer struct {
	left   []sample
	got    int64
	sum    hash.Hash
	proven map[string]bool
}

func (c *comparer) Write(p []byte) (int, error) {
	for all := p; ; {
		c.finish()
		if len(c.left) == 0 || len(all) == 0 {
			return len(p), nil
		}
		n := min(int64(len(all)), c.left[0].size-c.got)
		c.sum.Write(all[:n])
		c.got += n
		all = all[n:]
	}
}

// finish judges the files that are complete.
func (c *comparer) finish() {
	for len(c.left) > 0 {
		if c.sum == nil {
			c.sum = sha256.New()
		}
		want := c.left[0]
		if c.got < want.size {
			return
		}
		if [sha256.Size]byte(c.sum.Sum(nil)) == want.sum {
			c.proven[want.name] = true
		}
		c.left, c.got, c.sum = c.left[1:], 0, nil
	}
}

// escapeURL writes a path for a URL; svn takes an at sign for a peg revision.
func escapeURL(p string) string {
	var b strings.Builder
	for _, c := range []byte(p) {
		switch {
		case c == '/' || c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			b.WriteByte(c)
		default:
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
		}
	}
	return b.String()
}
