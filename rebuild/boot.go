package rebuild

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// Entries makes the firmware's boot entries of the old machine again, those
// whose partition is in the layout, which has the places as they are now.
// Entries of others stay as they are, behind ours in the boot order. Present
// tells whether a partition is on a disk that the layout does not have, nil for
// none: an entry that looks like one of ours, and starts from a partition that
// is nowhere, is what an earlier installation has left.
func Entries(old *probes.Boot, layout *probes.Layout, vars Variables, present func(partuuid string) bool) (Layer, error) {
	if len(old.Entry) == 0 {
		return Layer{}, nil
	}
	if !vars.there() {
		return Layer{Notes: []string{withoutEntries(old, vars)}}, nil
	}
	now, _, err := probes.ReadEFIOptions(os.DirFS(string(vars)))
	if err != nil {
		return Layer{}, err
	}
	there := func(partuuid string) bool {
		return layout.Partition[probes.ID(partuuid)] != nil || present != nil && present(partuuid)
	}
	e := &entries{old: old, vars: vars, now: now, present: there, want: map[probes.ID][]byte{}, number: map[probes.ID]probes.ID{}}
	if err := e.encode(layout); err != nil {
		return Layer{}, err
	}
	e.classify()
	if err := e.assign(); err != nil {
		return Layer{}, err
	}
	e.plan()
	return e.Layer, nil
}

// withoutEntries says what comes of it that the firmware cannot be told.
func withoutEntries(old *probes.Boot, vars Variables) string {
	why := fmt.Sprintf("boot entries are not made again: there is nothing in %s, because this system was not started by UEFI or efivarfs is not mounted", vars)
	if l := old.Loader["fallback"]; l != nil && len(l.Programs) > 0 {
		return why + fmt.Sprintf("; the machine starts without them by %q", l.Programs[0])
	}
	return why + "; without them the machine does not start by itself: choose its loader in the firmware's menu"
}

// entries is a plan for boot entries in the making.
type entries struct {
	Layer
	old     *probes.Boot
	vars    Variables
	now     *probes.EFIOptions
	present func(string) bool

	want   map[probes.ID][]byte    // content of variables, by the old names
	ours   []probes.ID             // variables there are that may be written over
	number map[probes.ID]probes.ID // where each goes
}

// A layout may come from a repository, and these become names of files.
var isEntry = regexp.MustCompile(`^Boot[0-9A-F]{4}$`)

// encode writes down what each entry has to be.
func (e *entries) encode(layout *probes.Layout) error {
	for _, id := range slices.Sorted(maps.Keys(e.old.Entry)) {
		entry := e.old.Entry[id]
		if !isEntry.MatchString(string(id)) {
			return fmt.Errorf("boot entry %q: no name of one", id)
		}
		if entry.Partition == "" {
			e.Notes = append(e.Notes, fmt.Sprintf("boot entry %s %q is not made again: it starts from partition %q, which was not on the machine's disks", id, entry.Label, entry.PARTUUID))
			continue
		}
		if layout.Partition[partitionID(entry)] == nil {
			e.Notes = append(e.Notes, fmt.Sprintf("boot entry %s %q is not made again: there is no %q", id, entry.Label, entry.Partition))
			continue
		}
		content, err := layout.Option(entry)
		if err != nil {
			return fmt.Errorf("boot entry %s: %w", id, err)
		}
		e.want[id] = content
	}
	return nil
}

func partitionID(e *probes.EFIEntry) probes.ID {
	id, _ := strings.CutPrefix(string(e.Partition), "partition.")
	return probes.ID(id)
}

// classify finds the variables that are ours.
func (e *entries) classify() {
	for _, id := range slices.Sorted(maps.Keys(e.now.Option)) {
		if e.isOurs(e.now.Option[id]) {
			e.ours = append(e.ours, id)
		}
	}
}

