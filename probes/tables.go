package probes

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// CheckTables compares /etc/fstab and /etc/crypttab with the layout. The
// sentences say which lines will not find their devices on a machine that is
// set up by it.
func (l *Layout) CheckTables(fstab, crypttab string) []string {
	c := l.startCheck(crypttab)
	for _, line := range ParseFstab(fstab) {
		c.fstab(line)
	}
	return c.findings
}

// tableCheck is a check that is going on.
type tableCheck struct {
	layout   *Layout
	names    map[string]Ref // mappings of crypttab; "" for one without a header
	findings []string
}

// startCheck checks crypttab, whose names fstab may use.
func (l *Layout) startCheck(crypttab string) *tableCheck {
	c := &tableCheck{layout: l, names: map[string]Ref{}}
	for _, line := range ParseCrypttab(crypttab) {
		c.crypttab(line)
	}
	return c
}

func (c *tableCheck) find(file string, line int, format string, args ...any) {
	c.findings = append(c.findings, fmt.Sprintf("%s: line %d: ", file, line)+fmt.Sprintf(format, args...))
}

func (c *tableCheck) crypttab(line CrypttabLine) {
	const file = "crypttab"
	if _, twice := c.names[line.Name]; twice {
		c.find(file, line.Line, "another line has the name %s too", quoteIfOdd(line.Name))
		return
	}
	c.names[line.Name] = ""
	if !aDevice(line.Source) { // a file
		return
	}
	ref, why := c.layout.resolve(line.Source)
	if why != "" {
		c.find(file, line.Line, "%s %s", quoteIfOdd(line.Source), why)
		return
	}
	headers := c.layout.standing("luks", ref)
	if len(headers) == 0 {
		if !line.headless() {
			c.find(file, line.Line, "%s names %s, which is not encrypted", quoteIfOdd(line.Source), ref)
		}
		return
	}
	c.names[line.Name] = headers[0]
	if was := c.layout.LUKS[headers[0].ID()].Mapping; was != "" && was != line.Name {
		c.find(file, line.Line, "%s is opened as %s, it was %s", headers[0], quoteIfOdd(line.Name), quoteIfOdd(was))
	}
}

// headless tells whether the line is for a device without a LUKS header: one
// with a new key each time, or a format of others.
func (l CrypttabLine) headless() bool {
	return strings.HasPrefix(l.Key, "/dev/") || slices.ContainsFunc(l.Options, func(o string) bool {
		return slices.Contains([]string{"plain", "swap", "tmp", "tcrypt", "tcrypt-system", "bitlk", "fvault2", "loopaes"}, o) ||
			strings.HasPrefix(o, "tmp=") || strings.HasPrefix(o, "header=")
	})
}

func (c *tableCheck) fstab(line FstabLine) {
	const file = "fstab"
	if line.optional() {
		return
	}
	source := quoteIfOdd(line.Source)
	ref, why, headless := c.source(line)
	kind := "filesystem"
	if line.swapping() {
		kind = "swap"
	}
	switch {
	case headless || ref == "" && why == "":
		return
	case why != "":
		c.find(file, line.Line, "%s %s", source, why)
		return
	}
	standing := c.layout.standing(kind, ref)
	if len(standing) == 0 {
		if !strings.HasPrefix(string(ref), "unsupported.") {
			c.find(file, line.Line, "%s names %s, where no %s is", source, ref, kindWord(kind))
		}
		return
	}
	if fs := c.layout.FileSystem[standing[0].ID()]; kind == "filesystem" && fs.Btrfs != nil {
		c.subvolume(line, fs.Btrfs)
	}
}

// source finds the device of a line: no reason and no node for a line that is
// not about a device.
func (c *tableCheck) source(line FstabLine) (ref Ref, why string, headless bool) {
	if line.swapping() && strings.HasPrefix(line.Source, "/") && !aDevice(line.Source) {
		ref, why = c.layout.swapFile(line.Source)
		return ref, why, false
	}
	if !aDevice(line.Source) || slices.Contains(line.Options, "bind") || slices.Contains(line.Options, "rbind") {
		return "", "", false
	}
	if name, ok := strings.CutPrefix(line.Source, "/dev/mapper/"); ok {
		if ref, known := c.names[unmangled(name)]; known {
			return ref, "", ref == ""
		}
	}
	ref, why = c.layout.resolve(line.Source)
	return ref, why, false
}

func (l *Layout) swapFile(file string) (Ref, string) {
	var refs []Ref
	for id, s := range l.Swap {
		if s.File == path.Clean(file) {
			refs = append(refs, Ref("swap."+id))
		}
	}
	return l.only(refs)
}

// subvolume checks the options that name a subvolume.
func (c *tableCheck) subvolume(line FstabLine, fs *Btrfs) {
	if number, there := option(line.Options, "subvolid"); there && number != "5" && number != "0" && number != "256" {
		c.find("fstab", line.Line, "subvolid=%s: subvolumes get other numbers when they are made again", quoteIfOdd(number))
	}
	name, _ := option(line.Options, "subvol")
	if name = subvolumePath(name); name != "" && !fs.has(name) {
		c.find("fstab", line.Line, "there is no subvolume %s", quoteIfOdd(name))
	}
}

// has tells whether there is a subvolume at a path.
func (b *Btrfs) has(name string) bool {
	for id := range b.Subvolume {
		if at, err := SubvolumePath(id); err == nil && at == name {
			return true
		}
	}
	return false
}

// subvolumePath is the path of a subvolume without the slashes around it.
func subvolumePath(name string) string { return strings.Trim(path.Clean("/"+name), "/") }

// bootOnly are options that tell when to mount, not how, and those that are so
// anyway.
var bootOnly = []string{"defaults", "rw", "auto", "noauto", "nofail", "_netdev", "relatime", "subvol", "subvolid",
	"user", "users", "nouser", "owner", "group", "comment"}

// Mounts are the mounts of block devices that fstab asks for, by their paths.
// Lines whose device is not in the layout are left out; [Layout.CheckTables]
// tells of them.
func (l *Layout) Mounts(fstab, crypttab string) map[ID]*Mount {
	c := l.startCheck(crypttab)
	mounts := map[ID]*Mount{}
	for _, line := range ParseFstab(fstab) {
		ref, why, headless := c.source(line)
		if line.swapping() || why != "" || headless || ref == "" {
			continue
		}
		standing := l.standing("filesystem", ref)
		if len(standing) != 1 || !path.IsAbs(line.Target) {
			continue
		}
		m := &Mount{On: standing[0]}
		if name, there := option(line.Options, "subvol"); there {
			m.Subvolume = subvolumePath(name)
		}
		m.Options = strings.Join(slices.DeleteFunc(slices.Clone(line.Options), func(o string) bool {
			key, _, _ := strings.Cut(o, "=")
			return key == "" || slices.Contains(bootOnly, key) || strings.HasPrefix(key, "x-")
		}), ",")
		mounts[ID(path.Clean(line.Target))] = m
	}
	return mounts
}

// Mappings are the names that crypttab gives to LUKS devices, by their UUIDs.
func (l *Layout) Mappings(crypttab string) map[ID]string {
	names := map[ID]string{}
	for name, ref := range l.startCheck(crypttab).names {
		if id := ref.ID(); id != "" && (names[id] == "" || name < names[id]) {
			names[id] = name
		}
	}
	return names
}
