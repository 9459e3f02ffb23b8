package wc

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"os"

	"rootwc/wc/index"
)

// carried lets an index hold on over a commit of rootwc's own, in which only
// what concerns a few directories has changed: a note of a few lines beside
// the index, which the next status takes into it.
type carried struct {
	From, To [32]byte        // keys of the database: of the index, and after the commits since
	Doubted  map[string]bool // directories that these commits have touched
	Summary  json.RawMessage
}

// fewLearned is up to how many directories a status before a commit looks at
// anew without writing down what it found: the next one has them to look at
// anyway.
const fewLearned = 256

const carriedSuffix = ".carried"

// holds says for which directories an index needs to be proven anew: none or
// those of the note; nil when the index does not hold at all.
func (c *Copy) holds(x *index.Index) map[string]bool {
	switch {
	case x == nil || c.key == nil:
		return nil
	case x.Keys.Database == *c.key:
		return map[string]bool{}
	case c.carried != nil && c.carried.From == x.Keys.Database && c.carried.To == *c.key:
		return c.carried.Doubted
	}
	return nil
}

// indexedSummary is what the index tells of the working copy, nil when it does
// not hold.
func (c *Copy) indexedSummary() []byte {
	x := c.lastIndex()
	switch doubted := c.holds(x); {
	case doubted == nil:
		return nil
	case x.Keys.Database == *c.key:
		return x.Summary
	}
	return c.carried.Summary
}

// carryIndex notes that the index of the database before a commit of these
// paths holds on. Failing to is no error: the next status takes longer.
func (c *Copy) carryIndex(doubted map[string]bool, externals *externalsSummary, rels []string) {
	x := c.lastIndex()
	if x == nil || doubted == nil || c.key == nil || externals == nil {
		return
	}
	c.summary.Externals = externals
	note := &carried{From: x.Keys.Database, To: *c.key, Doubted: map[string]bool{}}
	for rel := range doubted {
		note.Doubted[rel] = true
	}
	for _, rel := range rels {
		note.Doubted[rel], note.Doubted[parentOf(rel)] = true, true
	}
	var err error
	if note.Summary, err = json.Marshal(c.summary); err != nil {
		return
	}
	text, err := json.Marshal(note)
	if err != nil {
		return
	}
	if c.writeState(c.indexName()+carriedSuffix, bytes.NewReader(text)) == nil {
		c.carried = note
	}
}

// readCarried is nil when there is no note, or none that makes sense.
func (c *Copy) readCarried() *carried {
	dir, err := c.tree.State.indexes(false)
	if err != nil {
		return nil
	}
	defer dir.Close()
	f, err := openRegular(dir, c.indexName()+carriedSuffix)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	note := &carried{}
	if err != nil || json.Unmarshal(text, note) != nil || note.Doubted == nil {
		return nil
	}
	return note
}

// writeState writes a file beside the old one in the directory of the indexes
// and renames it. It needs no sync: a torn one is told by its sum, or by being
// no JSON.
func (c *Copy) writeState(name string, content io.WriterTo) error {
	dir, err := c.tree.State.indexes(true)
	if err != nil {
		return err
	}
	defer dir.Close()
	fresh := newIndex + rand.Text()
	out, err := dir.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = content.WriteTo(out)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = dir.Rename(fresh, name)
	}
	if err != nil {
		_ = dir.Remove(fresh)
	}
	return err
}
