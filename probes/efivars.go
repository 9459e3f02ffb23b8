package probes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
)

// EFIGlobal is the vendor of the variables that the UEFI specification defines
// (3.3); names of files in efivarfs end with it.
const EFIGlobal = "8be4df61-93ca-11d2-aa0d-00e098032b8c"

// bootVariable is the file of a boot entry. The specification has capital
// letters.
var bootVariable = regexp.MustCompile(`^Boot[0-9A-F]{4}-` + EFIGlobal + `$`)

// maxVariable is more than firmware has room for.
const maxVariable = 64 << 10

// EFIOptions are the boot entries of a machine's firmware, all of them.
type EFIOptions struct {
	Option map[ID]*LoadOption // by the variable's name, "Boot0003"
	Broken []ID               // variables that cannot be read as an entry
	Order  []ID               // what the firmware tries, first one first
}

// ReadEFIOptions reads the boot entries from efivarfs
// (/sys/firmware/efi/efivars). Findings tell of variables that make no sense.
func ReadEFIOptions(vars fs.FS) (*EFIOptions, []string, error) {
	entries, err := fs.ReadDir(vars, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the firmware's variables: %w", err)
	}
	all := &EFIOptions{Option: map[ID]*LoadOption{}}
	var findings []string
	for _, e := range entries {
		if !bootVariable.MatchString(e.Name()) {
			continue
		}
		id := ID(e.Name()[:len("Boot0000")])
		option, err := readOption(vars, e.Name())
		if err != nil {
			all.Broken = append(all.Broken, id)
			findings = append(findings, fmt.Sprintf("boot entry %s: %v", id, err))
			continue
		}
		all.Option[id] = option
	}
	order, err := readVariable(vars, "BootOrder-"+EFIGlobal)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		findings = append(findings, fmt.Sprintf("boot order: %v", err))
	case len(order)%2 != 0:
		findings = append(findings, fmt.Sprintf("boot order: %d bytes", len(order)))
	}
	for ; len(order) > 1; order = order[2:] {
		all.Order = append(all.Order, ID(fmt.Sprintf("Boot%04X", binary.LittleEndian.Uint16(order))))
	}
	return all, findings, nil
}

func readOption(vars fs.FS, name string) (*LoadOption, error) {
	content, err := readVariable(vars, name)
	if err != nil {
		return nil, err
	}
	return ParseLoadOption(content)
}

// readVariable reads a variable's content: in efivarfs four bytes of
// attributes stand before it.
func readVariable(vars fs.FS, name string) ([]byte, error) {
	b, err := readBounded(vars, name, maxVariable)
	if err != nil {
		return nil, err
	}
	if len(b) < 4 {
		return nil, fmt.Errorf("%d bytes are no variable", len(b))
	}
	return b[4:], nil
}

// readBounded reads a file that should not be longer than that.
func readBounded(root fs.FS, name string, limit int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("more than %s", Size(uint64(limit)))
	}
	return b, err
}
