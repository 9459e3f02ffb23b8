package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"rootwc/hooks"
	"rootwc/internal/run"
)

// startUnit has systemd start a hook's unit with the machine, and at once where
// the root is the running machine. A unit that runs is started anew.
func (a *app) startUnit(h hooks.Hook) error {
	if !a.booted() {
		return a.systemctl("enable", h.Unit)
	}
	for _, verb := range []string{"enable", "restart"} {
		if err := a.systemctl(verb, h.Unit); err != nil {
			return err
		}
	}
	return nil
}

// stopUnit undoes it, before the unit's file goes.
func (a *app) stopUnit(h hooks.Hook) error {
	if a.booted() {
		if err := a.systemctl("stop", h.Unit); err != nil {
			return err
		}
	}
	return a.systemctl("disable", h.Unit)
}

// booted says whether the root is a machine that systemd runs: sd_booted(3).
func (a *app) booted() bool {
	root, err := filepath.Abs(a.global.Root)
	_, running := os.Stat("/run/systemd/system")
	return err == nil && root == "/" && running == nil
}

func (a *app) systemctl(verb, unit string) error {
	args := []string{"systemctl", "--quiet", verb, "--", unit}
	if !a.booted() {
		args = slices.Insert(args, 1, "--root="+a.global.Root)
	}
	if _, _, err := run.Output(a.ctx, run.Command{Args: args}); err != nil {
		return fmt.Errorf("cannot %s %s: %w", verb, unit, err)
	}
	return nil
}
