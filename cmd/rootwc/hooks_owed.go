package main

import (
	"errors"
	"strings"

	"rootwc/wc"
)

const mostOwed = 100 // messages; the oldest go

// owe notes a commit that failed, unless it is queued.
func (h *packageHook) owe(err error, message string) {
	if err != nil && !errors.Is(err, errQueued) {
		h.notes.Owed = append(h.notes.Owed, message)
		h.notes.Owed = h.notes.Owed[max(0, len(h.notes.Owed)-mostOwed):]
	}
}

// settle makes the commits that are owed, in one revision: what belonged to which
// cannot be told any more.
func (h *packageHook) settle() error {
	if len(h.notes.Owed) == 0 {
		return nil
	}
	known := h.known
	h.known = true
	err := h.commit(strings.Join(h.notes.Owed, "\n") + "committed later: what changed since may be among this\n")
	h.known = known
	if err == nil || errors.Is(err, errQueued) {
		h.notes.Owed, h.notes.Unversioned = nil, nil
	}
	return err
}

// settleOwed is settle for a command that makes what waits.
func (a *app) settleOwed(t *wc.Tree, w *wc.Work) error {
	h := &packageHook{app: a, notes: a.loadNotes(), tree: t, work: w}
	if len(h.notes.Owed) == 0 || packagesAtWork(t) {
		return nil
	}
	h.notes.Warned = false
	if err := h.writePackages(); err != nil {
		return err
	}
	return errors.Join(h.settle(), h.endNotes())
}

// withOwed adds to the message of a commit of everything what is owed: it is in
// that commit.
func (a *app) withOwed(t *wc.Tree, message string) string {
	if packagesAtWork(t) {
		return message
	}
	for _, owed := range a.loadNotes().Owed {
		message = strings.TrimRight(message, "\n") + "\n\n" + owed
	}
	return message
}

// paidOwed is for after that commit.
func (a *app) paidOwed(t *wc.Tree) error {
	if packagesAtWork(t) {
		return nil
	}
	return a.dropNotes()
}
