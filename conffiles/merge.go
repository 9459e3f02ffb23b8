package conffiles

import (
	"bytes"
	"context"
	"errors"

	"rootwc/internal/run"
)

// ErrOverlap says that both sides have changed the same lines, or lines that
// touch.
var ErrOverlap = errors.New("both sides have changed the same lines")

// ErrNoText says that a version cannot be merged by lines.
var ErrNoText = errors.New("it is no text, or too large")

// ErrNoProgram says that the program that merges is missing.
var ErrNoProgram = errors.New("diff3 of diffutils is not installed")

// MaxSize is the largest conffile that is looked at. Large ones of Debian have
// half a MiB.
const MaxSize = 16 << 20

// Merge takes the changes from base to theirs into mine, as diff3(1) of
// diffutils does, which every distribution has in its base. The texts are
// handed over in memory: some of them are closed to others. The merged text is
// not nil, be it empty.
func Merge(ctx context.Context, base, mine, theirs []byte) ([]byte, error) {
	text, _, err := diff3(ctx, base, mine, theirs)
	return text, err
}

// Marked is the merged text with what overlaps in full, between lines that
// begin with the marks of diff3(1): for an editor, never for a live file.
// A last line without an end gets one, or the marks would not be lines.
func Marked(ctx context.Context, base, mine, theirs []byte) ([]byte, error) {
	text, marked, err := diff3(ctx, ended(base), ended(mine), ended(theirs))
	if errors.Is(err, ErrOverlap) {
		return marked, nil
	}
	return text, err
}

// marks begin and end what overlaps in a text of [Marked].
var marks = [2]string{"<<<<<<< mine\n", ">>>>>>> theirs\n"}

// HasMarks says whether a text holds the marks that [Marked] makes.
func HasMarks(text []byte) bool {
	for line := range bytes.Lines(text) {
		if string(line) == marks[0] || string(line) == marks[1] {
			return true
		}
	}
	return false
}

func ended(text []byte) []byte {
	if len(text) == 0 || bytes.HasSuffix(text, []byte("\n")) {
		return text
	}
	return append(bytes.Clone(text), '\n')
}

// diff3 runs the program: status 0 is a clean merge, 1 an overlap. With -E a
// change that both sides have made alike is no overlap.
func diff3(ctx context.Context, base, mine, theirs []byte) (text, marked []byte, err error) {
	for _, side := range [][]byte{base, mine, theirs} {
		if len(side) > MaxSize || bytes.IndexByte(side, 0) >= 0 {
			return nil, nil, ErrNoText
		}
	}
	if _, found := run.Look("diff3"); !found {
		return nil, nil, ErrNoProgram
	}
	out, _, err := run.Output(ctx, run.Command{
		Args:    []string{"diff3", "-E", "--merge", "--label=mine", "--label=base", "--label=theirs", "--", "/dev/fd/3", "/dev/fd/4", "/dev/fd/5"},
		Secrets: [][]byte{mine, base, theirs},
	})
	var failed *run.Error
	if errors.As(err, &failed) && failed.Status == 1 {
		return nil, out, ErrOverlap
	}
	if err != nil {
		return nil, nil, err
	}
	return append([]byte{}, out...), nil, nil
}
