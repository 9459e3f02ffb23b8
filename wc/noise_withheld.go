package wc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"rootwc/noise"
)

// Of a withheld file nobody has the recorded text. What a commit has seen of it
// is a digest, and a second one of what the rules of noise leave of the text:
// while that one is the same, only lines have changed that do not count. Nothing
// can be put back, for want of the text.

// quietSum is the second digest of a live file whose content has the first one,
// for rules that look at lines; "" when there are none, or no lines, or the
// content is another by now. Other rules give another digest.
func (c *Copy) quietSum(rel, sum string) string {
	rules := c.tree.Noise.Of(c.path(rel))
	if !rules.ByLines() {
		return ""
	}
	f, err := c.openFile(rel)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, ok := bounded(f)
	if !ok {
		return ""
	}
	if now := sha256.Sum256(text); sum != "" && hex.EncodeToString(now[:]) != sum {
		return ""
	}
	rest, ok := rules.Rest(text)
	if !ok {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", rules.Lines())
	h.Write(rest)
	return hex.EncodeToString(h.Sum(nil))
}

// quiet says whether content that no commit has seen is no news.
func (w *withheld) quiet(t *Tree, e *Entry) bool {
	a := w.acks[e.Path]
	rules := t.Noise.Of(e.Path)
	if a == nil || a.SHA256 == "" || len(rules) == 0 {
		return false
	}
	if a.Quiet != "" && a.Quiet == e.copy.quietSum(e.rel, "") || rules.Whole() {
		e.quiet, e.Noise = true, noise.Verdict{Rules: rules}
	}
	return e.quiet
}
