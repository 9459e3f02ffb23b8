package metadata

import "strings"

// Problem is one value that could not be set. Name is mode, owner, group, acl,
// default-acl, capabilities or "xattr user.foo", as at [Change].
type Problem struct {
	Name string
	Err  error
}

// Error gives the value's name and why it could not be set.
func (p Problem) Error() string { return p.Name + ": " + p.Err.Error() }

// Unwrap returns why the value could not be set, an errno(3) as a rule.
func (p Problem) Unwrap() error { return p.Err }

// Problems is the error of [Apply] and [ApplyAt] when some values could not be
// set: EPERM for an ordinary user, ENOTSUP on a file system without ACLs or
// attributes. Everything else was set.
type Problems []Problem

// Error joins the problems to one line.
func (p Problems) Error() string {
	words := make([]string, len(p))
	for i, problem := range p {
		words[i] = problem.Error()
	}
	return strings.Join(words, ", ")
}

// Unwrap returns the problems for errors.Is and errors.As.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}
