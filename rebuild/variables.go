package rebuild

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rootwc/probes"
)

// Variables is a directory that holds the firmware's variables: efivarfs, or
// one with files of its format.
type Variables string

// EFIVars is where the kernel shows the variables of a machine that was
// started by UEFI.
const EFIVars Variables = "/sys/firmware/efi/efivars"

// kept are the attributes of a boot entry: it stays without power, and is
// there before the system starts and after. In efivarfs they stand before the
// content (Documentation/filesystems/efivarfs.rst).
var kept = []byte{7, 0, 0, 0}

// immutableFlag is FS_IMMUTABLE_FL of linux/fs.h.
const immutableFlag = 0x10

func (v Variables) path(id probes.ID) string {
	return filepath.Join(string(v), string(id)+"-"+probes.EFIGlobal)
}

// there tells whether there are variables at all.
func (v Variables) there() bool {
	entries, err := os.ReadDir(string(v))
	return err == nil && len(entries) > 0
}

// write writes a variable at once, as efivarfs wants it, and looks whether the
// firmware has kept it.
func (v Variables) write(id probes.ID, content []byte) error {
	path := v.path(id)
	immutable, err := mutable(path)
	if err != nil {
		return err
	}
	whole := append(bytes.Clone(kept), content...)
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		return err
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, whole) {
		return errors.Join(fmt.Errorf("the firmware has not kept %s", id), err)
	}
	if immutable {
		return setImmutable(path, true)
	}
	return nil
}

// remove removes a variable. One that is gone already is no error.
func (v Variables) remove(id probes.ID) error {
	path := v.path(id)
	if _, err := mutable(path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mutable takes the immutable flag from a variable, and tells whether it was
// there. The kernel puts it on those that it does not know, because some
// firmware does not start without them; on boot entries usually not.
func mutable(path string) (was bool, err error) {
	flags, err := flags(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || flags&immutableFlag == 0 {
		return false, err
	}
	return true, setImmutable(path, false)
}

// flags are those of lsattr. A file system that knows none has none.
func flags(path string) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		return 0, nil
	}
	return n, err
}

func setImmutable(path string, on bool) error {
	n, err := flags(path)
	if err != nil {
		return err
	}
	n &^= immutableFlag
	if on {
		n |= immutableFlag
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, n); err != nil {
		return fmt.Errorf("flags of %s: %w", filepath.Base(path), err)
	}
	return nil
}
