package externals

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Add returns d with a line for def at the end, in new format whatever
// def.Format says. It refuses a target that is unsafe ([ErrUnsafeTarget]) or
// defined already ([ErrDuplicateTarget]), a URL that cannot work
// ([ErrBadURL]), and a def of another directory. Dir may be left empty.
func (d Definitions) Add(def Definition) (Definitions, error) {
	if def.Dir != "" && def.Dir != d.dir {
		return d, fmt.Errorf("cannot add external %q: it belongs to %q, not to %q", def.Target, def.Dir, d.dir)
	}
	target, problem := cleanTarget(def.Target)
	if problem == nil {
		problem = checkURL(def.URL)
	}
	if problem != nil {
		return d, fmt.Errorf("cannot add external %q: %w", def.Target, problem)
	}
	if slices.ContainsFunc(d.lines, func(l line) bool { return l.target == target }) {
		return d, fmt.Errorf("cannot add external %q: %w", def.Target, ErrDuplicateTarget)
	}
	def.Target, def.Dir, def.Format, def.text = target, d.dir, New, ""
	lines := slices.Clone(d.lines)
	if last := len(lines) - 1; last >= 0 && !strings.ContainsAny(lines[last].raw, "\r\n") {
		lines[last].raw += "\n"
	}
	return d.rebuild(append(lines, line{raw: def.formatNew() + "\n"}), def)
}

// Remove returns d without the definition for target, and without the refused
// duplicates of it. A comment above it stays. An unknown target is an
// [ErrNotDefined].
func (d Definitions) Remove(target string) (Definitions, error) {
	clean := path.Clean(target)
	lines := slices.DeleteFunc(slices.Clone(d.lines), func(l line) bool { return l.target == clean })
	if len(lines) == len(d.lines) {
		return d, fmt.Errorf("cannot remove external %q: %w", target, ErrNotDefined)
	}
	return d.rebuild(lines)
}

// Pin returns d with the definition for target bound to peg, a number or a
// date. It writes what "svn copy --pin-externals" writes: "URL TARGET"
// becomes "URL@PEG TARGET", "-rREV URL TARGET" becomes "-rREV URL@PEG
// TARGET" (and still means the content of REV), and "TARGET URL" becomes
// "TARGET -rPEG URL". Subversion leaves a definition alone that has a peg
// revision; Pin binds it to the new one and drops its -r. An unknown target
// is an [ErrNotDefined].
func (d Definitions) Pin(target string, peg Revision) (Definitions, error) {
	if peg.IsHead() {
		return d, fmt.Errorf("cannot pin external %q: HEAD is no fixed revision", target)
	}
	next, err := d.change(target, func(def *Definition) {
		if !def.Peg.IsHead() {
			def.Revision = Revision{}
		}
		def.Peg = peg
		if def.Format == Old {
			def.Revision = peg
		}
	})
	if err != nil {
		return d, fmt.Errorf("cannot pin external %q: %w", target, err)
	}
	return next, nil
}

// Unpin returns d with the definition for target following HEAD: without its
// peg and its operative revision. "TARGET -rN URL" with a relative URL turns
// into new format, the only one that can say it. An unknown target is an
// [ErrNotDefined].
func (d Definitions) Unpin(target string) (Definitions, error) {
	next, err := d.change(target, func(def *Definition) { def.Peg, def.Revision = Revision{}, Revision{} })
	if err != nil {
		return d, fmt.Errorf("cannot unpin external %q: %w", target, err)
	}
	return next, nil
}

// change rewrites the line of one definition, or leaves it alone when edit
// changes nothing.
func (d Definitions) change(target string, edit func(*Definition)) (Definitions, error) {
	def, found := d.Lookup(target)
	if !found {
		return d, ErrNotDefined
	}
	before := def
	edit(&def)
	if def == before {
		return d, nil
	}
	lines := slices.Clone(d.lines)
	_, end := cutLine(lines[def.Line-1].raw)
	lines[def.Line-1].raw = def.String() + end
	return d.rebuild(lines, def)
}

// rebuild reads the changed lines again, so that line numbers and texts are
// those of the new value. Lines that could not be read before stay as they
// are and were told by Parse; want are the definitions just written.
func (d Definitions) rebuild(lines []line, want ...Definition) (Definitions, error) {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.raw)
	}
	next, _ := Parse(d.dir, b.String())
	for _, def := range want {
		if got, found := next.Lookup(def.Target); !found || !got.Equal(def) {
			return d, fmt.Errorf("internal error: definition %q cannot be read back", def)
		}
	}
	return next, nil
}
