package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"rootwc/internal/run"
)

// contest is what one scene measures: entrants that take turns.
type contest struct {
	entrants []entrant
	warm     int // rounds that do not count, each after a pause
	rounds   int
}

// entrant runs commands one after the other, each of them a row of the table.
type entrant struct {
	before   func(ctx context.Context, round int) error // not timed; nil for nothing
	commands []command
}

// hold runs the contest. In every round the order is another one, so that
// nobody always comes after the same command.
func (l *lab) hold(ctx context.Context, c *contest) ([]row, error) {
	rows, first := c.rows()
	for round := range c.warm + c.rounds {
		if round <= c.warm {
			if err := l.wait(ctx); err != nil {
				return nil, err
			}
		}
		for _, i := range l.random.Perm(len(c.entrants)) {
			used, err := l.turn(ctx, &c.entrants[i], round)
			if err != nil {
				return nil, err
			}
			for k := range used {
				if round >= c.warm {
					rows[first[i]+k].used = append(rows[first[i]+k].used, used[k])
				}
			}
		}
	}
	return rows, nil
}

// wait lets time pass until the last change is old enough for everybody to
// trust file times again.
func (l *lab) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(l.settle):
		return nil
	}
}

// rows are those of the table, still empty, and the number of each entrant's
// first.
func (c *contest) rows() (rows []row, first []int) {
	for _, e := range c.entrants {
		first = append(first, len(rows))
		for _, one := range e.commands {
			rows = append(rows, row{Command: one.name, Args: one.args})
		}
	}
	return rows, first
}

// turn is one entrant's in one round.
func (l *lab) turn(ctx context.Context, e *entrant, round int) ([]usage, error) {
	if e.before != nil {
		if err := e.before(ctx, round); err != nil {
			return nil, err
		}
	}
	var all []usage
	for _, c := range e.commands {
		u, err := l.time(ctx, &c)
		if err != nil {
			return nil, err
		}
		all = append(all, *u)
	}
	return all, nil
}

// time runs a command once. A wrong answer is an error: how long it takes is
// of no interest.
func (l *lab) time(ctx context.Context, c *command) (*usage, error) {
	report := l.path("usage.json")
	out, warnings, err := run.Output(ctx, run.Command{
		Args: append([]string{l.self, "-child", report}, c.args...),
		Dir:  c.dir,
		Env:  append(slices.Clone(l.env), c.env...),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot time %s: %w", c.name, err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	var u usage
	if err := json.Unmarshal(text, &u); err != nil {
		return nil, err
	}
	if a := (&answer{status: u.Status, stdout: string(out), stderr: warnings}); !c.good(a) {
		return nil, fmt.Errorf("%s has not given the answer it should: exit status %d, %q, %q", c.name, a.status, beginning(a.stdout), beginning(a.stderr))
	}
	return &u, nil
}

// beginning is enough of an output to see what is wrong.
func beginning(s string) string { return s[:min(len(s), 300)] }
