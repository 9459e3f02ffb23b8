package wc

import (
	"crypto/sha1"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rootwc/noise"
	"rootwc/wc/index"
	"rootwc/wc/metadata"
)

// Noise is a change of a file's content that rules call no news. The path
// counts as clean then, and so it stands in the index, with a flag of its own:
// it is judged again only when the file, what is recorded of it, or the rules
// have changed.

// news says whether content that differs from the recorded one is to be told.
func (d *dirScan) news(e *Entry, want metadata.Kind, props map[string]string, known *index.Entry) bool {
	if !d.notAcknowledged(e) {
		return false
	}
	if e.Withheld {
		if d.withheld.quiet(d.tree, e) {
			known.Flags |= index.Noise
		}
		return !e.quiet
	}
	if want != metadata.File {
		return true
	}
	rules := d.tree.Noise.Of(e.Path)
	if len(rules) == 0 {
		return true
	}
	if k, same := d.known(e.node.name, &e.live); same && k.Has(index.Noise) && d.index.valid && !d.index.doubted[d.rel] && !d.opt.Noise {
		e.quiet = true
	} else {
		proven := true
		e.Noise = rules.Judge(func() (base, live []byte, ok bool) {
			base, live, ok, proven = d.texts(e, props, known.Stat)
			return base, live, ok
		})
		if !proven {
			known.Flags |= index.Racy
		}
		e.quiet = e.Noise.Quiet()
	}
	if e.quiet {
		known.Flags |= index.Noise
	}
	return !e.quiet
}

// texts are the recorded and the live text of a file, in normal form; not ok
// where they are too large to compare, or cannot be read. proven says that the
// live one is of the file with that stat.
func (d *dirScan) texts(e *Entry, props map[string]string, want index.Stat) (base, live []byte, ok, proven bool) {
	top := e.node.top()
	base, ok = recordedText(pristinePath(e.copy.dir, top.checksum), top.checksum)
	if !ok {
		return nil, nil, false, true
	}
	fd, err := unix.Openat(d.fd, e.node.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, false, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil, false, false
	}
	live, ok = bounded(rawFile(fd))
	ok = ok && unix.Fstat(fd, &st) == nil
	return base, normalForm(live, props["svn:eol-style"], props["svn:keywords"]), ok, statOf(&st) == want
}

// recordedText reads a pristine text, of whose checksum it makes sure: a person
// can put anything into the books of a working copy of theirs.
func recordedText(name string, sum sha1Sum) ([]byte, bool) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	text, ok := bounded(f)
	return text, ok && sha1.Sum(text) == sum
}

// bounded reads a text that is not too large to be compared.
func bounded(r io.Reader) ([]byte, bool) {
	text, err := io.ReadAll(io.LimitReader(r, noise.MaxText+1))
	return text, err == nil && len(text) <= noise.MaxText
}

// Quiet says that content differs from what is recorded and is no news; the
// status of the entry is that of the rest.
func (e *Entry) Quiet() bool { return e.quiet }

// loud makes an ordinary change of what is no news, for those who act on it.
// It stays quiet, but for a withheld file: there is no recorded text to act with.
func (e *Entry) loud() {
	if e.quiet && e.Status == Normal {
		e.Status, e.quiet = Modified, !e.Withheld
	}
}
