// Package export tells a storage layout in the languages of those who install
// machines by other means: FAI, kickstart, disko, systemd-repart.
//
// It reads nothing but the layout, and starts nothing. What a language has no
// word for is told in notes, which also stand in the text as comments where
// they belong. Equal layouts give equal texts.
//
// Most of the languages end up in a shell. Names that a person chose and that
// are more than letters, digits, spaces and a few harmless signs are therefore
// left out with a note; other values that are not what they must be are errors.
package export

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rootwc/probes"
)

// formats are the languages by name.
var formats = map[string]struct {
	intro string
	write func(*machine)
}{
	"fai":       {"FAI, setup-storage(8): a file of disk_config", (*machine).fai},
	"kickstart": {"kickstart: the storage commands of a file for Anaconda", (*machine).kickstart},
	"disko":     {"disko: a NixOS module", (*machine).disko},
	"repart":    {"systemd-repart: files of repart.d(5)", (*machine).repart},
}

// Formats are the languages that [Export] knows.
func Formats() []string { return slices.Sorted(maps.Keys(formats)) }

// Export tells a layout in a language. disks are the paths of the disks that
// it is for, for those that have one; groups are the texts of its volume
// groups, without which the stripes and copies of their volumes are not known.
// Notes are sentences on what the text does not say.
func Export(format string, l *probes.Layout, disks map[probes.ID]string, groups ...*probes.VGText) (text string, notes []string, err error) {
	f, known := formats[format]
	if !known {
		return "", nil, fmt.Errorf("unknown format %q: it is one of %s", format, strings.Join(Formats(), ", "))
	}
	m, err := newMachine(l, disks, groups)
	if err != nil {
		return "", nil, fmt.Errorf("cannot export the layout: %w", err)
	}
	m.comment("%s", f.intro)
	m.comment("written by rootwc rebuild --export %s", format)
	f.write(m)
	if err := errors.Join(m.wrong...); err != nil {
		return "", nil, fmt.Errorf("cannot export the layout: %w", err)
	}
	return m.text.String(), m.notes, nil
}
