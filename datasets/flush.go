package datasets

import (
	"context"

	"rootwc/internal/fault"
)

// flush sends everything to the repository, has it prove by checksum what it
// holds, and removes here what is proven and unchanged since. A file that is
// there with another content is never touched on either side.
func (m *mirror) flush(ctx context.Context) error {
	there, dirs, err := m.list(ctx, "--dirs")
	if err == nil {
		err = m.seen(len(there)+len(dirs) == 0)
	}
	if err != nil {
		return err
	}
	here, err := m.walk()
	if err != nil {
		return err
	}
	for _, p := range here.other {
		m.report.note("%s is no file: it stays here", p)
	}
	names := here.paths()
	if m.DryRun {
		return m.planFlush(ctx, names)
	}
	fault.At("dataset-listed")
	sent := m.transfer(ctx, names, "./", m.remote(), "--ignore-existing")
	if sent != nil && !isPartly(sent) {
		m.state.counted(here.listing)
		return sent
	}
	fault.At("dataset-sent")
	if err := m.secure(ctx); err != nil {
		return err
	}
	proven, missing, err := m.prove(ctx, names)
	if err != nil {
		return err
	}
	fault.At("dataset-proven")
	m.tellUnproven(names, proven, missing, reason(sent))
	m.state.Held = m.state.Held || len(proven) > 0
	gone, err := m.remove(only(names, proven), here)
	m.report.add('>', gone, "")
	if err == nil {
		err = m.removeEmpty(here.dirs)
	}
	if err != nil {
		return err
	}
	return m.recount()
}

// planFlush tells what a flush would do, as far as it can be known.
func (m *mirror) planFlush(ctx context.Context, names []string) error {
	proven, missing, err := m.prove(ctx, names)
	if err != nil {
		return err
	}
	for _, p := range names {
		switch {
		case missing[p]:
			m.report.add('>', []string{p}, "")
		case proven[p]:
			m.report.add('>', []string{p}, "there already")
		}
	}
	m.tellUnproven(names, proven, missing, "")
	return nil
}

// tellUnproven reports what stays here: conflicts, and with a reason also what
// is not there.
func (j *job) tellUnproven(names []string, proven, missing map[string]bool, why string) {
	for _, p := range names {
		switch {
		case proven[p]:
		case !missing[p]:
			j.report.add('C', []string{p}, "differs here and in the repository")
		case why != "":
			j.report.add('!', []string{p}, why)
		}
	}
}

// recount notes what is left here.
func (j *job) recount() error {
	here, err := j.walk()
	if err == nil {
		j.state.counted(here.listing)
	}
	return err
}

// only are the names that are in the set.
func only(names []string, set map[string]bool) []string {
	var in []string
	for _, p := range names {
		if set[p] {
			in = append(in, p)
		}
	}
	return in
}
