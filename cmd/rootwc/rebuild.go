package main

import (
	"errors"
	"fmt"

	"rootwc/probes"
	"rootwc/rebuild/export"
)

// rebuildOptions are those of both ways to rebuild.
type rebuildOptions struct {
	Disk           map[string]string `name:"disk" help:"Put this disk in the place of an old one, which its ID, serial number or WWN names." placeholder:"OLD=DEVICE"`
	Wipe           []string          `sep:"none" help:"The disk with this serial number or WWN may lose all that is on it." placeholder:"SERIAL"`
	Keep           []string          `sep:"none" help:"Leave this partition as it is, with all that is on it." placeholder:"PARTUUID"`
	Size           []string          `sep:"none" help:"What a node may do on disks of other sizes: keep, grow or share, and at least how large it must stay. Before the rules of the description." placeholder:"NODE=grow[,MINIMUM]"`
	Without        []string          `sep:"none" help:"Leave this node of the layout out, with all that stands on it." placeholder:"NODE"`
	KeyFile        []string          `name:"key-file" sep:"none" help:"Content of FILE opens a keyslot; DEVICE is a LUKS UUID or mapping name." placeholder:"[DEVICE[:SLOT]=]FILE"`
	PassphraseFile []string          `name:"passphrase-file" sep:"none" help:"The same for a text, which ends before the line end; - is the next line of standard input." placeholder:"[DEVICE[:SLOT]=]FILE"`
	Bootloader     string            `help:"\"bytes\" writes boot code as it was; \"reinstall\" runs the restored system's own programs." enum:"bytes,reinstall" default:"bytes"`
}

type rebuildCmd struct {
	From    string `arg:"" optional:"" help:"The machine's directory in the repository, or a directory with the texts of its probes. Default: those of the root."`
	Plan    bool   `help:"Print every step with its commands, and what stands against it (the default)."`
	Execute bool   `help:"Set the storage up, and mount it."`
	Finish  bool   `help:"When the files are back: boot code, boot entries, swap files, read-only subvolumes; then compare, unmount and close."`
	Mount   string `help:"Where the new machine's file systems are mounted." default:"${rescue}" placeholder:"DIR"`
	Export  string `help:"Print the layout for another installer instead: ${exports}." placeholder:"FORMAT"`
	JSON    bool   `name:"json" help:"Answer in JSON."`
	rebuildOptions
}

// Run sets up the storage of a machine again.
func (c *rebuildCmd) Run(a *app) error {
	if c.Plan && (c.Execute || c.Finish) {
		return errors.New("cannot both plan and execute: choose one")
	}
	if c.Export != "" {
		return c.export(a)
	}
	b, err := a.newRebuild(c.From, "", c.Mount, c.rebuildOptions, c.Finish && !c.Execute)
	if err != nil {
		return err
	}
	defer b.close()
	if !c.Execute && !c.Finish {
		return b.show(c.JSON)
	}
	if c.Execute {
		if err := b.set(); err != nil {
			return err
		}
	}
	if c.Finish {
		return b.finish()
	}
	fmt.Fprintf(a.out, "Mounted at %s. Next: rootwc --root %s materialize URL, then rootwc rebuild --finish.\n", c.Mount, c.Mount)
	return nil
}

// export prints the layout in another installer's words.
func (c *rebuildCmd) export(a *app) error {
	m, err := a.readMachine(c.From, "")
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	disks := map[probes.ID]string{}
	for old, device := range c.Disk {
		disks[probes.ID(old)] = device
	}
	var groups []*probes.VGText
	for _, g := range m.Layout.VG {
		if group, err := probes.ParseVGText(string(m.texts[g.Script])); err == nil {
			groups = append(groups, group)
		}
	}
	text, notes, err := export.Export(c.Export, m.Layout, disks, groups...)
	if err != nil {
		return fmt.Errorf("cannot export: %w", err)
	}
	fmt.Fprint(a.out, text)
	for _, note := range notes {
		a.warn("%s", note)
	}
	return nil
}
