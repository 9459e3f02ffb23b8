package probes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"

	"rootwc/internal/page"
)

// Boot is how a machine starts: what the firmware knows, and what of the files
// in the tree matters when the machine is set up again. It is a page beside the
// [Layout].
type Boot struct {
	Format      string           `toml:"format"`
	Firmware    string           `toml:"firmware"`        // "uefi" or "bios"; "" when the machine was not running
	Order       []string         `toml:"boot-order"`      // of Entry: what the firmware tries, first one first
	CommandLine string           `toml:"command-line"`    // the kernel's
	From        string           `toml:"command-line-of"` // where that is from: "/proc/cmdline", "/etc/default/grub"
	Resume      Ref              `toml:"resume"`          // the swap that holds a sleeping machine
	Loader      map[ID]*Loader   `toml:"loader"`          // by name: "grub", "systemd-boot"
	Initramfs   *Initramfs       `toml:"initramfs"`
	Entry       map[ID]*EFIEntry `toml:"entry"`
}

// Write writes the page as [Layout.Write] does a layout.
func (b *Boot) Write(w io.Writer) error { return page.Write(w, b) }

// ParseBoot reads what [Boot.Write] wrote.
func ParseBoot(text []byte) (*Boot, error) { return page.Read[Boot](text, Format) }

// CompareBoot lists what differs, in the order of the text.
func CompareBoot(old, now *Boot) (changes []Change) {
	// what is in the tables is compared by name, what is above them here
	above := func(b *Boot) reflect.Value {
		c := *b
		c.Format, c.Loader, c.Entry = "", nil, nil
		return reflect.ValueOf(c)
	}
	for _, what := range differences("", above(old), above(now)) {
		changes = append(changes, Change{"", "boot: " + what})
	}
	return append(changes, compareNodes(old, now)...)
}

// ReadBoot reads how the machine whose files are in root starts. Of a machine
// that is running sys and proc are its /sys and /proc; otherwise they are nil.
// Paths in root may be links: [os.Root.FS] keeps them inside. Findings are
// sentences on what makes no sense, or will not be there on another disk.
func ReadBoot(root, sys, proc fs.FS, layout *Layout) (*Boot, []string, error) {
	r := &bootReader{root: root, layout: layout, boot: &Boot{Format: Format}}
	if sys != nil {
		if err := r.firmware(sys); err != nil {
			return nil, nil, fmt.Errorf("cannot read how the machine starts: %w", err)
		}
	}
	r.loaders()
	r.commandLine(proc)
	r.boot.Initramfs = r.initramfs()
	r.resume()
	return r.boot, r.findings, nil
}

// runningCommandLine is where a running kernel shows its own.
const runningCommandLine = "/proc/cmdline"

// keep takes from an earlier page what does not show now: the command line of a
// machine that is not running, and the boot entries of one that was started by
// BIOS this time, as its boot loader can be there for both.
func (b *Boot) keep(before *Boot, running bool) {
	if b.Firmware == "" || b.Firmware == "bios" && len(before.Entry) > 0 {
		b.Firmware, b.Order, b.Entry = before.Firmware, before.Order, before.Entry
	}
	if !running && before.From == runningCommandLine {
		b.CommandLine, b.From = before.CommandLine, before.From
	}
}

// bootReader is a reading that is going on.
type bootReader struct {
	root     fs.FS
	layout   *Layout
	boot     *Boot
	findings []string
}

func (r *bootReader) find(format string, args ...any) {
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

// firmware reads the boot entries. The kernel has the directory when it was
// started by UEFI, and the variables when efivarfs is mounted.
func (r *bootReader) firmware(sys fs.FS) error {
	_, err := fs.Stat(sys, "firmware/efi")
	if errors.Is(err, fs.ErrNotExist) {
		r.boot.Firmware = "bios"
		return nil
	}
	if err != nil {
		return err
	}
	r.boot.Firmware = "uefi"
	vars, err := fs.Sub(sys, "firmware/efi/efivars")
	if err != nil {
		return err
	}
	options, findings, err := ReadEFIOptions(vars)
	if errors.Is(err, fs.ErrNotExist) {
		r.find("the firmware's boot entries are not recorded: efivarfs is not there")
		return nil
	}
	if err != nil {
		return err
	}
	r.findings = append(r.findings, findings...)
	r.boot.Entry = r.entries(options)
	for _, id := range options.Order {
		if r.boot.Entry[id] != nil && !slices.Contains(r.boot.Order, string(id)) {
			r.boot.Order = append(r.boot.Order, string(id))
		}
	}
	return nil
}

// entries are the boot entries that start from a partition. What else there is
// the firmware makes itself: its menu, the network, whole disks.
func (r *bootReader) entries(options *EFIOptions) map[ID]*EFIEntry {
	all := map[ID]*EFIEntry{}
	for _, id := range slices.Sorted(maps.Keys(options.Option)) {
		o := options.Option[id]
		if o.Entry.PARTUUID == "" {
			continue
		}
		e := o.Entry
		all[id] = &e
		p := r.layout.Partition[ID(e.PARTUUID)]
		if p == nil {
			r.find("boot entry %s %s starts from partition %s, which is not in the layout", id, page.Quote(e.Label), e.PARTUUID)
			continue
		}
		e.Partition, e.PARTUUID = Ref("partition."+e.PARTUUID), ""
		if want := p.place(); o.Place.Number != want.Number || o.Place.FirstLBA != want.FirstLBA || o.Place.Sectors != want.Sectors {
			r.find("boot entry %s %s has another place for %s than the partition table", id, page.Quote(e.Label), e.Partition)
		}
	}
	return all
}

// place is where a boot entry says that the partition is.
func (p *Partition) place() EFIPlace {
	return EFIPlace{Number: p.Number, FirstLBA: p.FirstLBA, Sectors: p.LastLBA - p.FirstLBA + 1}
}

// Option is an entry as a variable of the firmware holds it, for the partition
// as the layout has it.
func (l *Layout) Option(e *EFIEntry) ([]byte, error) {
	id := e.Partition.ID()
	p := l.Partition[id]
	if p == nil {
		return nil, fmt.Errorf("no partition %s", page.Quote(string(id)))
	}
	return e.Encode(string(id), p.place())
}

// resume finds the swap that the initramfs wakes the machine from: the kernel's
// command line names it, or a file of initramfs-tools.
func (r *bootReader) resume() {
	from, spec := "the command line", ""
	for _, word := range Words(r.boot.CommandLine) {
		if v, ok := strings.CutPrefix(word, "resume="); ok {
			spec = v
		}
		if strings.HasPrefix(word, "resume_offset=") {
			r.find("the command line has %s: a swap file that is made again is elsewhere", quoteIfOdd(word))
		}
	}
	if spec == "" {
		from = "initramfs-tools"
		spec = r.assignments("etc/initramfs-tools/conf.d/resume")["RESUME"]
	}
	if spec == "" || spec == "none" || spec == "auto" {
		return
	}
	ref, why := r.layout.resolve(spec)
	if why != "" {
		r.find("%s has resume=%s, which %s", from, quoteIfOdd(spec), why)
		return
	}
	swaps := r.layout.standing("swap", ref)
	for id, s := range r.layout.Swap { // a file
		if s.File != "" && s.On == ref {
			swaps = append(swaps, Ref("swap."+id))
		}
	}
	if len(swaps) != 1 {
		r.find("%s has resume=%s, where no swap is", from, quoteIfOdd(spec))
		return
	}
	r.boot.Resume = swaps[0]
}
