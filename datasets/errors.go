package datasets

import "fmt"

// Refusal is what the package will not do: nothing was changed.
type Refusal struct {
	err  error
	hint string
}

func (e *Refusal) Error() string { return e.err.Error() }
func (e *Refusal) Unwrap() error { return e.err }

// ExitCode is the status for "refused, nothing was changed".
func (e *Refusal) ExitCode() int { return 3 }

// Advice is an action to take, "" for none.
func (e *Refusal) Advice() string { return e.hint }

func refuse(format string, args ...any) error {
	return &Refusal{err: fmt.Errorf(format, args...)}
}

func refuseHint(hint, format string, args ...any) error {
	return &Refusal{fmt.Errorf(format, args...), hint}
}

// Missing is a dataset whose directory is not there.
type Missing struct{ Path string }

func (e *Missing) Error() string { return fmt.Sprintf("%q is not there", e.Path) }

// Advice is an action to take.
func (e *Missing) Advice() string { return "rootwc dataset checkout " + e.Path }

// ExitCode is the status for "refused, nothing was changed".
func (e *Missing) ExitCode() int { return 3 }

// Away is a repository that cannot be reached, or is not what it was.
type Away struct {
	Repository string
	Err        error
}

func (e *Away) Error() string { return fmt.Sprintf("repository %s is away: %v", e.Repository, e.Err) }
func (e *Away) Unwrap() error { return e.Err }

// ExitCode is the status for "partly done": the next run does the rest.
func (e *Away) ExitCode() int { return 4 }

// Unfinished is an action that left something undone, which the report names.
type Unfinished struct {
	Path              string
	Conflicts, Failed int
}

func (e *Unfinished) Error() string {
	switch {
	case e.Failed == 0:
		return fmt.Sprintf("%q: %d in conflict; they stay here and there as they are", e.Path, e.Conflicts)
	case e.Conflicts == 0:
		return fmt.Sprintf("%q: %d not transferred", e.Path, e.Failed)
	}
	return fmt.Sprintf("%q: %d in conflict, %d not transferred", e.Path, e.Conflicts, e.Failed)
}

// ExitCode is the status for "partly done".
func (e *Unfinished) ExitCode() int { return 4 }
