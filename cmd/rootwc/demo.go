package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rootwc/internal/run"
	"rootwc/wc"
)

type demoCmd struct {
	Dir string `help:"Make the sandbox here; the directory must not be there yet. Default: a new one for temporary files." placeholder:"DIR"`
}

// Run shows the main job in a sandbox: it only reads this machine, and writes
// nowhere but below the sandbox.
func (c *demoCmd) Run(a *app) error {
	for _, program := range []string{"svn", "svnadmin"} {
		if _, found := run.Look(program); !found {
			return wc.Hint(fmt.Errorf("cannot run the demonstration: there is no program %s", program), "install Subversion (package \"subversion\")")
		}
	}
	dir, err := makeSandbox(c.Dir, filepath.Join(a.global.Root, "etc"))
	if err != nil {
		return fmt.Errorf("cannot run the demonstration: %w", err)
	}
	host, _ := os.Hostname()
	if host, _, _ = strings.Cut(host, "."); host == "" {
		host = "machine"
	}
	d := &demo{app: a, dir: dir, root: filepath.Join(dir, "root")}
	d.url = "file://" + wc.EscapeURL(filepath.Join(dir, "repository", "hosts", host))
	if err := d.play(); err != nil {
		return wc.Hint(fmt.Errorf("cannot finish the demonstration: %w", err), "the sandbox stays for a look; remove it with: %s", run.Quote([]string{"rm", "-rf", dir}))
	}
	return nil
}

// makeSandbox makes the private directory in which everything happens, outside
// of what is copied into it.
func makeSandbox(dir, source string) (string, error) {
	source, err := resolve(source)
	if err != nil {
		return "", err
	}
	parent := os.TempDir()
	if dir != "" {
		dir = filepath.Clean(dir)
		parent = filepath.Dir(dir)
	}
	if parent, err = resolve(parent); err != nil {
		return "", err
	}
	if strings.HasPrefix(parent+"/", source+"/") {
		return "", wc.Refuse("the sandbox would lie in %s, which is what it copies", source)
	}
	if dir == "" {
		return os.MkdirTemp(parent, "rootwc-demo-*")
	}
	dir = filepath.Join(parent, filepath.Base(dir))
	err = os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return "", wc.Hint(wc.Refuse("%s is there already", dir), "name a directory that is not there yet")
	}
	return dir, err
}

