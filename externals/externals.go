// Package externals reads, edits and plans svn:externals definitions.
//
// A definition says that a directory of another place in a repository belongs
// at a path below a versioned directory. [Parse] turns a property value into
// [Definitions], [Resolve] turns a definition into the URL it means, and
// [Plan] puts the definitions of a whole machine in the order in which they
// can be checked out. Nothing here touches a file, starts a program or asks a
// server.
//
// Three facts keep its users out of trouble:
//
//   - A repository is data that somebody else may have written. Targets that
//     would lead out of the directory or into a .svn area are refused with
//     [ErrUnsafeTarget], though a repository may hold them.
//   - One line that cannot be read does not spoil the others: Parse returns
//     an error for it together with every definition that can be used.
//   - Edits change one line. Comments, blank lines, order and spelling of all
//     other lines stay byte for byte, which Subversion's own
//     "svn copy --pin-externals" does not do.
//
// The syntax is that of Subversion 1.14, described in the book under
// "Externals Definitions"; where its parser accepts a line that its update
// can never bring up, Parse refuses the line and says why.
package externals

import (
	"path"
	"slices"
)

// Format tells the two orders in which a definition can be written.
type Format int

const (
	// New is "[-r REV] URL[@PEG] TARGET", known since Subversion 1.5.
	New Format = iota
	// Old is "TARGET [-r REV] URL". It has no peg revision of its own: the
	// revision is both peg and operative revision, and an "@" in the URL is
	// part of the name.
	Old
)

// Definition is one external: what is to be brought to which place.
// To compare two of them use [Definition.Equal]; == also compares the line
// they came from.
type Definition struct {
	// Dir is the versioned directory that carries the property, relative to
	// the working copy root, slash separated; empty is the root itself.
	Dir string
	// Target is the place of the external relative to Dir, slash separated
	// and clean: never empty, absolute, or with a "..", "." or ".svn" part.
	Target string
	// URL is the URL as the property spells it, without quotes and without
	// the peg revision. It may be relative; see [Resolve].
	URL string
	// Peg is the revision in which URL is looked up. In an old format
	// definition it equals Revision. Zero is HEAD.
	Peg Revision
	// Revision is the operative revision, whose content is wanted. Zero means
	// that none is written, and Peg holds for it too; see
	// [Definition.Revisions].
	Revision Revision
	// Line is the line number in the property, counted from 1; zero in a
	// definition that does not come from one.
	Line int
	// Format is the order the definition was written in.
	Format Format

	// text is the line as the property has it, without its line end; empty in
	// a definition that does not come from a property.
	text string
}

// Path returns the place of the external relative to the root of the working
// copy whose directory carries the property: Dir joined with Target.
func (d Definition) Path() string { return path.Join(d.Dir, d.Target) }

// Revisions returns the peg and the operative revision that Subversion uses,
// with a missing operative revision filled in from the peg.
func (d Definition) Revisions() (peg, operative Revision) {
	if d.Revision.IsHead() {
		return d.Peg, d.Peg
	}
	return d.Peg, d.Revision
}

// Equal reports whether d and e ask for the same thing at the same place.
// Line number, format and spelling of the line do not count; the URL counts
// as it is written, so "^/lib" and "^/lib/" differ.
func (d Definition) Equal(e Definition) bool {
	peg, operative := d.Revisions()
	otherPeg, otherOperative := e.Revisions()
	return d.Dir == e.Dir && d.Target == e.Target && d.URL == e.URL &&
		peg == otherPeg && operative == otherOperative
}

// Definitions is one svn:externals value: its definitions and, for printing,
// every other line. It is a value: editing methods return the changed copy
// and leave the receiver as it was. The zero value is an empty property of
// the working copy root.
type Definitions struct {
	dir   string
	defs  []Definition
	lines []line
}

// line is one line of the property value.
type line struct {
	raw    string // with its line end
	target string // empty: a comment, blank, or not understood
}

// Dir returns the directory that carries the property, relative to the
// working copy root; empty is the root itself.
func (d Definitions) Dir() string { return d.dir }

// All returns a copy of the definitions in the order of their lines.
func (d Definitions) All() []Definition { return slices.Clone(d.defs) }

// Lookup returns the definition for target, a path relative to the directory
// that carries the property, and whether there is one.
func (d Definitions) Lookup(target string) (Definition, bool) {
	target = path.Clean(target)
	i := slices.IndexFunc(d.defs, func(def Definition) bool { return def.Target == target })
	if i < 0 {
		return Definition{}, false
	}
	return d.defs[i], true
}
