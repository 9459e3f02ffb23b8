package wc

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotWorkingCopy is returned by [Open] for a root without a .svn.
var ErrNotWorkingCopy = errors.New("not a working copy")

// Exit statuses of rootwc that an error can ask for; see the README.
const (
	ExitFailed  = 2
	ExitRefused = 3
	ExitPartial = 4
)

// statusError is an error that knows its exit status.
type statusError struct {
	err    error
	status int
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }
func (e *statusError) ExitCode() int { return e.status }

// Refuse is an error for what rootwc will not do, exit status 3: nothing has
// been changed.
func Refuse(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), ExitRefused}
}

// Partial is an error for work that is done in part, exit status 4: the rest
// is named in it, and running the command again does only the rest.
func Partial(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), ExitPartial}
}

// hinted is an error with advice: an action to take.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint adds an action that the user can take to err.
func Hint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// HintOf returns the outermost hint in err's chain, "" for none.
func HintOf(err error) string {
	var h *hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// list names a few paths and counts the rest.
func list(paths []string) string {
	const most = 5
	quoted := make([]string, 0, most)
	for i, p := range paths {
		if i == most {
			return fmt.Sprintf("%s and %d more", strings.Join(quoted, ", "), len(paths)-most)
		}
		quoted = append(quoted, fmt.Sprintf("%q", p))
	}
	return strings.Join(quoted, ", ")
}
