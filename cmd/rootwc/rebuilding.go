package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"rootwc/probes"
	"rootwc/rebuild"
	"rootwc/wc"
	"strings"

	"golang.org/x/sys/unix"
)

// rebuilding is a rebuild with what it needs.
type rebuilding struct {
	app  *app
	plan *rebuild.Plan
	opt  rebuild.Options
	keys *keyring
	log  *os.File
}

// rescueMount is where a machine is put together in a rescue system.
const rescueMount = "/mnt"

// workDir is private, and in memory on every system with /run.
const workDir = "/run/rootwc/rebuild"

// newRebuild reads the texts and makes the plan.
func (a *app) newRebuild(from, revision, mount string, o rebuildOptions, filled bool) (*rebuilding, error) {
	fail := func(err error) (*rebuilding, error) { return nil, fmt.Errorf("cannot rebuild: %w", err) }
	recorded, err := a.readMachine(from, revision)
	if err != nil {
		return fail(err)
	}
	b := &rebuilding{app: a}
	if b.keys, err = a.readKeys(o.KeyFile, o.PassphraseFile); err != nil {
		return fail(err)
	}
	if err := a.askPassphrases(b.keys, recorded.Layout); err != nil {
		return fail(err)
	}
	here, err := probes.Here("/")
	if err != nil {
		return fail(err)
	}
	b.opt = rebuild.Options{
		Layout: recorded.Layout, Inventory: recorded.Inventory, Boot: recorded.Boot, Texts: recorded.texts,
		Disks: o.Disk, Wipe: o.Wipe, Slots: b.keys.slots, Machine: here, Root: mount, Work: workDir,
		Repository: recorded.repository, Variables: rebuild.EFIVars, Reinstall: o.Bootloader == "reinstall", Filled: filled,
	}
	if b.opt.Sizes, err = recorded.sizes(o.Size); err != nil {
		return fail(err)
	}
	for _, id := range o.Keep {
		b.opt.Keep = append(b.opt.Keep, probes.ID(strings.ToLower(id)))
	}
	for _, ref := range o.Without {
		b.opt.Without = append(b.opt.Without, probes.Ref(ref))
	}
	if b.plan, err = rebuild.Make(a.ctx, b.opt); err != nil {
		return fail(err)
	}
	if err := b.keys.unused(); err != nil {
		return fail(err)
	}
	return b, nil
}

// show prints the plan; what stands against it is the exit status.
func (b *rebuilding) show(asJSON bool) error {
	if asJSON {
		if err := b.app.json(planJSON(b.plan)); err != nil {
			return err
		}
	} else {
		b.app.tellPlan(b.plan)
	}
	return b.refused()
}

// refused is the error for all that stands against the plan.
func (b *rebuilding) refused() error {
	if n := len(b.plan.Refusals); n > 0 {
		return wc.Refuse("cannot rebuild: %d reasons against it, see above; nothing was changed", n)
	}
	return nil
}

// performer does the actions of a plan that nothing stands against, with a log.
func (b *rebuilding) performer() (*rebuild.Performer, error) {
	if len(b.plan.Refusals) > 0 {
		b.app.tellRefusals(b.plan)
		return nil, b.refused()
	}
	if b.log == nil {
		if err := os.MkdirAll(workDir, 0o700); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(filepath.Join(workDir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			f.Close()
			return nil, wc.Refuse("cannot rebuild: another rootwc rebuild is at work")
		}
		b.log = f
	}
	return &rebuild.Performer{
		Passphrase: func(k rebuild.Key) ([]byte, error) {
			if secret := b.keys.find(k.LUKS, b.opt.Layout.LUKS[k.LUKS], k.Slot); secret != nil {
				return secret, nil
			}
			return nil, errors.New("nobody has given it")
		},
		Echo: func(line string) {
			fmt.Fprintf(b.log, "+ %s\n", line)
			if b.app.global.Verbose {
				b.app.progress.clear()
				fmt.Fprintf(b.app.err, "+ %s\n", safe(line))
			}
		},
		Output: b.log,
	}, nil
}

func (b *rebuilding) close() {
	if b.log != nil {
		b.log.Close()
	}
}

// step tells which step begins.
func (b *rebuilding) step(step, total int, title string) {
	fmt.Fprintf(b.app.out, "[%d/%d] %s\n", step, total, safe(title))
	b.app.out.Flush()
	fmt.Fprintf(b.log, "[%d/%d] %s\n", step, total, title)
}

// set sets up the storage, compares it, and leaves it mounted.
func (b *rebuilding) set() error {
	do, err := b.performer()
	if err != nil {
		return err
	}
	if b.plan.Begun {
		fmt.Fprintf(b.app.out, "A rebuild was begun on these disks: %d of %d steps are done.\n", b.plan.Done, len(b.plan.Storage))
	}
	if err := b.plan.Set(b.app.ctx, do, b.step); err != nil {
		return wc.Hint(fmt.Errorf("cannot rebuild: %w", err), "the log is %s; the same command goes on with this step", filepath.Join(workDir, "log"))
	}
	return b.compare(false)
}

// finish does what waits for the files, and ends the rebuild.
func (b *rebuilding) finish() error {
	do, err := b.performer()
	if err != nil {
		return err
	}
	if err := b.plan.End(b.app.ctx, do, b.step); err != nil {
		return wc.Hint(fmt.Errorf("cannot finish the rebuild: %w", err), "the log is %s; rootwc rebuild --finish does this part again", filepath.Join(workDir, "log"))
	}
	b.checkTables()
	if err := b.compare(true); err != nil {
		return err
	}
	if err := b.plan.Close(do); err != nil {
		return fmt.Errorf("cannot unmount the new machine: %w", err)
	}
	if err := b.plan.Clear(); err != nil {
		return err
	}
	for _, note := range b.plan.Notes {
		b.app.warn("%s", note)
	}
	fmt.Fprintln(b.app.out, "The machine's storage is as it was; its disks are closed.")
	return nil
}

// checkTables looks for lines in the restored tables that will not find their
// devices: names like /dev/sda1 are another disk's now.
func (b *rebuilding) checkTables() {
	root, err := os.OpenRoot(b.opt.Root)
	if err != nil {
		return
	}
	defer root.Close()
	fstab, ferr := root.ReadFile("etc/fstab")
	crypttab, cerr := root.ReadFile("etc/crypttab")
	if ferr != nil && cerr != nil {
		return
	}
	for _, finding := range b.opt.Layout.CheckTables(string(fstab), string(crypttab)) {
		b.app.warn("%s", finding)
	}
}

// compare reads the new storage. A difference is explained when a note of the
// plan is about its node.
func (b *rebuilding) compare(filled bool) error {
	changes, err := b.plan.Compare(b.app.ctx, b.opt.Machine, filled)
	if err != nil {
		return err
	}
	unexplained := 0
	for _, ch := range changes {
		word := "explained above"
		if !b.plan.Noted(ch.Node) {
			word = "not expected"
			unexplained++
		}
		b.app.warn("differs, %s: %s", word, ch.Words)
	}
	if unexplained > 0 {
		return wc.Partial("cannot say that the storage is as it was: %d differences that nobody expected", unexplained)
	}
	return nil
}
