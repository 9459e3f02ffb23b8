package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rootwc/hooks"
	"rootwc/packages"
	"rootwc/probes"
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

const mostOwed = 100 // messages; the oldest go

// owe notes a commit that failed, unless it is queued.
func (h *packageHook) owe(err error, message string) {
	if err != nil && !errors.Is(err, errQueued) {
		h.notes.Owed = append(h.notes.Owed, message)
		h.notes.Owed = h.notes.Owed[max(0, len(h.notes.Owed)-mostOwed):]
	}
}

// endNotes leaves what is owed, and nothing else.
func (h *packageHook) endNotes() error {
	if len(h.notes.Owed) > 0 {
		h.notes.PID, h.notes.Started, h.notes.Packages = 0, "", ""
		return h.writeNotes()
	}
	return h.dropNotes()
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
	if err := h.settle(); err != nil {
		return err
	}
	return h.endNotes()
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

// command is what is run, as the log is to have it.
func (h *packageHook) command() string {
	if h.caller.Command == "" {
		return h.manager
	}
	return safe(h.caller.Command)
}

// message is a log message: what was run, by whom, and what it did to packages.
func (h *packageHook) message(title string, changes []packages.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nrun by %s\n", title, safe(h.caller.Who(h.userName)))
	if h.notes.Manager == "" {
		b.WriteString("what was changed before the run is not known, and may be among this\n")
	}
	for _, c := range changes {
		switch {
		case c.Before == "":
			fmt.Fprintf(&b, "installed %s %s\n", c.Key, c.Now)
		case c.Now == "":
			fmt.Fprintf(&b, "removed %s %s\n", c.Key, c.Before)
		default:
			fmt.Fprintf(&b, "changed %s %s -> %s\n", c.Key, c.Before, c.Now)
		}
	}
	return b.String()
}

func (h *packageHook) userName(uid string) string {
	number, err := strconv.ParseUint(uid, 10, 32)
	if err != nil {
		return uid
	}
	if name, known := h.view.Names.UserName(uint32(number)); known {
		return name
	}
	return "user " + uid
}

// installed is what is installed now; nil where there is no database that
// rootwc reads.
func (h *packageHook) installed() *packages.Installed {
	now, err := packages.Read(h.ctx, h.view.FileSystem())
	if err != nil {
		h.view.Detail("packages are not read: %v", err)
		return nil
	}
	return now
}

// changes compares what is installed with what was before the run, or else with
// what was recorded last.
func (h *packageHook) changes() []packages.Change {
	text := []byte(h.notes.Packages)
	if len(text) == 0 {
		text, _ = h.view.ReadFile(probes.Dir + "/" + probes.PackagesName + ".toml") // nothing is no text
	}
	before, err := packages.Parse(text)
	now := h.installed()
	if err != nil || now == nil {
		return nil
	}
	return packages.Changes(before, now)
}

// writePackages writes the probe of packages, which belongs to the revision.
func (h *packageHook) writePackages() error {
	taken, err := h.takeProbes(h.tree, []string{probes.PackagesName}, nil)
	if errors.Is(err, packages.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	return writeProbes(h.tree, taken)
}
