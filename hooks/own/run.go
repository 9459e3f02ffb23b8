package own

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rootwc/internal/run"
)

// Event is what a program is told of.
type Event struct {
	Name      string   // "pre-commit"
	Root      string   // the machine's root, absolute
	Paths     []string // that are concerned, relative to the root
	Message   string   // of a commit
	Revisions []string // afterwards: "REVISION URL", one for each repository
}

// Report is what became of one program.
type Report struct {
	Hook   *Hook
	Output string // standard output and standard error, as they came
	Err    error
}

// Run runs programs one after the other, each for as long as timeout at the most;
// then it is killed with everything that it has started. One that must not run is
// a failure: it was put there to be asked. The first failure of a pre hook ends
// it; post hooks all have their turn. The error is the first failure.
//
// A program starts in the root with a clean environment, LC_ALL=C.UTF-8, no input,
// and
//
//	ROOTWC_HOOK            pre-commit and so on
//	ROOTWC_HOOK_PATH       its own path
//	ROOTWC_ROOT            the machine's root
//	ROOTWC_VERB            commit, update or materialize
//	ROOTWC_PATHS_FILE      a file with a path on each line, relative to the root
//	ROOTWC_MESSAGE_FILE    a file with the log message; commit only
//	ROOTWC_REVISIONS_FILE  a file with lines "REVISION URL"; post only
func Run(ctx context.Context, hooks []*Hook, e Event, timeout time.Duration) (reports []Report, err error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "rootwc-hook-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	env, err := e.environment(dir)
	if err != nil {
		return nil, err
	}
	for _, h := range hooks {
		r := Report{Hook: h, Err: h.Refuse}
		if r.Err == nil {
			r.Output, r.Err = h.run(ctx, e, env, timeout)
		}
		reports = append(reports, r)
		if r.Err == nil {
			continue
		}
		if err == nil {
			err = fmt.Errorf("%s: %w", h.Path, r.Err)
		}
		if e.Before() {
			break
		}
	}
	return reports, err
}

// Before says whether the programs run before the verb does anything.
func (e *Event) Before() bool { return strings.HasPrefix(e.Name, "pre-") }

// environment writes the files of an event, and names them.
func (e *Event) environment(dir string) ([]string, error) {
	_, verb, _ := strings.Cut(e.Name, "-")
	env := []string{"ROOTWC_HOOK=" + e.Name, "ROOTWC_ROOT=" + e.Root, "ROOTWC_VERB=" + verb}
	files := map[string]string{"PATHS": lines(e.Paths)}
	if verb == "commit" {
		files["MESSAGE"] = strings.TrimRight(e.Message, "\n") + "\n"
	}
	if !e.Before() {
		files["REVISIONS"] = lines(e.Revisions)
	}
	for name, text := range files {
		file := filepath.Join(dir, strings.ToLower(name))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		env = append(env, "ROOTWC_"+name+"_FILE="+file)
	}
	return env, nil
}

func lines(list []string) string {
	var b strings.Builder
	for _, line := range list {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// memory is where a program finds the first of run.Command's Secrets: the
// content that was read, on a descriptor. A script's interpreter opens it by
// this name, too.
const memory = "/proc/self/fd/3"

// run executes the content that was read.
func (h *Hook) run(ctx context.Context, e Event, env []string, timeout time.Duration) (output string, err error) {
	bound, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var both bytes.Buffer
	_, _, err = run.Output(bound, run.Command{
		Args: []string{memory}, Dir: e.Root, Env: append(env, "ROOTWC_HOOK_PATH="+filepath.Join(e.Root, h.Path)),
		Secrets: [][]byte{h.content}, Stdout: &both, Together: true, Kill: true, Group: true,
	})
	var failed *run.Error
	switch {
	case err == nil:
	case bound.Err() != nil && ctx.Err() == nil:
		err = fmt.Errorf("it took longer than %s, and was killed", timeout)
	case errors.As(err, &failed) && failed.Status > 0:
		err = fmt.Errorf("it ended with exit status %d", failed.Status)
	case errors.As(err, &failed):
		err = fmt.Errorf("it could not be run: %w", failed.Err)
	}
	return both.String(), err
}
