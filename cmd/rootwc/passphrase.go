package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"rootwc/probes"
	"rootwc/rebuild"
	"rootwc/wc"
)

// keyring holds the passphrases of keyslots, in memory only.
type keyring struct {
	given []givenKey
	asked map[rebuild.Key][]byte
	used  map[int]bool
}

// givenKey is what an option gives.
type givenKey struct {
	spec, device, slot string // device "" is any, slot "" the first that opens
	secret             []byte
}

// readKeys reads what the options name: files as they are, and lines of text.
// "-" is the next line of standard input.
func (a *app) readKeys(files, passphrases []string) (*keyring, error) {
	k := &keyring{asked: map[rebuild.Key][]byte{}, used: map[int]bool{}}
	lines := bufio.NewReader(a.stdin)
	read := func(spec string, line bool) error {
		g := givenKey{spec: spec}
		name, path, named := strings.Cut(spec, "=")
		if !named {
			path = name
		} else if g.device, g.slot, _ = strings.Cut(name, ":"); g.device == "" {
			return fmt.Errorf("cannot use the key %q: it is [DEVICE[:SLOT]=]FILE", spec)
		}
		var err error
		if path == "-" {
			g.secret, err = lines.ReadBytes('\n')
			if errors.Is(err, io.EOF) && len(g.secret) > 0 {
				err = nil
			}
		} else {
			g.secret, err = os.ReadFile(path)
		}
		if err != nil {
			return fmt.Errorf("cannot read the key %q: %w", spec, err)
		}
		if line || path == "-" {
			g.secret = bytes.TrimSuffix(g.secret, []byte("\n"))
		}
		if len(g.secret) == 0 {
			return fmt.Errorf("cannot use the key %q: it is empty", spec)
		}
		k.given = append(k.given, g)
		return nil
	}
	for _, spec := range files {
		if err := read(spec, false); err != nil {
			return nil, err
		}
	}
	for _, spec := range passphrases {
		if err := read(spec, true); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// slots are the keyslots of a device that there are passphrases for.
func (k *keyring) slots(id probes.ID, l *probes.LUKS) (have []probes.ID) {
	for _, slot := range sortedSlots(l) {
		if k.find(id, l, slot) != nil {
			have = append(have, slot)
		}
	}
	return have
}

// sortedSlots are a device's keyslots by number.
func sortedSlots(l *probes.LUKS) []probes.ID {
	slots := slices.Collect(maps.Keys(l.Slot))
	slices.SortFunc(slots, func(a, b probes.ID) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(string(a), string(b))
	})
	return slots
}

// find is the passphrase of a keyslot; nil is none. One that is given for the
// very slot comes first.
func (k *keyring) find(id probes.ID, l *probes.LUKS, slot probes.ID) []byte {
	if secret, ok := k.asked[rebuild.Key{LUKS: id, Slot: slot}]; ok {
		return secret
	}
	ours := func(g givenKey) bool {
		return g.device == "" || strings.EqualFold(g.device, string(id)) || g.device == l.Mapping
	}
	for i, g := range k.given {
		if g.slot == string(slot) && ours(g) {
			k.used[i] = true
			return g.secret
		}
	}
	for i, g := range k.given {
		if g.slot == "" && ours(g) && slot == k.first(l) {
			k.used[i] = true
			return g.secret
		}
	}
	return nil
}

// first is the keyslot that a passphrase without a slot is for.
func (k *keyring) first(l *probes.LUKS) probes.ID {
	for _, slot := range sortedSlots(l) {
		taken := slices.ContainsFunc(k.given, func(g givenKey) bool { return g.slot == string(slot) && g.device == l.Mapping })
		if l.Slot[slot].Unbound == 0 && !taken {
			return slot
		}
	}
	return ""
}

// unused names a key that is for no device of the layout: a mistake in a name
// would otherwise show on the day when the machine does not start.
func (k *keyring) unused() error {
	for i, g := range k.given {
		if !k.used[i] {
			return fmt.Errorf("cannot use the key %q: the layout has no such encrypted device and keyslot", g.spec)
		}
	}
	return nil
}

// ask asks at the terminal for the passphrases of devices without one.
func (a *app) askPassphrases(k *keyring, layout *probes.Layout) error {
	in, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(layout.LUKS)) {
		l := layout.LUKS[id]
		if len(k.slots(id, l)) > 0 {
			continue
		}
		for _, slot := range sortedSlots(l) {
			question := fmt.Sprintf("Passphrase for keyslot %s of %s (nothing leaves it empty): ", slot, safe(layout.Name(probes.Ref("luks."+id))))
			secret, err := a.readSecret(in, question)
			if err != nil {
				return err
			}
			if len(secret) == 0 {
				continue
			}
			again, err := a.readSecret(in, "The same once more: ")
			if err != nil {
				return err
			}
			if !bytes.Equal(secret, again) {
				return wc.Refuse("the two passphrases differ")
			}
			k.asked[rebuild.Key{LUKS: id, Slot: slot}] = secret
		}
	}
	return nil
}

// readSecret asks without showing the answer.
func (a *app) readSecret(in *os.File, question string) ([]byte, error) {
	a.progress.clear()
	a.out.Flush()
	fmt.Fprint(a.err, question)
	defer fmt.Fprintln(a.err)
	secret, err := term.ReadPassword(int(in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot read a passphrase: %w", err)
	}
	return secret, nil
}
