// Package conffiles brings a person's configuration files and a newer
// package's together. A file that a package ships and a person may edit, a
// conffile as dpkg calls it, has three versions when a newer package comes:
// the base, which an earlier version of the package shipped and the person
// began with; the person's own (mine); and what the newer package ships
// (theirs). [Judge] says which of them is right, or merges them.
//
// The package decides and reads; it changes no file of a machine. What is a
// conffile, and which texts were shipped, is what the package managers have
// recorded, on the machine now ([Machine.Now]) and in its repository before
// ([Machine.Before]). A [Sandbox] lets a program of the machine look at a merged
// text before that is placed.
package conffiles

import (
	"bytes"
	"context"
	"errors"
)

// Verdict is what becomes of a conffile.
type Verdict string

// The verdicts.
const (
	Same     Verdict = "same"     // both sides have one text
	Mine     Verdict = "mine"     // the package has nothing new: the person's text
	Theirs   Verdict = "theirs"   // the person has changed nothing: the package's text
	Merged   Verdict = "merged"   // both have changed it, in different places
	Conflict Verdict = "conflict" // a person has to decide
	Left     Verdict = "left"     // not enough is known of it: nothing is done
)

// Case is one conffile in its versions.
type Case struct {
	Path   string // relative to the machine's root
	Mine   []byte
	Theirs []byte
	// Old are the digests of what the package shipped before, as far as they are
	// known: the base has one of them.
	Old []Digest
	// Base looks for a text that has one of these digests, nil for none: an empty
	// text is one. It is asked only when both sides have changed.
	Base func(ctx context.Context, old []Digest) ([]byte, error)
}

// Outcome is a verdict with its reason.
type Outcome struct {
	Verdict Verdict
	Why     string // for a conflict: a few words
	Base    []byte // nil when it was not needed, or not found
	Text    []byte // for Merged
}

// Judge decides a case. An error is one of asking for the base, or of the
// program that merges.
func Judge(ctx context.Context, c Case) (Outcome, error) {
	switch {
	case bytes.Equal(c.Mine, c.Theirs):
		return Outcome{Verdict: Same}, nil
	case anyMatches(c.Old, c.Theirs): // first: both may be old versions
		return Outcome{Verdict: Mine}, nil
	case anyMatches(c.Old, c.Mine):
		return Outcome{Verdict: Theirs}, nil
	}
	var base []byte
	if c.Base != nil && len(c.Old) > 0 {
		var err error
		if base, err = c.Base(ctx, c.Old); err != nil {
			return Outcome{}, err
		}
	}
	if base == nil {
		return Outcome{Verdict: Conflict, Why: "changed here and in the package, and the version that both came from is not to be found"}, nil
	}
	text, err := Merge(ctx, base, c.Mine, c.Theirs)
	switch {
	case errors.Is(err, ErrOverlap):
		return Outcome{Verdict: Conflict, Why: "changed here and in the package, in the same lines", Base: base}, nil
	case errors.Is(err, ErrNoText), errors.Is(err, ErrNoProgram):
		return Outcome{Verdict: Conflict, Why: "changed here and in the package, and " + err.Error(), Base: base}, nil
	case err != nil:
		return Outcome{}, err
	case bytes.Equal(text, c.Theirs): // the package has taken the person's change over
		return Outcome{Verdict: Theirs, Base: base}, nil
	case bytes.Equal(text, c.Mine):
		return Outcome{Verdict: Mine, Base: base}, nil
	}
	return Outcome{Verdict: Merged, Base: base, Text: text}, nil
}

func anyMatches(all []Digest, text []byte) bool {
	for _, d := range all {
		if d.Matches(text) {
			return true
		}
	}
	return false
}
