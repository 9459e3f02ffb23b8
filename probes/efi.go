package probes

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// EFIEntry is a boot entry of UEFI firmware that starts a program from a
// partition. Its ID is the variable's name, "Boot0003".
type EFIEntry struct {
	Label      string   `toml:"label"`
	LabelUTF16 string   `toml:"label-utf16"` // in hexadecimal, of a label that is no valid UTF-16
	Partition  Ref      `toml:"partition"`
	PARTUUID   string   `toml:"partuuid"`        // of a partition that is not in the layout
	Loader     string   `toml:"loader"`          // `\EFI\debian\shimx64.efi`; "" leaves it to the firmware
	Path       []string `toml:"path"`            // instead of Loader, what is no single file: nodes of the device path after the partition
	Arguments  string   `toml:"arguments"`       // text in UTF-16, as most programs want it
	ASCII      string   `toml:"arguments-ascii"` // text with a byte a character
	Data       string   `toml:"data"`            // in hexadecimal, when it is neither
	Attributes []string `toml:"attributes"`      // "inactive", "hidden", "force-reconnect", "app"
}

// LoadOption is the content of a variable Boot####: EFI_LOAD_OPTION of the UEFI
// specification 2.10, 3.1.3.
type LoadOption struct {
	// Entry has the PARTUUID and no Partition. Both are empty when the option
	// does not start from a partition: the firmware's own, a network, a shell.
	Entry EFIEntry
	Place EFIPlace
	Raw   []byte // what the variable holds
}

// EFIPlace is where a partition is, as boot entries repeat it.
type EFIPlace struct {
	Number    int
	FirstLBA  uint64
	Sectors   uint64
	signature [16]byte
	sign      byte // what the signature is
}

// Types of nodes in device paths: 10.3 of the specification.
const (
	pathMedia    = 4
	pathEnd      = 0x7f
	mediaDisk    = 1 // a partition
	mediaFile    = 4
	pathEndWhole = 0xff
)

var pathWords = map[byte]string{1: "hardware", 2: "acpi", 3: "messaging", pathMedia: "media", 5: "bbs", pathEnd: "end"}

// optionActive and the others are bits of attributes. An entry is active
// unless it says otherwise, so that the zero value is the usual one.
const optionActive = 1

var optionWords = map[int]string{1: "force-reconnect", 3: "hidden", 8: "app"}

// ParseLoadOption reads what a variable holds, after its four bytes of
// attributes.
func ParseLoadOption(b []byte) (*LoadOption, error) {
	le := binary.LittleEndian
	if len(b) < 6 {
		return nil, fmt.Errorf("%d bytes are no load option", len(b))
	}
	bits, length, rest := le.Uint32(b), int(le.Uint16(b[4:])), b[6:]
	end := 0
	for ; ; end += 2 {
		if end+2 > len(rest) {
			return nil, errors.New("its label does not end")
		}
		if rest[end] == 0 && rest[end+1] == 0 {
			break
		}
	}
	o := &LoadOption{Raw: b}
	o.Entry.Label, o.Entry.LabelUTF16 = label16(rest[:end])
	rest = rest[end+2:]
	if length > len(rest) {
		return nil, fmt.Errorf("its device path of %d bytes does not end", length)
	}
	nodes, err := pathNodes(rest[:length])
	if err != nil {
		return nil, fmt.Errorf("device path: %w", err)
	}
	o.readPath(nodes)
	o.Entry.Arguments, o.Entry.ASCII, o.Entry.Data = optionalData(rest[length:])
	o.Entry.Attributes, _ = bitWords(bits&^optionActive, optionWords, "bit-")
	if bits&optionActive == 0 {
		o.Entry.Attributes = append([]string{"inactive"}, o.Entry.Attributes...)
	}
	return o, nil
}

// pathNode is a node of a device path, with its header of 4 bytes.
type pathNode []byte

func (n pathNode) is(kind, sub byte) bool { return n[0] == kind && n[1] == sub }

