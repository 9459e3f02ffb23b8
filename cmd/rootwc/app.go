package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"rootwc/externals"
	"rootwc/hooks/watch"
	"rootwc/secrets"
	"rootwc/system"
	"rootwc/wc"
)

// app is what every verb works with.
type app struct {
	ctx      context.Context
	stdin    io.Reader
	out      *bufio.Writer
	err      io.Writer
	progress *progress
	global   Global

	tree      *wc.Tree             // the last one opened
	externals []externals.External // after open

	witnessed bool // a watcher may be asked

	description *system.Description // after open; nil without one, or with one that cannot be read

	// decide is asked about files that a checkout finds in place, sealed about
	// those that an encrypted one finds; nil in most verbs.
	decide wc.Decider
	sealed func(secrets.Identities) func(path string) wc.SealedDecider
}

// open opens the root with all its working copies, for reading.
func (a *app) open() (*wc.Tree, error) {
	return a.openAfter((*wc.Tree).Recover)
}

// look is open for who may do nothing but look.
func (a *app) look() (*wc.Tree, error) {
	return a.openAfter(func(*wc.Tree) error { return nil })
}

// openAfter opens the root, does something first, and finds the working copies.
func (a *app) openAfter(first func(*wc.Tree) error) (*wc.Tree, error) {
	t, err := a.openRoot()
	if err != nil {
		return nil, err
	}
	if err = first(t); err == nil {
		err = a.attach(t)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// begin opens the root for a writing verb. The caller ends the work.
func (a *app) begin(verb string) (*wc.Tree, *wc.Work, error) {
	t, err := a.openRoot()
	if err != nil {
		return nil, nil, err
	}
	if !t.IsWorkingCopy() {
		if verb, _, err := t.State.Interrupted(); verb == "" && err == nil {
			t.Close()
			return nil, nil, notWorkingCopy(t)
		}
	}
	t.Client.Require(a.ctx)
	w, err := t.Begin(verb)
	if err != nil {
		t.Close()
		return nil, nil, fmt.Errorf("cannot %s: %w", verb, err)
	}
	if err := a.attach(t); err != nil {
		w.End()
		t.Close()
		return nil, nil, err
	}
	w.Tighten()
	return t, w, nil
}

// end ends the work and keeps the first error.
func end(t *wc.Tree, w *wc.Work, err *error) {
	if eerr := w.End(); *err == nil {
		*err = eerr
	}
	t.Close()
}

func (a *app) openRoot() (*wc.Tree, error) {
	t, err := wc.Open(a.global.Root)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = wc.Hint(err, "name the machine's root with --root")
		}
		return nil, err
	}
	a.tree = t
	if a.witnessed {
		t.Witness = watch.Witness(t)
	}
	t.Warn = func(format string, args ...any) { a.warn(format, args...) }
	t.Progress, t.Unwatched = a.progress.show, !a.progress.terminal
	if t.BadTable != nil {
		a.warn("%v", t.BadTable)
	}
	t.Client.Username = a.global.Username
	t.FileDefinitions = externals.FileDefinitions(t.Client)
	if a.global.Verbose {
		t.Client.Echo = func(line string) { a.progress.clear(); fmt.Fprintf(a.err, "+ %s\n", line) }
		t.Detail = func(format string, args ...any) {
			a.progress.clear()
			fmt.Fprintf(a.err, "# %s\n", safe(fmt.Sprintf(format, args...)))
		}
	}
	if a.global.PasswordFromStdin {
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		if err != nil && err != io.EOF {
			t.Close()
			return nil, fmt.Errorf("cannot read the password: %w", err)
		}
		t.Client.Password = strings.TrimSuffix(line, "\n")
	}
	return t, nil
}

// attach finds the working copies and reads the description.
func (a *app) attach(t *wc.Tree) error {
	if _, err := t.Attach(""); err != nil {
		if errors.Is(err, wc.ErrNotWorkingCopy) {
			return notWorkingCopy(t)
		}
		return err
	}
	a.externals = externals.Discover(t)
	a.describe(t)
	return nil
}

func notWorkingCopy(t *wc.Tree) error {
	return wc.Hint(fmt.Errorf("root %q is not a working copy", t.Root), "rootwc init URL makes it one, rootwc materialize URL brings a machine back")
}

// describe applies the description's policies; without one, or with one that
// cannot be read, the defaults hold: a verb that can do without it goes on.
func (a *app) describe(t *wc.Tree) {
	d, err := loadDescription(t)
	if err != nil {
		t.BadPage = err
	}
	a.description = d
	t.Datasets = datasetPaths(d)
	applySecrets(t, d)
	applyNoise(t, d, err)
}

func loadDescription(t *wc.Tree) (*system.Description, error) { return readDescription(t.ReadFile) }

// readDescription loads it by a function that reads the machine's files.
func readDescription(file func(path string) ([]byte, error)) (*system.Description, error) {
	text, err := file(wc.DescriptionPath)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", wc.DescriptionPath, err)
	}
	return system.Load(strings.NewReader(string(text)), wc.DescriptionPath)
}

// paths turns operands into paths relative to the root.
func paths(t *wc.Tree, operands []string) ([]string, error) {
	var rels []string
	for _, p := range operands {
		rel, err := operand(t, p)
		if err != nil {
			return nil, err
		}
		rels = append(rels, rel)
	}
	return rels, nil
}

// known is paths for operands that must be there, or be under version control.
func known(t *wc.Tree, operands []string) ([]string, error) {
	rels, err := paths(t, operands)
	for i, rel := range rels {
		if !t.Known(rel) {
			return nil, fmt.Errorf("cannot find %q: it is neither there nor under version control", operands[i])
		}
	}
	return rels, err
}

// operand reads a path as svn does, from the working directory, where that
// is below the root. Elsewhere, and when only that makes sense, it counts
// from the root.
func operand(t *wc.Tree, path string) (string, error) {
	if filepath.IsAbs(path) {
		return t.Rel(path)
	}
	here, err := workingDirectory(t)
	if err != nil {
		return t.Rel(path)
	}
	near, nerr := t.Rel(filepath.Join(t.Root, here, path))
	far, ferr := t.Rel(path)
	if nerr != nil || ferr == nil && !t.Known(near) && t.Known(far) {
		return far, ferr
	}
	return near, nil
}

// workingDirectory is the working directory relative to the root; an error
// when it is not below it.
func workingDirectory(t *wc.Tree) (string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if cwd, err = filepath.EvalSymlinks(cwd); err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(t.Root)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, cwd)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%q is not below %q", cwd, root)
	}
	return rel, nil
}

// confirm asks a question at a terminal; without one the answer is no.
func (a *app) confirm(question string) bool {
	in, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(in) || !a.progress.terminal {
		return false
	}
	a.progress.clear()
	a.out.Flush()
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(answer), "y") || strings.EqualFold(strings.TrimSpace(answer), "yes")
}
