package export

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// mapping is the name of an open device.
func (m *machine) mapping(id probes.ID) string {
	if name := m.LUKS[id].Mapping; isMapping.MatchString(name) && name != "control" {
		return name
	}
	return "luks-" + strings.ToLower(m.must(isUUID, "luks", id, "UUID", string(id)))
}

// firstSlot is the keyslot whose costs an installer is told: the lowest that
// opens the content.
func (m *machine) firstSlot(id probes.ID) *probes.Keyslot {
	slots := slices.SortedFunc(maps.Keys(m.LUKS[id].Slot), func(a, b probes.ID) int {
		n, _ := strconv.Atoi(string(a))
		k, _ := strconv.Atoi(string(b))
		return n - k
	})
	for _, slot := range slots {
		if s := m.LUKS[id].Slot[slot]; s.Unbound == 0 {
			if len(slots) > 1 {
				m.note(ref("luks", id), "of its %d keyslots only %s is told", len(slots), slot)
			}
			return s
		}
	}
	return &probes.Keyslot{}
}

// luksFormat are the options of cryptsetup luksFormat.
func (m *machine) luksFormat(id probes.ID) []string {
	l, node := m.LUKS[id], ref("luks", id)
	word := func(what, value string) string { return m.must(isCipher, "luks", id, what, value) }
	args := []string{"--type", fmt.Sprintf("luks%d", l.Version), "--uuid", m.must(isUUID, "luks", id, "UUID", string(id)),
		"--cipher", word("cipher", l.Cipher), "--key-size", fmt.Sprint(l.KeyBits), "--hash", word("hash", l.Hash)}
	add := func(option string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "0" {
			args = append(args, option, text)
		}
	}
	s := m.firstSlot(id)
	if l.Version == 1 {
		add("--align-payload", l.Offset/512)
		add("--pbkdf-force-iterations", s.Time)
		return args
	}
	add("--offset", l.Offset/512)
	add("--sector-size", l.Sector)
	add("--luks2-metadata-size", l.Metadata)
	add("--luks2-keyslots-size", l.Keyslots)
	for _, name := range []struct{ what, value string }{{"label", l.Label}, {"subsystem", l.Subsystem}} {
		if text := m.label(node, name.what, name.value, ""); text != "" {
			args = append(args, "--"+name.what+"="+text) // it may begin with a dash
		}
	}
	if s.KDF != "" {
		add("--pbkdf", word("kdf", s.KDF))
		add("--pbkdf-force-iterations", s.Time)
		add("--pbkdf-memory", s.Memory>>10)
		add("--pbkdf-parallel", s.Parallel)
	}
	if l.Integrity != "" {
		m.note(node, "its integrity %q is not told", l.Integrity)
	}
	if len(l.Token) > 0 {
		m.note(node, "its tokens are not told")
	}
	return args
}
