package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

// Progress tells about a run: the step that begins, counted from 1.
type Progress func(step, total int, title string)

// Set sets the storage up and mounts it. What an earlier, interrupted run of
// the same plan has made is only opened. After a failure all is closed again,
// and running the plan once more goes on with the step that failed.
func (p *Plan) Set(ctx context.Context, do *Performer, progress Progress) (err error) {
	if len(p.Refusals) > 0 {
		return errors.New("internal error: a plan that is refused")
	}
	defer func() {
		if err != nil {
			p.Close(do)
		}
	}()
	if p.Begun {
		p.Close(do)
	}
	if err := p.writeMarks(p.Done); err != nil {
		return err
	}
	total := len(p.Storage) + len(p.Mounts)
	for i, s := range p.Storage {
		progress(i+1, total, s.Title)
		actions := s.Open
		if i >= p.Done {
			actions = slices.Concat(s.Make, s.Open)
		}
		if err := do.all(ctx, s, actions); err != nil {
			return err
		}
		if i >= p.Done {
			unix.Sync()
			if err := p.writeMarks(i + 1); err != nil {
				return err
			}
		}
	}
	for i, s := range p.Mounts {
		progress(len(p.Storage)+i+1, total, s.Title)
		if err := do.all(ctx, s, s.Open); err != nil {
			return err
		}
	}
	return nil
}

// End does what waits for the files. All its steps may be done again.
func (p *Plan) End(ctx context.Context, do *Performer, progress Progress) error {
	for i, s := range p.Finish {
		progress(i+1, len(p.Finish), s.Title)
		if err := do.all(ctx, s, slices.Concat(s.Make, s.Open)); err != nil {
			for _, a := range s.Close {
				do.Do(context.WithoutCancel(ctx), a)
			}
			return err
		}
	}
	unix.Sync()
	return nil
}

// all does the actions of a step.
func (p *Performer) all(ctx context.Context, s Step, actions []Action) error {
	for _, a := range actions {
		if err := p.Do(ctx, a); err != nil {
			return fmt.Errorf("%s: %w", s.Title, err)
		}
	}
	return nil
}

// Close unmounts and closes what [Plan.Set] has opened, as far as it is open.
// It goes on after errors: they are those of what was not open.
func (p *Plan) Close(do *Performer) error {
	ctx := context.Background() // also when the run was cancelled
	quiet := &Performer{Output: do.Output, Passphrase: do.Passphrase}
	var mounted error
	for _, s := range slices.Backward(p.Mounts) {
		for _, a := range s.Close {
			mounted = errors.Join(mounted, quiet.Do(ctx, a))
		}
	}
	unmountBelow(p.work) // by a step that failed on the way
	for _, s := range slices.Backward(p.Storage) {
		for _, a := range s.Close {
			_ = quiet.Do(ctx, a)
		}
	}
	return mounted
}

// Compare reads the new machine's storage and lists what differs from the
// plan's layout. Before the files are back, what is made with them is left out.
func (p *Plan) Compare(ctx context.Context, m probes.Machine, filled bool) ([]probes.Change, error) {
	m.Root, m.Only = p.root, nil
	for _, t := range p.Disks {
		m.Only = append(m.Only, strings.TrimPrefix(t.Device, m.Dev+"/"))
	}
	now, err := probes.ReadStorage(ctx, m, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot compare: %w", err)
	}
	want := p.layout.Without(p.left)
	if !filled {
		want, now.Layout = want.Bare(), now.Layout.Bare()
	}
	return probes.Compare(want, now.Layout), nil
}

// Clear takes the marks away: the rebuild has ended.
func (p *Plan) Clear() error { return p.clearMarks() }
