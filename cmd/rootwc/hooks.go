package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rootwc/hooks"
	"rootwc/wc"
)

type hooksCmd struct {
	List    hooksListCmd    `cmd:"" default:"withargs" help:"List hooks that can be installed here, and how they are found."`
	Install hooksInstallCmd `cmd:"" help:"Put hooks in place: ${hooks}."`
	Remove  hooksRemoveCmd  `cmd:"" help:"Take hooks away again."`
	Before  hooksBeforeCmd  `cmd:"" hidden:"" help:"What the hook of a package manager does before a run."`
	After   hooksAfterCmd   `cmd:"" hidden:"" help:"What the hook of a package manager does after a run."`
	ownHooks
}

// openHooks opens the root, which need not be a working copy.
func (a *app) openHooks(names []string) (root *os.Root, chosen []hooks.Hook, err error) {
	for _, name := range names {
		hook, known := hooks.Find(name)
		if !known {
			return nil, nil, fmt.Errorf("there is no hook %q: the hooks are %s", name, strings.Join(hooks.Names(), ", "))
		}
		chosen = append(chosen, hook)
	}
	root, err = os.OpenRoot(a.global.Root)
	return root, chosen, err
}

type hooksListCmd struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

// Run lists the hooks that the root has, or has a use for.
func (c *hooksListCmd) Run(a *app) error {
	root, _, err := a.openHooks(nil)
	if err != nil {
		return fmt.Errorf("cannot list hooks: %w", err)
	}
	defer root.Close()
	doc := hooksDoc{jsonFormat, a.global.Root, []hookDoc{}}
	for _, hook := range hooks.All {
		files, state, err := hook.Look(root)
		if err != nil {
			return fmt.Errorf("cannot look at the hook %s: %w", hook.Name, err)
		}
		if state == hooks.Missing && !hook.Here(root) {
			continue
		}
		one := newHookDoc(hook.Name, state, files)
		if hook.Unit != "" {
			one.Unit, one.Enabled = hook.Unit, new(hook.Enabled(root))
		}
		doc.Hooks = append(doc.Hooks, one)
	}
	if c.JSON {
		return a.json(doc)
	}
	for _, h := range doc.Hooks {
		fmt.Fprintf(a.out, "%s  %s\n", h.Name, h.words())
	}
	return nil
}

// The JSON of hooks. States are current, outdated, modified and missing.
type (
	hooksDoc struct {
		Format string    `json:"format"`
		Root   string    `json:"root"`
		Hooks  []hookDoc `json:"hooks"`
	}
	hookDoc struct {
		Name  string        `json:"name"`
		State hooks.State   `json:"state"`
		Files []hookFileDoc `json:"files"`

		Unit    string `json:"unit,omitempty"`    // of systemd
		Enabled *bool  `json:"enabled,omitempty"` // with a unit
	}
	hookFileDoc struct {
		Path  string      `json:"path"`
		State hooks.State `json:"state"`
	}
)

func newHookDoc(name string, state hooks.State, files []hooks.Found) hookDoc {
	doc := hookDoc{Name: name, State: state, Files: []hookFileDoc{}}
	for _, f := range files {
		doc.Files = append(doc.Files, hookFileDoc{f.Path, f.State})
	}
	return doc
}

func (h *hookDoc) words() string {
	switch h.State {
	case hooks.Current:
		if h.Enabled != nil && !*h.Enabled {
			return "installed, not enabled: systemctl enable " + h.Unit
		}
		return "installed"
	case hooks.Missing:
		return "not installed"
	case hooks.Outdated:
		return "outdated: rootwc hooks install " + h.Name
	}
	var edited []string
	for _, f := range h.Files {
		if f.State == hooks.Modified {
			edited = append(edited, f.Path)
		}
	}
	return "edited by hand: " + strings.Join(edited, ", ")
}

type hooksInstallCmd struct {
	Names []string `arg:"" name:"name" help:"Any of ${hooks}."`
	Force bool     `help:"Write over files that were edited by hand."`
}

// Run puts hooks in place. Twice is as good as once.
func (c *hooksInstallCmd) Run(a *app) error {
	root, chosen, err := a.openHooks(c.Names)
	if err != nil {
		return fmt.Errorf("cannot install hooks: %w", err)
	}
	defer root.Close()
	for _, hook := range chosen {
		if err := c.check(a, root, hook); err != nil {
			return err
		}
	}
	for _, hook := range chosen {
		written, err := hook.Install(root)
		for _, path := range written {
			a.line('A', path, "")
		}
		if err != nil {
			return fmt.Errorf("cannot install the hook %s: %w", hook.Name, err)
		}
		if hook.Unit != "" && (len(written) > 0 || !hook.Enabled(root)) {
			if err := a.startUnit(hook); err != nil {
				return err
			}
		}
	}
	if !hasProgram(root) {
		a.warn("there is no rootwc in %s of %s: until there is one, hooks do nothing", strings.Join(hooks.ProgramDirs, ", "), a.global.Root)
	}
	return nil
}

// check refuses what is not to be installed, before anything is written.
func (c *hooksInstallCmd) check(a *app, root *os.Root, hook hooks.Hook) error {
	if !hook.Here(root) {
		return wc.Refuse("cannot install the hook %s: there is no %s below %s", hook.Name, hook.Name, a.global.Root)
	}
	files, _, err := hook.Look(root)
	if err != nil {
		return fmt.Errorf("cannot install the hook %s: %w", hook.Name, err)
	}
	for _, f := range files {
		if f.State == hooks.Modified && !c.Force {
			return wc.Hint(wc.Refuse("cannot install the hook %s: %s was edited by hand", hook.Name, f.Path), "look at the file; --force writes over it")
		}
	}
	return nil
}

func hasProgram(root *os.Root) bool {
	for _, dir := range hooks.ProgramDirs {
		if _, err := root.Lstat(filepath.Join(dir, "rootwc")); err == nil {
			return true
		}
	}
	return false
}

type hooksRemoveCmd struct {
	Names []string `arg:"" name:"name" help:"Any of ${hooks}."`
}

// Run takes hooks away, but for files that were edited by hand.
func (c *hooksRemoveCmd) Run(a *app) error {
	root, chosen, err := a.openHooks(c.Names)
	if err != nil {
		return fmt.Errorf("cannot remove hooks: %w", err)
	}
	defer root.Close()
	var left []string
	for _, hook := range chosen {
		if hook.Unit != "" && hook.Enabled(root) {
			if err := a.stopUnit(hook); err != nil {
				return err
			}
		}
		removed, edited, err := hook.Remove(root)
		for _, path := range removed {
			a.line('D', path, "")
		}
		if err != nil {
			return fmt.Errorf("cannot remove the hook %s: %w", hook.Name, err)
		}
		left = append(left, edited...)
	}
	if len(left) > 0 {
		return wc.Hint(wc.Partial("cannot remove all hooks: edited by hand: %s", strings.Join(left, ", ")), "remove yourself what you have written yourself")
	}
	return nil
}
