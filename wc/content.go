package wc

import "rootwc/wc/metadata"

// contentChanged says whether the content on disk is not the recorded one.
// Size and time settle most; see normal.go for the rest.
func (d *dirScan) contentChanged(e *Entry, want metadata.Kind, props map[string]string) bool {
	top := e.node.top()
	if want == metadata.Fifo {
		return false
	}
	if !top.hasChecksum {
		return true
	}
	st := &e.live.st
	mtime := st.Mtim.Sec*1e6 + st.Mtim.Nsec/1000
	if top.size == st.Size && top.mtime == mtime && top.mtime != 0 {
		return false
	}
	translated := props["svn:eol-style"] != "" || props["svn:keywords"] != ""
	changed := want == metadata.File && !translated && top.size >= 0 && top.size != st.Size
	if !changed {
		sum, err := e.copy.sum(e.rel, want, props)
		if err != nil {
			d.warn("cannot compare %s: %v", e.Path, cause(err))
			return false
		}
		changed = sum != top.checksum
	}
	if changed && d.tree.withholds(&e.live.values) {
		e.Withheld = true
		return !d.withheld.acknowledged(e)
	}
	return changed
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
