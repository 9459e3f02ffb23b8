package rebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// String is the action as the plan shows it: a command line to paste, or words.
func (a Action) String() string {
	switch {
	case a.File != "":
		return "write " + run.Quote([]string{a.File})
	case a.Do != nil:
		return a.Words
	}
	return run.Quote(append(slices.Clone(a.Env), a.Args...))
}

// Performer does actions.
type Performer struct {
	// Passphrase gives what opens a keyslot. The caller's answer is used once
	// and not kept.
	Passphrase func(Key) ([]byte, error)
	// Echo receives each action before it is done, as [Action.String] has it.
	Echo func(line string)
	// Output receives what programs say.
	Output io.Writer
}

// Do does one action. The error says which.
func (p *Performer) Do(ctx context.Context, a Action) error {
	if p.Echo != nil {
		p.Echo(a.String())
	}
	switch {
	case a.File != "":
		return writePrivate(a.File, a.Content)
	case a.Do != nil:
		if err := a.Do(); err != nil {
			return fmt.Errorf("cannot %s: %w", a.Words, err)
		}
		return nil
	}
	c := run.Command{Args: a.Args, Env: a.Env}
	if a.Stdin != "" {
		c.Stdin = strings.NewReader(a.Stdin)
	}
	for i, key := range a.Keys {
		secret, err := p.Passphrase(key)
		if err != nil {
			return fmt.Errorf("passphrase for keyslot %s of %s: %w", key.Slot, key.LUKS, err)
		}
		if i == 0 {
			c.Stdin = bytes.NewReader(secret)
		} else {
			c.Secrets = append(c.Secrets, secret)
		}
	}
	out, warnings, err := run.Output(ctx, c)
	var failed *run.Error
	if errors.As(err, &failed) && slices.Contains(a.Fails, failed.Status) {
		err = nil
	}
	if p.Output != nil {
		fmt.Fprintf(p.Output, "%s%s", out, warnings)
	}
	return err
}

// writePrivate writes a file that only its owner reads.
func writePrivate(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o600)
}
