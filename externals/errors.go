package externals

import (
	"errors"
	"fmt"
)

var (
	// ErrUnsafeTarget marks a target that could write where it must not: an
	// absolute path, one that is empty, ".", holds "..", a .svn part in any
	// case of letters, a control character, or is not valid UTF-8.
	ErrUnsafeTarget = errors.New("unsafe target")
	// ErrDuplicateTarget marks the second definition of one place. Subversion
	// refuses to set such a property (E155041).
	ErrDuplicateTarget = errors.New("target appears more than once")
	// ErrBadURL marks a URL that Subversion cannot check out from, whatever
	// the server holds.
	ErrBadURL = errors.New("unusable URL")
	// ErrNotDefined marks a target that no definition names.
	ErrNotDefined = errors.New("no such external")
)

// ParseError is one line of a property that cannot be used. [Parse] joins
// several of them with [errors.Join].
type ParseError struct {
	// Dir is the directory that carries the property; empty is the root.
	Dir string
	// Line counts from 1; a CR LF pair ends one line.
	Line int
	// Text is the line without its end.
	Text string
	// Err is the cause, often one of this package's errors.
	Err error
	// Remedy is what to do about it, in a few words.
	Remedy string
}

// Error names directory, line, text, cause and remedy.
func (e *ParseError) Error() string {
	dir := e.Dir
	if dir == "" {
		dir = "."
	}
	return fmt.Sprintf("svn:externals of %q, line %d: %q: %v: %s", dir, e.Line, e.Text, e.Err, e.Remedy)
}

// Unwrap returns the cause.
func (e *ParseError) Unwrap() error { return e.Err }

// problem is a cause with its remedy, before the line is known.
type problem struct {
	err    error
	remedy string
}

func (p *problem) Error() string { return p.err.Error() + ": " + p.remedy }

func (p *problem) Unwrap() error { return p.err }

// problemf returns a problem whose cause reads as format says.
func problemf(remedy, format string, args ...any) *problem {
	return &problem{err: fmt.Errorf(format, args...), remedy: remedy}
}
