package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rootwc/hooks"
	"rootwc/packages"
	"rootwc/probes"
	"rootwc/wc"
)

// packageNotes are what the hook before a run leaves for the one after it.
type packageNotes struct {
	Manager     string   `json:"manager"`
	PID         int      `json:"pid"`         // see [hooks.Caller]
	Started     string   `json:"started"`     // see [hooks.Started]
	Warned      bool     `json:"warned"`      // nothing was committed
	Unversioned []string `json:"unversioned"` // paths that were so before; nil when that is not known
	Packages    string   `json:"packages"`    // text of a [packages.Installed]; "" for none
}

func (h *packageHook) notesFile() string {
	return filepath.Join(h.global.Root, wc.StatePath, packageNotesFile)
}

const packageNotesFile = "package-run.json"

// takeNotes begins new notes; those of a run that never came to its end go.
func (h *packageHook) takeNotes() error {
	h.dropNotes()
	h.notes = packageNotes{Manager: h.manager, PID: h.caller.PID, Started: hooks.Started(os.DirFS("/proc"), h.caller.PID)}
	now := h.installed()
	if now == nil {
		return nil
	}
	text, err := now.Text()
	h.notes.Packages = string(text)
	return err
}

func (h *packageHook) writeNotes() error {
	text, err := json.Marshal(h.notes)
	if err != nil {
		return err
	}
	return h.tree.State.Write(packageNotesFile, text)
}

// readNotes takes the notes of this very run, and no others.
func (h *packageHook) readNotes() {
	var notes packageNotes
	text, err := os.ReadFile(h.notesFile())
	if err == nil && json.Unmarshal(text, &notes) == nil && notes.Manager == h.manager && notes.PID == h.caller.PID {
		h.notes, h.known = notes, true
	}
}

// packagesAtWork says whether a package manager is between its two hooks: what it
// changes meanwhile is going to be committed.
func packagesAtWork(t *wc.Tree) bool {
	var notes packageNotes
	text, err := t.ReadFile(wc.StatePath + "/" + packageNotesFile)
	if err != nil || json.Unmarshal(text, &notes) != nil {
		return false
	}
	return notes.Started != "" && hooks.Started(os.DirFS("/proc"), notes.PID) == notes.Started
}

// dropNotes is of no harm when it fails: notes are for one process.
func (h *packageHook) dropNotes() { _ = os.Remove(h.notesFile()) }

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
	if name, known := h.tree.Names.UserName(uint32(number)); known {
		return name
	}
	return "user " + uid
}

// installed is what is installed now; nil where there is no database that
// rootwc reads.
func (h *packageHook) installed() *packages.Installed {
	now, err := packages.Read(h.ctx, h.tree.FileSystem())
	if err != nil {
		h.tree.Detail("packages are not read: %v", err)
		return nil
	}
	return now
}

// changes compares what is installed with what was before the run, or else with
// what was recorded last.
func (h *packageHook) changes() []packages.Change {
	text := []byte(h.notes.Packages)
	if len(text) == 0 {
		text, _ = h.tree.ReadFile(probes.Dir + "/" + probes.PackagesName + ".toml") // nothing is no text
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
