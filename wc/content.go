package wc

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"rootwc/wc/index"
	"rootwc/wc/metadata"
)

// contentChanged says whether the content on disk is not the recorded one. The
// size and time that svn has recorded do not settle it: they can be put back.
// What the index has proven with the ctime of now does.
func (d *dirScan) contentChanged(e *Entry, want metadata.Kind, props map[string]string, known *index.Entry) bool {
	top := e.node.top()
	if want == metadata.Fifo {
		return false
	}
	if !top.hasChecksum {
		return true
	}
	raw := want == metadata.Symlink || props["svn:eol-style"] == "" && props["svn:keywords"] == ""
	if changed := want == metadata.File && raw && top.size >= 0 && top.size != e.live.st.Size; changed {
		return d.news(e, want, props, known)
	}
	if k, same := d.known(e.node.name, &e.live); same && raw && k.Has(index.Summed|index.Raw) {
		known.Sum = k.Sum()
	} else {
		sum, proven, err := d.sum(e.node.name, want, props, known.Stat)
		if err != nil {
			d.warn("cannot compare %s: %v", e.Path, cause(err))
			return false
		}
		if known.Sum = sum; !proven {
			known.Flags |= index.Racy
		}
	}
	if raw {
		known.Flags |= index.Raw
	}
	known.Flags |= index.Summed
	return known.Sum != top.checksum && d.news(e, want, props, known)
}

// notAcknowledged says whether content that changed is news: of a file whose
// content is withheld, a commit may have seen it.
func (d *dirScan) notAcknowledged(e *Entry) bool {
	if !d.tree.withholds(&e.live.values) {
		return true
	}
	e.Withheld = true
	return !d.withheld.acknowledged(e)
}

// sum is the checksum of the normal form of a file or symlink in the directory,
// and whether it is proven to be of the content with that stat: the very file
// was open, and is as it was.
func (d *dirScan) sum(name string, kind metadata.Kind, props map[string]string, want index.Stat) (sum sha1Sum, proven bool, err error) {
	var st unix.Stat_t
	if kind == metadata.Symlink {
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(d.fd, name, target)
		if err != nil {
			return sum, false, err
		}
		err = unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		return linkSum(string(target[:n])), err == nil && statOf(&st) == want, nil
	}
	// a fifo in its place must not hang rootwc
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return sum, false, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return sum, false, errNotRegular
	}
	if sum, err = normalSum(rawFile(fd), st.Size, props); err != nil {
		return sum, false, err
	}
	err = unix.Fstat(fd, &st)
	return sum, err == nil && statOf(&st) == want, nil
}

// rawFile reads a descriptor without what [os.File] does for files that may
// block; a status may have many thousands to read.
type rawFile int

func (f rawFile) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
