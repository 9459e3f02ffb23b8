package probes

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Swap is a swap device or file. Its ID is its UUID.
type Swap struct {
	On          Ref    `toml:"on"`   // of a file: its file system
	File        string `toml:"file"` // path from the machine's root
	Label       string `toml:"label"`
	LabelBytes  string `toml:"label-bytes"` // in hexadecimal, of a label that is no UTF-8
	Page        uint64 `toml:"page-size" unit:"bytes"`
	Size        uint64 `toml:"size" unit:"bytes"` // the page with the header included
	Endianness  string `toml:"endianness"`        // "big", when it is not little
	Unsupported string `toml:"unsupported"`
}

var swapFormat = format{name: "swap", read: readSwap}

// swapMarks stand in the last 10 bytes of the first page. While a machine
// sleeps there is another mark in their place (the kernel's
// kernel/power/swap.c, uswsusp, TuxOnIce) and the header stays as it is.
var swapMarks = []string{"SWAPSPACE2", "S1SUSPEND\x00", "S2SUSPEND\x00", "ULSUSPEND\x00", "LINHIB0001", "\xed\xc3\x02\xe9\x98\x56\xe5\x0c"}

// readSwap reads union swap_header of the kernel's include/linux/swap.h.
func readSwap(m medium) (*found, error) {
	for page := uint64(4096); page <= 65536; page *= 2 {
		b, err := m.at(page-10, 10)
		switch {
		case b == nil || err != nil:
			return nil, err
		case string(b) == "SWAP-SPACE":
			s := &Swap{Page: page, Unsupported: "swap of version 0"}
			return &found{"swap", "", s}, nil
		case slices.ContainsFunc(swapMarks, func(mark string) bool { return string(b[:len(mark)]) == mark }):
			one, err := readSwapHeader(m, page)
			if err != nil {
				return nil, fmt.Errorf("swap header: %w", err)
			}
			return one, nil
		}
	}
	return nil, nil
}

func readSwapHeader(m medium, page uint64) (*found, error) {
	b, err := m.read(1024, 44)
	if err != nil {
		return nil, err
	}
	s := &Swap{Page: page}
	var order binary.ByteOrder = binary.LittleEndian
	if order.Uint32(b) == 1<<24 {
		order, s.Endianness = binary.BigEndian, "big"
	}
	if v := order.Uint32(b); v != 1 {
		return nil, fmt.Errorf("version %d", v)
	}
	last := uint64(order.Uint32(b[4:]))
	if last == 0 {
		return nil, fmt.Errorf("last page is %d", last)
	}
	s.Size = (last + 1) * page
	s.Label, s.LabelBytes = label(b[28:44])
	return &found{"swap", ID(uuid(b[12:28])), s}, m.fits(last+1, page)
}
