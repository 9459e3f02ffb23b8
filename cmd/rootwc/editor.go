package main

import (
	"os"

	"rootwc/internal/run"
)

// editor is the person's own, as svn looks for it; "" where none is named and
// nobody is there to use another.
func (a *app) editor() string {
	for _, name := range []string{"SVN_EDITOR", "VISUAL", "EDITOR"} {
		if editor := os.Getenv(name); editor != "" {
			return editor
		}
	}
	in, isFile := a.stdin.(*os.File)
	if !isFile || !isTerminal(in) {
		return ""
	}
	if _, found := run.Look("editor"); found {
		return "editor"
	}
	return "vi"
}

// open opens a file in an editor and waits for its end.
func (a *app) openEditor(editor, file string) error {
	a.progress.clear()
	// the editor's variable may hold arguments: svn hands it to a shell too
	return run.Interactive(a.ctx, run.Command{Args: []string{"/bin/sh", "-c", editor + ` "$1"`, "sh", file}}, os.Stdin, os.Stdout, os.Stderr)
}