// pathNodes splits a packed list of device paths.
func pathNodes(b []byte) (nodes []pathNode, err error) {
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, fmt.Errorf("%d bytes are no node", len(b))
		}
		n := int(binary.LittleEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return nil, fmt.Errorf("a node of %d bytes, where %d are left", n, len(b))
		}
		nodes, b = append(nodes, b[:n]), b[n:]
	}
	return nodes, nil
}

// readPath finds the partition and what is on it. A path may begin with the
// way to the disk, a controller and a port. That is not in the entry, because
// it is another for the next disk; firmware finds the partition by its UUID
// alone (3.1.2).
func (o *LoadOption) readPath(nodes []pathNode) {
	i := slices.IndexFunc(nodes, func(n pathNode) bool {
		return n.is(pathMedia, mediaDisk) && len(n) == 42 || n[0] == pathEnd
	})
	if i < 0 || nodes[i][0] == pathEnd {
		return
	}
	o.Place.read(nodes[i])
	o.Entry.PARTUUID = o.Place.PARTUUID()
	rest := nodes[i+1:]
	if n := len(rest); n > 0 && rest[n-1].is(pathEnd, pathEndWhole) && len(rest[n-1]) == 4 {
		rest = rest[:n-1]
	}
	switch {
	case len(rest) == 0:
		return
	case len(rest) == 1:
		name, odd := label16(rest[0][4:])
		name, ended := strings.CutSuffix(name, "\x00")
		if rest[0].is(pathMedia, mediaFile) && len(rest[0])%2 == 0 && odd == "" && ended && name != "" && !strings.Contains(name, "\x00") {
			o.Entry.Loader = name
			return
		}
	}
	for _, n := range rest {
		o.Entry.Path = append(o.Entry.Path, n.String())
	}
}

// String is the node as a word for its type, its subtype and its content.
func (n pathNode) String() string {
	word := pathWords[n[0]]
	if word == "" {
		word = strconv.Itoa(int(n[0]))
	}
	return fmt.Sprintf("%s/%d:%x", word, n[1], []byte(n[4:]))
}

// parsePathNode reads what [pathNode.String] wrote.
func parsePathNode(text string) (pathNode, error) {
	head, content, _ := strings.Cut(text, ":")
	word, sub, _ := strings.Cut(head, "/")
	kind, err := strconv.ParseUint(word, 10, 8)
	for k, w := range pathWords {
		if w == word {
			kind, err = uint64(k), nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no type of a device path", word)
	}
	subtype, err := strconv.ParseUint(sub, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("%q is no subtype of a device path", sub)
	}
	data, err := hex.DecodeString(content)
	if err != nil || len(data) > 4096 {
		return nil, fmt.Errorf("%q is no node of a device path", text)
	}
	return newPathNode(byte(kind), byte(subtype), data), nil
}

func newPathNode(kind, sub byte, content []byte) pathNode {
	return append(binary.LittleEndian.AppendUint16([]byte{kind, sub}, uint16(4+len(content))), content...)
}

// read reads a hard drive node: 10.3.5.1 of the specification.
func (p *EFIPlace) read(n pathNode) {
	le := binary.LittleEndian
	p.Number, p.FirstLBA, p.Sectors = int(le.Uint32(n[4:])), le.Uint64(n[8:]), le.Uint64(n[16:])
	p.signature, p.sign = [16]byte(n[24:40]), n[41]
}

// Kinds of partition tables and signatures in a hard drive node.
const (
	efiDOS = 1
	efiGPT = 2
)

// PARTUUID is the identifier of the partition, as in a layout.
func (p EFIPlace) PARTUUID() string {
	if p.sign == efiDOS {
		return fmt.Sprintf("%08x-%02x", binary.LittleEndian.Uint32(p.signature[:]), p.Number)
	}
	return guid(p.signature[:])
}

// node is the hard drive node for a partition of a table.
func (p EFIPlace) node(partuuid string) (pathNode, error) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(p.Number))
	b = le.AppendUint64(b, p.FirstLBA)
	b = le.AppendUint64(b, p.Sectors)
	if signature, err := hex.DecodeString(plain(partuuid)); err == nil && isGUID.MatchString(partuuid) {
		b = append(b, mixed(signature)...)
		return newPathNode(pathMedia, mediaDisk, append(b, efiGPT, efiGPT)), nil
	}
	disk, number, _ := strings.Cut(partuuid, "-")
	signature, err := strconv.ParseUint(disk, 16, 32)
	if err != nil || !isID.MatchString(disk) || fmt.Sprintf("%02x", p.Number) != number {
		return nil, fmt.Errorf("partition %d: %q is no PARTUUID", p.Number, partuuid)
	}
	b = append(le.AppendUint32(b, uint32(signature)), make([]byte, 12)...)
	return newPathNode(pathMedia, mediaDisk, append(b, efiDOS, efiDOS)), nil
}

