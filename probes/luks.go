package probes

import (
	"bytes"
	"crypto/sha1" // hashes that headers may be summed with
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"unicode/utf8"
)

// LUKS is an encrypted device. Its ID is the header's UUID. Salts, digests and
// keys are not recorded.
type LUKS struct {
	On          Ref               `toml:"on"`
	Version     int               `toml:"version"`
	Label       string            `toml:"label"`
	Subsystem   string            `toml:"subsystem"`
	Mapping     string            `toml:"mapping-name"`
	Cipher      string            `toml:"cipher"`
	KeyBits     int               `toml:"key-bits"`
	Hash        string            `toml:"hash"`
	Integrity   string            `toml:"integrity"` // LUKS2: as the header has it, "hmac(sha256)"
	Sector      uint64            `toml:"sector-size" unit:"bytes"`
	Offset      uint64            `toml:"offset" unit:"bytes"`        // of the content, bytes
	Metadata    uint64            `toml:"metadata-size" unit:"bytes"` // LUKS2: bytes, of one of the two copies
	Keyslots    uint64            `toml:"keyslots-size" unit:"bytes"` // LUKS2: bytes
	Flags       []string          `toml:"flags"`
	Slot        map[ID]*Keyslot   `toml:"slot"`
	Token       map[ID]*LUKSToken `toml:"token"`
	Unsupported string            `toml:"unsupported"`
}

// Keyslot is how one passphrase opens a LUKS device, without the passphrase.
type Keyslot struct {
	KDF      string `toml:"kdf"` // "argon2id", "pbkdf2"
	Hash     string `toml:"hash"`
	Time     int    `toml:"time"`                // argon2: passes; pbkdf2: iterations
	Memory   uint64 `toml:"memory" unit:"bytes"` // argon2: bytes
	Parallel int    `toml:"parallel"`            // argon2: threads
	AFHash   string `toml:"af-hash"`             // of the anti-forensic splitter
	Cipher   string `toml:"cipher"`              // of the slot's own area
	KeyBits  int    `toml:"key-bits"`            // of that
	Priority string `toml:"priority"`            // "prefer" or "ignore"
	Unbound  int    `toml:"unbound"`             // bits of a key that opens nothing here
}

// LUKSToken is a LUKS2 token; what it holds may be a secret and is not here.
// That of the kernel's keyring holds the name of a key.
type LUKSToken struct {
	Type        string   `toml:"type"`
	Slots       []string `toml:"slots"`
	Description string   `toml:"key-description"` // of type TokenKeyring
}

// TokenKeyring is the type of token that names a key in the kernel's keyring.
const TokenKeyring = "luks2-keyring"

const luksMagic, luksBackupMagic = "LUKS\xba\xbe", "SKUL\xba\xbe"

// refuse keeps the first reason for which a device cannot be made again.
func (l *LUKS) refuse(format string, args ...any) {
	if l.Unsupported == "" {
		l.Unsupported = fmt.Sprintf(format, args...)
	}
}

// readLUKS reads the header of an encrypted device and its UUID. Findings are
// sentences on a copy of the header that is damaged. It fails with errAbsent
// when there is no header, and names the mapping not at all: that is the
// kernel's or crypttab's.
func readLUKS(r io.ReaderAt, size uint64) (id ID, l *LUKS, findings []string, err error) {
	m := medium{r, size}
	if size < 4096 {
		return "", nil, nil, errAbsent
	}
	head, err := m.read(0, 8)
	if err != nil {
		return "", nil, nil, err
	}
	if string(head) == luksMagic+"\x00\x01" {
		id, l, err = readLUKS1(m)
		if err == nil {
			err = checkLUKSID(id)
		}
		return id, l, nil, err
	}
	return readLUKS2(m)
}

// checkLUKSID checks the UUID of a header: cryptsetup writes no other.
func checkLUKSID(id ID) error {
	if !isGUID.MatchString(strings.ToLower(string(id))) {
		return fmt.Errorf("LUKS header: %q is no UUID", id)
	}
	return nil
}

// readLUKS1 reads a header of the first version. Source: "LUKS On-Disk Format
// Specification Version 1.2.3". It has no checksum.
func readLUKS1(m medium) (ID, *LUKS, error) {
	b, err := m.read(0, 592)
	if err != nil {
		return "", nil, err
	}
	be := binary.BigEndian
	l := &LUKS{
		Version: 1, Cipher: untilNUL(b[8:40]) + "-" + untilNUL(b[40:72]), KeyBits: int(be.Uint32(b[108:])) * 8,
		Hash: untilNUL(b[72:104]), Sector: 512, Offset: uint64(be.Uint32(b[104:])) * 512, Slot: map[ID]*Keyslot{},
	}
	if l.KeyBits <= 0 || l.KeyBits > 4096 {
		return "", nil, fmt.Errorf("LUKS1 header: key of %d bits", l.KeyBits)
	}
	if l.Offset == 0 {
		l.refuse("a header that is detached from its content")
	}
	for i := range 8 {
		slot := b[208+48*i:]
		switch state := be.Uint32(slot); state {
		case 0x00ac71f3:
			l.Slot[ID(fmt.Sprint(i))] = &Keyslot{KDF: "pbkdf2", Hash: l.Hash, Time: int(be.Uint32(slot[4:]))}
			if stripes := be.Uint32(slot[44:]); stripes != 4000 {
				l.refuse("keyslot %d has %d stripes", i, stripes)
			}
		case 0x0000dead:
		default:
			return "", nil, fmt.Errorf("LUKS1 header: keyslot %d has the state %08x", i, state)
		}
	}
	return ID(untilNUL(b[168:208])), l, nil
}

