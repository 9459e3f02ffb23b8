package rebuild

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

// luks is an encrypted device that is made again.
type luks struct {
	*probes.LUKS
	id     probes.ID
	device string
	first  probes.ID // the keyslot that opens it
}

// LUKS makes the header of an encrypted device, with a new volume key, and its
// keyslots as far as somebody has their passphrases. It opens as [LUKSDevice].
func LUKS(id probes.ID, l *probes.LUKS, device string, have []probes.ID) (Layer, error) {
	if err := checkLUKS(id, l, device); err != nil {
		return Layer{}, fmt.Errorf("LUKS %s: %w", id, err)
	}
	known := slices.SortedFunc(maps.Keys(l.Slot), compareSlots)
	with := slices.DeleteFunc(slices.Clone(known), func(slot probes.ID) bool { return !slices.Contains(have, slot) })
	m := luks{LUKS: l, id: id, device: device, first: firstSlot(l, with)}
	if m.first == "" {
		return Layer{}, fmt.Errorf("LUKS %s: no passphrase for any keyslot that opens it", id)
	}
	made := Layer{Make: append(clearDevices(device), m.format()...)}
	for _, slot := range known {
		switch {
		case !slices.Contains(with, slot):
			made.note("keyslot %s of LUKS %s stays empty: nobody has given its passphrase", slot, id)
			continue
		case slot != m.first:
			made.Make = append(made.Make, m.addKey(slot))
		}
		made.Notes = append(made.Notes, m.noteSlot(slot)...)
	}
	for _, slot := range with { // a slot that is ignored helps to make no others
		made.Make = append(made.Make, m.priority(slot)...)
	}
	m.addTokens(&made, with)
	m.persist(&made)
	open := m.cryptsetup("open", "--type", "luks", "--key-slot", string(m.first), "--key-file", "-", device, luksName(id, l))
	open.Fails = []int{5} // it is open
	made.Open = []Action{m.withKeys(open, m.first), checkStands(LUKSDevice(id, l), device)}
	made.Close = []Action{m.cryptsetup("close", luksName(id, l))}
	return made, nil
}

// LUKSDevice is where the content of an open device is.
func LUKSDevice(id probes.ID, l *probes.LUKS) string { return "/dev/mapper/" + luksName(id, l) }

// luksName is the name of the mapping, or one of our own where that is odd:
// device-mapper takes more, in ways that differ.
func luksName(id probes.ID, l *probes.LUKS) string {
	if l.Mapping != "control" && isMapping.MatchString(l.Mapping) {
		return l.Mapping
	}
	return "luks-" + strings.ToLower(string(id))
}

// note adds a sentence on what will not be as it was.
func (l *Layer) note(format string, args ...any) {
	l.Notes = append(l.Notes, fmt.Sprintf(format, args...))
}

// compareSlots sorts keyslots and tokens by their numbers, which have been
// checked.
func compareSlots(a, b probes.ID) int {
	n, _ := strconv.Atoi(string(a))
	m, _ := strconv.Atoi(string(b))
	return n - m
}

// firstSlot is the keyslot to format with, "" for none: one that opens the
// content, and best one with the hash that the header has as well.
func firstSlot(l *probes.LUKS, with []probes.ID) (first probes.ID) {
	for _, slot := range with {
		s := l.Slot[slot]
		if s.Unbound == 0 && (first == "" || s.AFHash == l.Hash && l.Slot[first].AFHash != l.Hash) {
			first = slot
		}
	}
	return first
}

func (m luks) cryptsetup(args ...string) Action {
	return Action{Args: append([]string{"cryptsetup", "--batch-mode"}, args...), Env: toolEnv()}
}

// withKeys gives an action the passphrases of keyslots.
func (m luks) withKeys(a Action, slots ...probes.ID) Action {
	for _, slot := range slots {
		a.Keys = append(a.Keys, Key{LUKS: m.id, Slot: slot})
	}
	return a
}

// format makes the header with its first keyslot. Sizes are given wherever
// cryptsetup would choose by the device or its release.
func (m luks) format() []Action {
	args := []string{"luksFormat", "--type", "luks" + strconv.Itoa(m.Version), "--uuid", string(m.id), "--cipher", m.Cipher,
		"--key-size", strconv.Itoa(m.KeyBits - integrityBits[m.Integrity].key), "--hash", m.Hash, "--key-slot", string(m.first), "--key-file", "-"}
	if m.Version == 1 {
		args = append(args, "--align-payload", fmt.Sprint(m.Offset/512))
		args = append(args, m.costs(m.first)...)
		return []Action{m.withKeys(m.cryptsetup(append(args, m.device)...), m.first)}
	}
	args = append(args, "--offset", fmt.Sprint(m.Offset/512), "--sector-size", fmt.Sprint(m.Sector),
		"--luks2-metadata-size", fmt.Sprint(m.Metadata), "--luks2-keyslots-size", fmt.Sprint(m.Keyslots))
	if m.Label != "" {
		args = append(args, "--label="+m.Label)
	}
	if m.Subsystem != "" {
		args = append(args, "--subsystem="+m.Subsystem)
	}
	if m.Integrity != "" {
		args = append(args, "--integrity", integrityBits[m.Integrity].word)
	}
	args = append(args, m.costs(m.first)...)
	actions := []Action{m.withKeys(m.cryptsetup(append(args, m.device)...), m.first)}
	if s := m.Slot[m.first]; s.AFHash != m.Hash {
		convert := []string{"luksConvertKey", "--key-slot", string(m.first), "--key-file", "-", "--hash", s.AFHash}
		actions = append(actions, m.withKeys(m.cryptsetup(append(append(convert, m.costs(m.first)...), m.device)...), m.first))
	}
	return actions
}