// mixed turns the first three fields of a GUID around.
func mixed(b []byte) []byte {
	slices.Reverse(b[0:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	return b
}

// optionalData tells what an option hands to its program: text in UTF-16, text
// in bytes, or anything.
func optionalData(b []byte) (wide, narrow, data string) {
	if len(b) == 0 {
		return "", "", ""
	}
	if !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", string(b), ""
	}
	text, odd := label16(b)
	if len(b)%2 == 0 && odd == "" && !strings.ContainsFunc(strings.TrimRight(text, "\x00"), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return text, "", ""
	}
	return "", "", hex.EncodeToString(b)
}

// Encode writes the entry as a variable holds it, for a partition in its place.
func (e *EFIEntry) Encode(partuuid string, place EFIPlace) ([]byte, error) {
	bits, err := e.bits()
	if err != nil {
		return nil, err
	}
	label, err := unitsOr(e.Label, e.LabelUTF16)
	if err != nil || hasZeroUnit(label) {
		return nil, fmt.Errorf("label %q cannot be written", e.Label)
	}
	drive, err := place.node(partuuid)
	if err != nil {
		return nil, err
	}
	path := []byte(drive)
	if e.Loader != "" && len(e.Path) == 0 {
		path = append(path, newPathNode(pathMedia, mediaFile, append(units(e.Loader), 0, 0))...)
	}
	for _, text := range e.Path {
		n, err := parsePathNode(text)
		if err != nil {
			return nil, err
		}
		path = append(path, n...)
	}
	path = append(path, newPathNode(pathEnd, pathEndWhole, nil)...)
	data, err := hex.DecodeString(e.Data)
	if err != nil {
		return nil, fmt.Errorf("data %q is no hexadecimal", e.Data)
	}
	if len(path) > 8192 {
		return nil, fmt.Errorf("a device path of %d bytes", len(path))
	}
	b := binary.LittleEndian.AppendUint32(nil, bits)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(path)))
	b = slices.Concat(b, label, []byte{0, 0}, path, units(e.Arguments), []byte(e.ASCII), data)
	if len(b) > maxVariable {
		return nil, fmt.Errorf("%d bytes are more than a variable has", len(b))
	}
	return b, nil
}

// bits are the attributes as the variable holds them.
func (e *EFIEntry) bits() (uint32, error) {
	bits := uint32(optionActive)
words:
	for _, word := range e.Attributes {
		if word == "inactive" {
			bits &^= optionActive
			continue
		}
		for bit, w := range optionWords {
			if w == word {
				bits |= 1 << bit
				continue words
			}
		}
		number, numbered := strings.CutPrefix(word, "bit-")
		bit, err := strconv.ParseUint(number, 10, 5)
		if err != nil || !numbered {
			return 0, fmt.Errorf("unknown attribute %q", word)
		}
		bits |= 1 << bit
	}
	return bits, nil
}

// units is a text in UTF-16, low byte first.
func units(text string) (b []byte) {
	for _, u := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// unitsOr is a text in UTF-16, or what is in hexadecimal beside it.
func unitsOr(text, hexadecimal string) ([]byte, error) {
	if hexadecimal == "" {
		return units(text), nil
	}
	b, err := hex.DecodeString(hexadecimal)
	if err == nil && len(b)%2 != 0 {
		err = errors.New("half a unit of UTF-16")
	}
	return b, err
}

func hasZeroUnit(b []byte) bool {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == 0 && b[i+1] == 0 {
			return true
		}
	}
	return false
}
