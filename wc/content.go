package wc

import (
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
		return d.notAcknowledged(e)
	}
	k, same := d.known(e.node.name, &e.live)
	var sum sha1Sum
	if same && raw && k.Has(index.Summed|index.Raw) {
		sum = k.Sum()
	} else {
		var err error
		if sum, err = e.copy.sum(e.rel, want, props); err != nil {
			d.warn("cannot compare %s: %v", e.Path, cause(err))
			return false
		}
	}
	if known.Sum = sum; raw {
		known.Flags |= index.Raw
	}
	known.Flags |= index.Summed
	return sum != top.checksum && d.notAcknowledged(e)
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

// sum is the checksum of a live file's or symlink's normal form.
func (c *Copy) sum(rel string, kind metadata.Kind, props map[string]string) (sha1Sum, error) {
	if kind == metadata.Symlink {
		t, err := c.fs.Readlink(rel)
		if err != nil {
			return sha1Sum{}, err
		}
		return linkSum(t), nil
	}
	f, err := c.openFile(rel)
	if err != nil {
		return sha1Sum{}, err
	}
	defer f.Close()
	return fileSum(f, props)
}