// costs are the options for how a keyslot is derived and encrypted.
func (m luks) costs(slot probes.ID) []string {
	s := m.Slot[slot]
	args := []string{"--pbkdf-force-iterations", strconv.Itoa(s.Time)}
	if m.Version == 1 {
		return args
	}
	args = append(args, "--pbkdf", s.KDF)
	// cryptsetup 2.6 fails with its own default said aloud, where there is
	// integrity.
	if m.Integrity == "" || s.Cipher != "aes-xts-plain64" || s.KeyBits != 512 {
		args = append(args, "--keyslot-cipher", s.Cipher, "--keyslot-key-size", strconv.Itoa(s.KeyBits))
	}
	if s.KDF != "pbkdf2" {
		args = append(args, "--pbkdf-memory", fmt.Sprint(s.Memory>>10), "--pbkdf-parallel", strconv.Itoa(s.Parallel))
	}
	return args
}

// addKey makes a keyslot: that of the volume key with the help of the first
// one, any other with a key that is new as well.
func (m luks) addKey(slot probes.ID) Action {
	s := m.Slot[slot]
	args := []string{"luksAddKey", "--key-slot", string(slot), "--key-file", "-"}
	if m.Version == 2 {
		args = append(args, "--hash", s.AFHash)
	}
	if s.Unbound > 0 {
		args = append(args, "--unbound", "--key-size", strconv.Itoa(s.Unbound))
		return m.withKeys(m.cryptsetup(append(append(args, m.costs(slot)...), m.device)...), slot)
	}
	return m.withKeys(m.cryptsetup(append(append(args, m.costs(slot)...), m.device, "/dev/fd/3")...), m.first, slot)
}

func (m luks) priority(slot probes.ID) []Action {
	if p := m.Slot[slot].Priority; p != "" {
		return []Action{m.cryptsetup("config", "--key-slot", string(slot), "--priority", p, m.device)}
	}
	return nil
}

// noteSlot says what cryptsetup does to a slot on a lesser machine, see
// init_pbkdf_type there, and what it cannot say.
func (m luks) noteSlot(slot probes.ID) (notes []string) {
	s := m.Slot[slot]
	find := func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf("keyslot %s of LUKS %s ", slot, m.id)+fmt.Sprintf(format, args...))
	}
	var info unix.Sysinfo_t
	if n := runtime.NumCPU(); s.Parallel > n {
		find("gets %d threads instead of %d: so many processors are here", n, s.Parallel)
	}
	if unix.Sysinfo(&info) == nil && s.Memory > uint64(info.Totalram)*uint64(info.Unit)/2 {
		find("gets less memory than %s: so much is not here", probes.Size(s.Memory))
	}
	if m.Version == 2 && s.KDF == "pbkdf2" && s.Hash != s.AFHash {
		find("gets the hash %s for its passphrase, not %s", s.AFHash, s.Hash)
	}
	return notes
}

// addTokens makes the tokens whose content is known, for the keyslots that are
// there.
func (m luks) addTokens(made *Layer, with []probes.ID) {
	for _, id := range slices.SortedFunc(maps.Keys(m.Token), compareSlots) {
		t := m.Token[id]
		if t.Type != probes.TokenKeyring {
			made.note("token %s of LUKS %s is gone: enrol %s again", id, m.id, t.Type)
			continue
		}
		slots := []string{}
		for _, slot := range t.Slots {
			if slices.Contains(with, probes.ID(slot)) {
				slots = append(slots, slot)
			}
		}
		text, _ := json.Marshal(map[string]any{"type": t.Type, "keyslots": slots, "key_description": t.Description})
		a := m.cryptsetup("token", "import", "--token-id", string(id), m.device)
		a.Stdin = string(text)
		made.Make = append(made.Make, a)
	}
}

// persist writes the flags into the header, which only happens where it is
// opened with them.
func (m luks) persist(made *Layer) {
	if len(m.Flags) == 0 {
		return
	}
	args := []string{"open", "--type", "luks2", "--persistent", "--key-slot", string(m.first), "--key-file", "-"}
	for _, flag := range m.Flags {
		args = append(args, flagOptions[flag])
	}
	name := luksName(m.id, m.LUKS)
	made.Make = append(made.Make, m.withKeys(m.cryptsetup(append(args, m.device, name)...), m.first), m.cryptsetup("close", name))
}
