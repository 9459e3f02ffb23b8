package main

import (
	"errors"
	"fmt"

	"rootwc/packages"
	"rootwc/wc"
)

// packages installs what is missing when a machine's files are in place, or says
// that it is; files is how these came.
func (m *materializer) packages(install bool, files error) error {
	var known interface{ ExitCode() int }
	if files != nil && !(errors.As(files, &known) && known.ExitCode() == wc.ExitPartial) {
		return files
	}
	a := m.app
	if !install {
		if n := a.missingPackages(m.tree); n > 0 {
			fmt.Fprintf(a.out, "Packages recorded, and not installed: %d (rootwc packages install --plan)\n", n)
		}
		return files
	}
	if files != nil {
		a.complain(files)
		files = wc.Partial("the packages are installed, but not all files are back: see above")
	}
	if d, err := loadDescription(m.tree); err != nil || d == nil || d.Packages.Manager == "" {
		return wc.Partial("packages are not installed: %s names no manager", wc.DescriptionPath)
	}
	if err := a.mergeAfter(m.tree, m.work, m.validate, a.installPackages(m.tree, false)); err != nil {
		return err
	}
	return files
}

// missingPackages counts those that were wanted; a root that has none is no
// machine.
func (a *app) missingPackages(t *wc.Tree) int {
	p, err := a.packagesOf(t)
	if err != nil {
		t.Detail("packages are not compared: %v", err)
		return 0
	}
	defer p.close()
	if err := p.readRecorded(); err != nil {
		t.Detail("packages are not compared: %v", err)
		return 0
	}
	return len(packages.Compare(p.recorded, p.now).Gone)
}