// luks2Header is one of the two copies of the binary header of LUKS2, with the
// JSON area behind it. Source: "LUKS2 On-Disk Format Specification".
type luks2Header struct {
	size, sequence         uint64
	label, subsystem, uuid string
	json                   []byte
}

// luks2Sizes are those that the two copies may have; the second one begins
// where the first ends.
var luks2Sizes = []uint64{16 << 10, 32 << 10, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20}

// readLUKS2 reads both copies and believes the one with the higher sequence
// number, as cryptsetup does.
func readLUKS2(m medium) (id ID, l *LUKS, findings []string, err error) {
	primary, perr := readLUKS2Header(m, luksMagic, 0)
	places := luks2Sizes
	if primary != nil {
		places = []uint64{primary.size}
	}
	var secondary *luks2Header
	serr := errAbsent
	for _, at := range places {
		if secondary, serr = readLUKS2Header(m, luksBackupMagic, at); !errors.Is(serr, errAbsent) {
			break
		}
	}
	best := primary
	switch {
	case primary == nil && secondary == nil:
		// The second copy alone, gone bad as well, is what remains of something
		// else.
		if errors.Is(perr, errAbsent) {
			return "", nil, nil, errAbsent
		}
		return "", nil, nil, fmt.Errorf("first LUKS2 header: %w; second: %w", perr, serr)
	case primary == nil:
		best, findings = secondary, []string{fmt.Sprintf("first LUKS2 header: %v; the second is read", perr)}
	case secondary == nil:
		findings = []string{fmt.Sprintf("second LUKS2 header: %v", serr)}
	case secondary.sequence > primary.sequence:
		best, findings = secondary, []string{"the second LUKS2 header is newer than the first"}
	case secondary.sequence < primary.sequence:
		findings = []string{"the second LUKS2 header is older than the first"}
	}
	if err := checkLUKSID(ID(best.uuid)); err != nil {
		return "", nil, nil, err
	}
	l = &LUKS{Version: 2, Label: best.label, Subsystem: best.subsystem, Metadata: best.size}
	if !utf8.ValidString(best.label + best.subsystem) {
		l.refuse("its label or subsystem is no UTF-8")
	}
	if err := l.readJSON(best.json); err != nil {
		return "", nil, nil, fmt.Errorf("LUKS2 header: %w", err)
	}
	return ID(best.uuid), l, findings, nil
}

// readLUKS2Header reads a copy and checks its sum.
func readLUKS2Header(m medium, magic string, at uint64) (*luks2Header, error) {
	if m.size < 4096 || at > m.size-4096 {
		return nil, errAbsent
	}
	b, err := m.read(at, 4096)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	if string(b[:6]) != magic {
		return nil, errAbsent
	}
	h := &luks2Header{
		size: be.Uint64(b[8:]), sequence: be.Uint64(b[16:]),
		label: untilNUL(b[24:72]), uuid: untilNUL(b[168:208]), subsystem: untilNUL(b[208:256]),
	}
	sized := false
	for _, size := range luks2Sizes {
		sized = sized || h.size == size
	}
	switch version := be.Uint16(b[6:]); {
	case version != 2:
		return nil, fmt.Errorf("version %d", version)
	case !sized:
		return nil, fmt.Errorf("size %d", h.size)
	case be.Uint64(b[256:]) != at:
		return nil, fmt.Errorf("it is for offset %d, not %d", be.Uint64(b[256:]), at)
	}
	whole, err := m.read(at, h.size)
	if err != nil {
		return nil, err
	}
	sum := bytes.Clone(whole[448:512])
	clear(whole[448:512])
	if err := checkLUKS2(untilNUL(b[72:104]), whole, sum); err != nil {
		return nil, err
	}
	h.json, _, _ = bytes.Cut(whole[4096:], []byte{0})
	return h, nil
}

// checkLUKS2 compares a header with its sum. All of cryptsetup write sha256;
// the format allows others.
func checkLUKS2(algorithm string, header, sum []byte) error {
	makers := map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New}
	maker := makers[strings.ToLower(algorithm)]
	if maker == nil {
		return fmt.Errorf("unknown checksum %q", algorithm)
	}
	h := maker()
	h.Write(header)
	if !bytes.Equal(h.Sum(nil), sum[:h.Size()]) {
		return errors.New("wrong checksum")
	}
	return nil
}