// resolve makes a path absolute and free of symlinks.
func resolve(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// demo is one sandbox: a root with a copy of /etc, and a repository beside it.
type demo struct {
	*app
	dir, root, url string
}

// play is the whole story in order.
func (d *demo) play() error {
	steps := []struct {
		title string
		do    func() error
	}{
		{"A sandbox: a copy of this machine's /etc, and a repository", d.prepare},
		{"Put the machine under version control", d.first},
		{"An ordinary day: content, metadata, new and deleted files", d.day},
		{"The disk is lost: everything below the sandbox's root", d.loss},
	}
	d.say("The main job of rootwc, on a copy of this machine's /etc. Everything happens\nin %s; the machine itself is only read.\n", safe(d.dir))
	for i, step := range steps {
		d.say("--- %d. %s\n", i+1, step.title)
		if err := step.do(); err != nil {
			return err
		}
	}
	name := "rootwc"
	if _, found := run.Look(name); !found {
		name = os.Args[0]
	}
	d.say("\n--- The sandbox stays, for you to play in:\n\n  %s\n\nand this takes it away:\n\n  %s",
		run.Quote([]string{name, "--root", d.root, "status"}), run.Quote([]string{"rm", "-rf", d.dir}))
	return nil
}

// prepare makes the sandbox's root and repository.
func (d *demo) prepare() error {
	d.say("$ %s", run.Quote([]string{"cd", d.dir}))
	if err := d.all(d.typed("svnadmin create repository"), d.typed("mkdir root")); err != nil {
		return err
	}
	d.say("Copying /etc to root/etc, with owners, modes, ACLs and attributes …")
	c := copier{from: d.global.Root, to: d.root, ordinary: os.Geteuid() != 0}
	// with it, init knows the distribution and what its programs write to /etc
	for _, path := range []string{"etc", "usr/lib/os-release"} {
		if err := c.tree(path); err != nil && (path == "etc" || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	d.say("Copied %d entries.", c.copied)
	if c.ordinary {
		d.say("They belong to you: only root can give files away.")
	}
	if c.unreadable > 0 {
		d.say("%d left out: you may not read them.", c.unreadable)
	}
	if c.odd > 0 {
		d.say("%d left out: devices and sockets.", c.odd)
	}
	if c.unset > 0 {
		d.say("%d entries could not get all of their metadata.", c.unset)
	}
	d.say("")
	return nil
}

func (d *demo) first() error {
	d.say("$ %s", "export ROOTWC_ROOT="+run.Quote([]string{d.root}))
	return d.all(
		d.rootwc("init", d.url),
		d.rootwc("commit", "-m", "first state"),
		d.rootwc("status"),
	)
}

// day makes changes of all kinds and sends them.
func (d *demo) day() error {
	content, meta, gone, err := d.choose()
	if err != nil {
		return err
	}
	steps := []func() error{
		d.typed("echo '# rootwc was here' >> root/etc/" + content),
		d.typed("chmod 0664 root/etc/" + meta),
	}
	if os.Geteuid() == 0 {
		steps = append(steps, d.typed("chown 1:1 root/etc/"+meta))
	}
	steps = append(steps,
		d.typed("rm root/etc/"+gone),
		d.typed("echo 'spare = 1' > root/etc/demo.conf"),
		d.typed("ln -s demo.conf root/etc/demo.link"),
		d.rootwc("status"),
		d.rootwc("diff", "etc/"+content, "etc/"+meta),
		d.rootwc("add", "etc/demo.conf", "etc/demo.link"),
		d.rootwc("commit", "-m", "changes of the day"),
	)
	return d.all(steps...)
}

var simpleName = regexp.MustCompile(`^[a-z][a-z.]*$`) // nothing that a shell would take for more

// choose picks three ordinary files that everybody may read.
func (d *demo) choose() (content, meta, gone string, err error) {
	entries, err := os.ReadDir(filepath.Join(d.root, "etc"))
	if err != nil {
		return "", "", "", err
	}
	names := []string{"hosts", "issue", "motd"} // preferred
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) && simpleName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	kept := []string{"passwd", "group"} // names of owners are looked up there
	names = slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Lstat(filepath.Join(d.root, "etc", name))
		return err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o644 || slices.Contains(kept, name)
	})
	if len(names) < 3 {
		return "", "", "", errors.New("/etc holds too little: the demonstration needs three files of mode 0644")
	}
	return names[0], names[1], names[2], nil
}

// loss deletes the sandbox's root, brings it back, and compares.
func (d *demo) loss() error {
	before, err := d.listing()
	if err != nil {
		return err
	}
	outside, err := d.outside()
	if err != nil {
		return err
	}
	err = d.all(
		d.typed("rm -rf root"),
		d.typed("mkdir root"),
		d.rootwc("materialize", d.url),
	)
	if err != nil {
		return err
	}
	after, err := d.listing()
	if err != nil {
		return err
	}
	return d.compare(before, after, outside)
}

// say prints a line of the story at once.
func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, format+"\n", args...)
	d.out.Flush()
}

// all does one thing after the other.
func (d *demo) all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// rootwc shows a command line and runs it, as main would.
func (d *demo) rootwc(args ...string) func() error {
	return func() error {
		d.say("$ rootwc %s", run.Quote(args))
		var out bytes.Buffer
		status := rootwc(d.ctx, append([]string{"--root", d.root}, args...), strings.NewReader(""), &out, &out)
		d.show(out.String())
		if status != 0 {
			return fmt.Errorf("rootwc %s ended with status %d", args[0], status)
		}
		return nil
	}
}

// show prints what a command answered; of a long answer the beginning and the
// end.
func (d *demo) show(text string) {
	const head, tail = 8, 12
	if text == "" {
		text = "(no output: nothing differs)\n"
	}
	lines := slices.Collect(strings.Lines(text))
	if left := len(lines) - head - tail; left > 1 {
		lines = slices.Concat(lines[:head], []string{fmt.Sprintf("… and %d more lines\n", left)}, lines[len(lines)-tail:])
	}
	d.say("%s", strings.Join(lines, ""))
}

// typed shows a line for the shell and runs it in the sandbox directory.
func (d *demo) typed(line string) func() error {
	return func() error {
		d.say("$ %s", line)
		return d.shell(line)
	}
}

// shell runs a line of ours in the sandbox directory. The names in it are
// fixed, or were picked by choose as ordinary files: it follows no symlink.
func (d *demo) shell(line string) error {
	_, _, err := run.Output(d.ctx, run.Command{Args: []string{"/bin/sh", "-c", "umask 022; " + line}, Dir: d.dir})
	return err
}