// isOurs tells whether an option is one of ours, now or from before.
func (e *entries) isOurs(o *probes.LoadOption) bool {
	if o.Entry.PARTUUID == "" {
		return false
	}
	for id := range e.want {
		mine := e.old.Entry[id]
		switch sameProgram := strings.EqualFold(mine.Loader, o.Entry.Loader) && slices.Equal(mine.Path, o.Entry.Path); {
		case !sameProgram:
		case o.Entry.PARTUUID == string(partitionID(mine)):
			return true
		case o.Entry.Label == mine.Label && !e.present(o.Entry.PARTUUID):
			return true
		}
	}
	return false
}

// assign gives each entry a number: its old one, unless that is somebody
// else's.
func (e *entries) assign() error {
	taken := map[probes.ID]bool{}
	for _, id := range e.now.Broken {
		taken[id] = true
	}
	for id := range e.now.Option {
		taken[id] = !slices.Contains(e.ours, id)
	}
	ids := slices.Sorted(maps.Keys(e.want))
	var homeless []probes.ID
	for _, id := range ids {
		if taken[id] {
			homeless = append(homeless, id)
			continue
		}
		e.number[id], taken[id] = id, true
	}
	for _, id := range homeless {
		number, ok := free(taken)
		if !ok {
			return fmt.Errorf("boot entry %s: the firmware has no free number", id)
		}
		e.number[id], taken[number] = number, true
		e.Notes = append(e.Notes, fmt.Sprintf("boot entry %s %q becomes %s: the number is taken", id, e.old.Entry[id].Label, number))
	}
	return nil
}

// free is the lowest number that nobody else has: the same each time.
func free(taken map[probes.ID]bool) (probes.ID, bool) {
	for n := range 1 << 16 {
		if number := probes.ID(fmt.Sprintf("Boot%04X", n)); !taken[number] {
			return number, true
		}
	}
	return "", false
}

// plan lists what is written: entries first, so that the order names none that
// is not there, and what is left over is removed last.
func (e *entries) plan() {
	used := map[probes.ID]bool{}
	for _, id := range slices.Sorted(maps.Keys(e.number)) {
		number, content := e.number[id], e.want[id]
		used[number] = true
		if o := e.now.Option[number]; o != nil && bytes.Equal(o.Raw, content) {
			continue
		}
		entry := e.old.Entry[id]
		e.Make = append(e.Make, Action{
			Words: fmt.Sprintf("write boot entry %s %q: %q on %s", number, entry.Label, entry.Loader, entry.Partition),
			Do:    func() error { return e.vars.write(number, content) },
		})
	}
	e.planOrder(used)
	for _, id := range e.ours {
		if used[id] {
			continue
		}
		o := e.now.Option[id].Entry
		e.Make = append(e.Make, Action{
			Words: fmt.Sprintf("remove boot entry %s %q: %q on partition %s, of an earlier installation", id, o.Label, o.Loader, o.PARTUUID),
			Do:    func() error { return e.vars.remove(id) },
		})
	}
}

// planOrder puts ours first, as they were, and then those of others as they
// are.
func (e *entries) planOrder(ours map[probes.ID]bool) {
	var order []probes.ID
	add := func(id probes.ID) {
		if !slices.Contains(order, id) {
			order = append(order, id)
		}
	}
	for _, id := range e.old.Order {
		if number, made := e.number[probes.ID(id)]; made {
			add(number)
		}
	}
	for _, id := range e.now.Order {
		if !ours[id] && !slices.Contains(e.ours, id) {
			add(id)
		}
	}
	switch {
	case slices.Equal(order, e.now.Order):
		return
	case len(order) == 0: // to the firmware an empty variable is none
		e.Make = append(e.Make, Action{Words: "remove the boot order", Do: func() error { return e.vars.remove("BootOrder") }})
		return
	}
	var content []byte
	var words []string
	for _, id := range order {
		n, _ := strconv.ParseUint(strings.TrimPrefix(string(id), "Boot"), 16, 16)
		content = binary.LittleEndian.AppendUint16(content, uint16(n))
		words = append(words, string(id))
	}
	e.Make = append(e.Make, Action{
		Words: "write the boot order: " + strings.Join(words, ", "),
		Do:    func() error { return e.vars.write("BootOrder", content) },
	})
}
