package probes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"rootwc/internal/page"
)

// The JSON area of a LUKS2 header, as far as it is recorded. Numbers of 64 bits
// stand in it as strings. Unknown keys are no error, because a token may have
// any; unknown types of what is recorded are Unsupported.
type luksArea struct {
	Keyslots map[ID]luksKeyslot `json:"keyslots"`
	Tokens   map[ID]luksToken   `json:"tokens"`
	Segments map[ID]luksSegment `json:"segments"`
	Digests  map[ID]luksDigest  `json:"digests"`
	Config   struct {
		JSONSize     uint64   `json:"json_size,string"`
		KeyslotsSize uint64   `json:"keyslots_size,string"`
		Flags        []string `json:"flags"`
		Requirements struct {
			Mandatory []string `json:"mandatory"`
		} `json:"requirements"`
	} `json:"config"`
}

type luksKeyslot struct {
	Type     string `json:"type"`
	KeySize  int    `json:"key_size"` // bytes
	Priority *int   `json:"priority"`
	AF       struct {
		Stripes int    `json:"stripes"`
		Hash    string `json:"hash"`
	} `json:"af"`
	Area struct {
		Type       string `json:"type"`
		Encryption string `json:"encryption"`
		KeySize    int    `json:"key_size"` // bytes
	} `json:"area"`
	KDF struct {
		Type       string `json:"type"`
		Hash       string `json:"hash"`
		Time       int    `json:"time"`
		Iterations int    `json:"iterations"`
		Memory     uint64 `json:"memory"` // KiB
		CPUs       int    `json:"cpus"`
	} `json:"kdf"`
}

type luksToken struct {
	Type        string   `json:"type"`
	Keyslots    []string `json:"keyslots"`
	Description any      `json:"key_description"`
}

type luksSegment struct {
	Type       string `json:"type"`
	Offset     uint64 `json:"offset,string"`
	Size       string `json:"size"` // "dynamic", or bytes
	IVTweak    string `json:"iv_tweak"`
	Encryption string `json:"encryption"`
	SectorSize uint64 `json:"sector_size"`
	Integrity  *struct {
		Type string `json:"type"`
	} `json:"integrity"`
	Flags []string `json:"flags"`
}

type luksDigest struct {
	Type     string   `json:"type"`
	Keyslots []string `json:"keyslots"`
	Segments []string `json:"segments"`
	Hash     string   `json:"hash"`
}

// readJSON takes over what the area says.
func (l *LUKS) readJSON(text []byte) error {
	var area luksArea
	if err := json.Unmarshal(text, &area); err != nil {
		return err
	}
	if area.Config.JSONSize+4096 != l.Metadata {
		return fmt.Errorf("its JSON says that it has %d bytes, there are %d", area.Config.JSONSize, l.Metadata-4096)
	}
	l.Keyslots, l.Flags = area.Config.KeyslotsSize, sorted(area.Config.Flags)
	for _, what := range area.Config.Requirements.Mandatory {
		l.refuse("the header requires %s", what)
	}
	content, ok := area.Segments["0"]
	if !ok {
		return fmt.Errorf("its JSON has no segment 0")
	}
	l.readSegment(content, len(area.Segments))
	for id, d := range area.Digests {
		if slices.Contains(d.Segments, "0") {
			l.Hash = d.Hash
			l.readKeyBits(area, d)
		}
		if d.Type != "pbkdf2" {
			l.refuse("digest %s has the type %s", id, d.Type)
		}
	}
	l.Slot, l.Token = map[ID]*Keyslot{}, map[ID]*LUKSToken{}
	for _, id := range area.ids() {
		if n, err := strconv.ParseUint(string(id), 10, 8); err != nil || n > 31 {
			return fmt.Errorf("its JSON has a keyslot or token %q", id)
		}
	}
	for id, s := range area.Keyslots {
		l.Slot[id] = l.readKeyslot(id, s, area.bound(string(id)))
	}
	for id, t := range area.Tokens {
		slots := append([]string(nil), t.Keyslots...)
		slices.SortFunc(slots, page.CompareIDs)
		l.Token[id] = &LUKSToken{Type: t.Type, Slots: slots}
		if text, ok := t.Description.(string); ok && t.Type == TokenKeyring {
			l.Token[id].Description = text
		}
	}
	return nil
}

// ids are those of keyslots and tokens.
func (a luksArea) ids() []ID {
	return slices.Concat(slices.Collect(maps.Keys(a.Keyslots)), slices.Collect(maps.Keys(a.Tokens)))
}

func sorted(words []string) []string {
	if len(words) == 0 { // an empty list appears by use
		return nil
	}
	words = slices.Clone(words)
	slices.Sort(words)
	return words
}

// readSegment takes over what is encrypted and how. More than one segment is a
// re-encryption under way.
func (l *LUKS) readSegment(s luksSegment, segments int) {
	l.Cipher, l.Sector, l.Offset = s.Encryption, s.SectorSize, s.Offset
	switch {
	case s.Type != "crypt":
		l.refuse("content of type %s", s.Type)
	case segments != 1:
		l.refuse("it is being encrypted anew")
	case s.Size != "dynamic":
		l.refuse("its content has a fixed size of %s bytes", s.Size)
	case s.IVTweak != "0" && s.IVTweak != "":
		l.refuse("its sectors count from %s", s.IVTweak)
	case s.Offset == 0:
		l.refuse("a header that is detached from its content")
	case len(s.Flags) > 0:
		l.refuse("content with the flag %s", s.Flags[0])
	}
	if s.Integrity != nil {
		l.Integrity = s.Integrity.Type
	}
}

// readKeyBits finds how long the key is: each keyslot of the digest says it.
// Without a slot nobody can open the device.
func (l *LUKS) readKeyBits(area luksArea, d luksDigest) {
	for _, id := range d.Keyslots {
		if s, ok := area.Keyslots[ID(id)]; ok {
			l.KeyBits = max(l.KeyBits, s.KeySize*8)
		}
	}
	if l.KeyBits == 0 {
		l.refuse("no keyslot is left")
	}
}

// bound tells whether the key in a slot opens the content.
func (a luksArea) bound(slot string) bool {
	for _, d := range a.Digests {
		if slices.Contains(d.Keyslots, slot) && len(d.Segments) > 0 {
			return true
		}
	}
	return false
}

func (l *LUKS) readKeyslot(id ID, s luksKeyslot, bound bool) *Keyslot {
	if s.Type != "luks2" || s.Area.Type != "raw" || s.AF.Stripes != 4000 {
		l.refuse("keyslot %s has the type %s, %s, %d stripes", id, s.Type, s.Area.Type, s.AF.Stripes)
	}
	slot := &Keyslot{
		KDF: s.KDF.Type, Hash: s.KDF.Hash, Time: s.KDF.Time, Memory: s.KDF.Memory << 10, Parallel: s.KDF.CPUs,
		AFHash: s.AF.Hash, Cipher: s.Area.Encryption, KeyBits: s.Area.KeySize * 8,
	}
	if s.KDF.Type == "pbkdf2" {
		slot.Time = s.KDF.Iterations
	}
	if !bound {
		slot.Unbound = s.KeySize * 8
	}
	if s.Priority != nil {
		switch *s.Priority {
		case 0:
			slot.Priority = "ignore"
		case 1:
		case 2:
			slot.Priority = "prefer"
		default:
			l.refuse("keyslot %s has the priority %s", id, strconv.Itoa(*s.Priority))
		}
	}
	return slot
}
