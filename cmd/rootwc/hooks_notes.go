package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"rootwc/hooks"
	"rootwc/wc"
)

// packageNotes are what the hook before a run leaves for the one after it, and
// what both leave of commits that could neither be made nor queued. They are in
// /run: a full or read-only disk does not lose them, the next boot does.
type packageNotes struct {
	Manager     string   `json:"manager"`
	PID         int      `json:"pid"`         // see [hooks.Caller]; 0 when no run is under way
	Started     string   `json:"started"`     // see [hooks.Started]
	Warned      bool     `json:"warned"`      // the hook before has said what is wrong
	Unversioned []string `json:"unversioned"` // paths that were so before; nil when that is not known
	Packages    string   `json:"packages"`    // text of a [packages.Installed]; "" for none
	Owed        []string `json:"owed"`        // messages of commits that are to be made yet
}

// notesPath is relative to the machine's root.
const notesPath = "run/rootwc-packages.json"

func (a *app) notesFile() string { return filepath.Join(a.global.Root, notesPath) }

// loadNotes reads what is there; nothing when that cannot be understood.
func (a *app) loadNotes() (notes packageNotes) {
	text, err := os.ReadFile(a.notesFile())
	if err != nil || json.Unmarshal(text, &notes) != nil {
		return packageNotes{}
	}
	return notes
}

// takeNotes begins new notes; those of a run that never came to its end go, but
// for what they owe.
func (h *packageHook) takeNotes() error {
	old := h.loadNotes()
	h.notes = packageNotes{Manager: h.manager, PID: h.caller.PID, Started: hooks.Started(os.DirFS("/proc"), h.caller.PID), Owed: old.Owed}
	if len(old.Owed) > 0 {
		h.notes.Unversioned = old.Unversioned
	}
	now := h.installed()
	if now == nil {
		return nil
	}
	text, err := now.Text()
	h.notes.Packages = string(text)
	return err
}

// putNotes replaces the file. Only root can write in /run.
func (a *app) putNotes(notes packageNotes) error {
	text, err := json.Marshal(notes)
	if err != nil {
		return err
	}
	temporary := a.notesFile() + ".new"
	if err := os.MkdirAll(filepath.Dir(temporary), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, a.notesFile())
}

func (h *packageHook) writeNotes() error { return h.putNotes(h.notes) }

// readNotes takes the notes of this very run; of others only what they owe.
func (h *packageHook) readNotes() {
	notes := h.loadNotes()
	if notes.Manager == h.manager && notes.PID == h.caller.PID {
		h.notes, h.known = notes, true
		return
	}
	h.notes = packageNotes{Owed: notes.Owed, Warned: len(notes.Owed) > 0, Unversioned: notes.Unversioned}
}

// endNotes leaves what is owed, and nothing else.
func (h *packageHook) endNotes() error {
	if len(h.notes.Owed) > 0 {
		h.notes.PID, h.notes.Started, h.notes.Packages = 0, "", ""
		return h.writeNotes()
	}
	return h.dropNotes()
}

// dropNotes removes the notes.
func (a *app) dropNotes() error {
	if err := os.Remove(a.notesFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// packagesAtWork says whether a package manager is between its two hooks: what it
// changes meanwhile is going to be committed.
func packagesAtWork(t *wc.Tree) bool {
	var notes packageNotes
	text, err := t.ReadFile(notesPath)
	if err != nil || json.Unmarshal(text, &notes) != nil {
		return false
	}
	return notes.Started != "" && hooks.Started(os.DirFS("/proc"), notes.PID) == notes.Started
}
