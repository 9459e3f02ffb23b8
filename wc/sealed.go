package wc

import (
	"slices"
	"strings"

	"rootwc/secrets"
	"rootwc/wc/metadata"
)

// Where the description says so, withheld files are sealed: encrypted for its
// recipients into [secrets.Dir] of the machine's own working copy, those of a
// home that is a working copy of its own as well. One place and one description
// then say who can read what; the home may be shared with machines that have
// other readers. The list of withheld files names what is sealed with the
// metadata, so that a status needs no identity: the machine has none.

// seals says whether content that would be withheld is sealed.
func (t *Tree) seals() bool { return t.Withhold && len(t.Recipients) > 0 }

// clearNote is of a versioned file that should be sealed.
const clearNote = "in clear in the repository"

// inClear judges a versioned file that the description wants to be sealed: its
// content goes out of the working copy's record with the next commit.
func (d *dirScan) inClear(e *Entry) {
	if !d.tree.seals() || e.Kind != metadata.File || e.Status != Normal && e.Status != Modified || !d.tree.withholds(&e.live.values) {
		return
	}
	if top := e.node.top(); top.fileExt || top.opDepth > 0 {
		return
	}
	e.Status, e.Withheld, e.Encrypted = Modified, true, true
	e.Note = clearNote
}

// waits says whether the repository has a sealed content for path that has
// never been on this machine.
func (w *withheld) waits(path string) bool {
	f, a := w.files[path], w.acks[path]
	return f != nil && f.Sealed != "" && a != nil && !a.Forgotten && a.Sealed != f.Sealed
}

// absent says whether a sealed file that is not here was never restored.
func (w *withheld) absent(path string) bool {
	return w.waits(path) || w.files[path] != nil && w.files[path].Sealed != "" && w.acks[path] == nil
}

// unlike is what stands between a file and the policy, "" for nothing.
func (w *withheld) unlike(t *Tree, path string) string {
	f := w.files[path]
	switch {
	case w.waits(path):
		return "other content in the repository"
	case !t.Withhold:
		return "to be sent in clear"
	case t.seals() && f.Sealed == "":
		if _, err := secrets.SealedPath(path); err != nil {
			return "" // nor will it be
		}
		return "not encrypted yet"
	case !t.seals() && f.Sealed != "":
		return "still encrypted in the repository"
	case t.seals() && !slices.Equal(f.For, t.Recipients.Fingerprints()):
		return "encrypted for other recipients"
	}
	return ""
}

// isSealed says whether rel, in the root's own working copy, is one of the
// directories and files that rootwc makes for sealed content.
func isSealed(rel string) bool {
	return rel == secrets.Dir || strings.HasPrefix(rel, secrets.Dir+"/")
}
