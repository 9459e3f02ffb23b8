package probes

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// FileSystem is one file system. Its ID is its UUID or volume serial.
//
// What its layer holds are settings: what a tool was told when it made the
// file system or tuned it later. What changes by use (times, counts, states,
// features that a mount sets) is not in it.
type FileSystem struct {
	On          []Ref  `toml:"on"`
	Type        string `toml:"type"` // as blkid and mount name it: "ext4", "vfat"
	Label       string `toml:"label"`
	LabelBytes  string `toml:"label-bytes"` // in hexadecimal, of a label that is no UTF-8
	Ext         *Ext   `toml:"ext"`
	XFS         *XFS   `toml:"xfs"`
	Btrfs       *Btrfs `toml:"btrfs"`
	FAT         *FAT   `toml:"fat"`
	F2FS        *F2FS  `toml:"f2fs"`
	ExFAT       *ExFAT `toml:"exfat"`
	Unsupported string `toml:"unsupported"` // what no tool can make again
}

// found is what a format's reader finds on a device.
type found struct {
	name string // as blkid names it
	id   ID     // "" when there is none on the medium: a UUID of zeros
	node any    // what stands in the layout: *FileSystem, *Swap, …
}

// format is one way to lay out a device.
type format struct {
	name string
	// read says nil where the device holds something else, and an error where
	// it holds this with values that cannot be.
	read func(m medium) (*found, error)
}

// formats are what rootwc knows, in the order in which they are looked for: an
// array's mark may be at the end of the device, so that what the array holds
// shows at the start as if it lay there itself; and what is only recorded counts
// where nothing else is, as tools seldom wipe it. Each entry stands in the file of
// its layer.
var formats = [][]format{
	{raidFormat},
	{luksFormat, lvmFormat, btrfsFormat, extFormat, xfsFormat, fatFormat, exfatFormat, f2fsFormat, swapFormat},
	recordedFormats(),
}

// identify tells what a device holds; nil is nothing that rootwc knows. Marks
// of two formats are an error: one of them is left from before, and which one
// is not for a program to guess.
func identify(m medium) (*found, error) {
	for _, some := range formats {
		var all []*found
		var names []string
		var errs []error
		for _, f := range some {
			one, err := f.read(m)
			switch {
			case err != nil:
				errs = append(errs, err)
				names = append(names, "a damaged "+f.name)
			case one != nil:
				all = append(all, one)
				names = append(names, one.name)
			}
		}
		switch {
		case len(names) > 1:
			return nil, errors.Join(append([]error{fmt.Errorf("holds the marks of %s", and(names))}, errs...)...)
		case len(errs) > 0:
			return nil, errs[0]
		case len(all) > 0:
			return all[0], nil
		}
	}
	return nil, nil
}

// and lists words in a sentence.
func and(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// at is [medium.read] for a format's mark: nil where the device ends before.
func (m medium) at(offset, n uint64) ([]byte, error) {
	if offset+n > m.size {
		return nil, nil
	}
	return m.read(offset, n)
}

// fits checks that a file system ends before its device does.
func (m medium) fits(blocks, blockSize uint64) error {
	if blocks > m.size/blockSize {
		return fmt.Errorf("%d blocks of %d bytes do not fit on a device of %d bytes", blocks, blockSize, m.size)
	}
	return nil
}

// powerOf2 says whether n is one from least to most.
func powerOf2(n, least, most uint64) bool {
	return n&(n-1) == 0 && n >= least && n <= most
}

// setLabel takes a label of bytes that ends with its field or a NUL.
func (fs *FileSystem) setLabel(raw []byte) { fs.Label, fs.LabelBytes = label(raw) }

// setLabel16 takes a label in UTF-16, as many units as it has.
func (fs *FileSystem) setLabel16(raw []byte) { fs.Label, fs.LabelBytes = label16(raw) }

// label is a label for text, and when it is no UTF-8 its bytes in hexadecimal:
// then the text is for readers only.
func label(raw []byte) (text, hexadecimal string) {
	bytes := untilNUL(raw)
	if utf8.ValidString(bytes) {
		return bytes, ""
	}
	return readable(bytes), hex.EncodeToString([]byte(bytes))
}

// label16 is [label] for UTF-16 in little-endian order, where half of a pair
// may stand alone.
func label16(raw []byte) (text, hexadecimal string) {
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	text = string(utf16.Decode(units))
	if !slices.Equal(utf16.Encode([]rune(text)), units) {
		hexadecimal = hex.EncodeToString(raw)
	}
	return text, hexadecimal
}

// readable has U+FFFD for each byte that is no UTF-8.
func readable(raw string) string { return string([]rune(raw)) }

// uuid writes the 16 bytes of a UUID; zeros are none.
func uuid(b []byte) string {
	if zero(b) {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// serial writes a FAT volume's number as blkid does; zero is none.
func serial(n uint32) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%04X-%04X", n>>16, n&0xffff)
}

// bitWords names the bits of a set: by the table, or as PREFIX12 where it has
// no word.
func bitWords(bits uint32, words map[int]string, prefix string) (list, unknown []string) {
	for bit := range 32 {
		if bits&(1<<bit) == 0 {
			continue
		}
		word, known := words[bit]
		if !known {
			word = fmt.Sprintf("%s%d", prefix, bit)
			unknown = append(unknown, word)
		}
		list = append(list, word)
	}
	return list, unknown
}
