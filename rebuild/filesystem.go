package rebuild

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rootwc/internal/run"
	"rootwc/probes"
)

// FileSystem is how a file system is made on its devices, which are in the
// order of [probes.FileSystem.On]. start is where the first of them begins on
// its disk, in bytes, which mkfs.exfat reckons with. work is a private directory
// for configuration files and mounts.
//
// A tool is asked which options it knows, or whether it would take them, and
// writes nothing yet. What no tool could have made, or not one of this
// machine's, is an error.
func FileSystem(ctx context.Context, id probes.ID, fs *probes.FileSystem, devices []string, start uint64, work string) (Layer, error) {
	l, err := fileSystem(ctx, id, fs, devices, start, work)
	if err != nil {
		return Layer{}, fmt.Errorf("filesystem.%s: %w", id, err)
	}
	l.Make = append(wipe(devices), l.Make...)
	return l, nil
}

func fileSystem(ctx context.Context, id probes.ID, fs *probes.FileSystem, devices []string, start uint64, work string) (Layer, error) {
	switch {
	case fs.Unsupported != "":
		return Layer{}, fmt.Errorf("no tool makes it: %s", fs.Unsupported)
	case len(devices) == 0 || len(devices) > 1 && fs.Btrfs == nil:
		return Layer{}, fmt.Errorf("%s on %d devices", fs.Type, len(devices))
	}
	if err := paths(append(devices, work)...); err != nil {
		return Layer{}, err
	}
	label, err := labelBytes(fs.Label, fs.LabelBytes)
	if err != nil {
		return Layer{}, err
	}
	m := made{ctx, id, label, devices, work}
	switch {
	case fs.Ext != nil:
		return m.ext(fs.Ext)
	case fs.XFS != nil:
		return m.xfs(fs.XFS)
	case fs.FAT != nil:
		return m.fat(fs.FAT)
	case fs.Btrfs != nil:
		return m.btrfs(fs.Btrfs)
	case fs.ExFAT != nil:
		return m.exfat(fs, start)
	case fs.F2FS != nil:
		return m.f2fs(fs)
	}
	return Layer{}, fmt.Errorf("type %q, of which nothing is known", fs.Type)
}

// made is a file system to make.
type made struct {
	ctx     context.Context
	id      probes.ID
	label   string // bytes
	devices []string
	work    string
}

// wipe takes away what is on devices, so that no mark of it is left beside the
// new one, and a step that was cut off can be done again.
func wipe(devices []string) (all []Action) {
	for _, d := range devices {
		all = append(all, command("wipefs", "--quiet", "--all", "--", d))
	}
	return all
}

func command(args ...string) Action { return Action{Args: args} }

// usage is what a tool says of its options.
func usage(ctx context.Context, args ...string) (string, error) {
	out, said, err := run.Output(ctx, run.Command{Args: args})
	var failed *run.Error
	if errors.As(err, &failed) && failed.Status > 0 { // asked for help by giving nothing
		said, err = failed.Stderr, nil
	}
	return string(out) + "\n" + said, err
}

// labelBytes is a label as it is on the medium.
func labelBytes(text, hexadecimal string) (string, error) {
	if hexadecimal != "" {
		raw, err := hex.DecodeString(hexadecimal)
		if err != nil {
			return "", fmt.Errorf("label-bytes: %w", err)
		}
		return string(raw), nil
	}
	if strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("label %q", text)
	}
	return text, nil
}

// The following say what is wrong with a value that is to go into a command.

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// paths must be absolute: none then looks like an option.
func paths(all ...string) error {
	for _, p := range all {
		if !filepath.IsAbs(p) || strings.ContainsRune(p, 0) {
			return fmt.Errorf("%q is no path from the root", p)
		}
	}
	return nil
}

func between(what string, n, least, most uint64) error {
	if n < least || n > most {
		return fmt.Errorf("%s is %d, not from %d to %d", what, n, least, most)
	}
	return nil
}

func powerOf2(what string, n, least, most uint64) error {
	if n&(n-1) != 0 {
		return fmt.Errorf("%s is %d, no power of 2", what, n)
	}
	return between(what, n, least, most)
}

func oneOf(what, word string, known []string) error {
	if !slices.Contains(known, word) {
		return fmt.Errorf("%s %q", what, word)
	}
	return nil
}

func longer(label string, most int) error {
	if len(label) > most {
		return fmt.Errorf("label %q has more than %d bytes", label, most)
	}
	return nil
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	wordForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
)

const noUUID = "00000000-0000-0000-0000-000000000000"

// uuid is one for a command; "" is one of zeros.
func uuid(what string, id string) (string, error) {
	switch {
	case id == "":
		return noUUID, nil
	case !uuidForm.MatchString(id):
		return "", fmt.Errorf("%s %q is no UUID", what, id)
	}
	return id, nil
}

// words are what goes into a list with commas.
func words(what string, lists ...[]string) error {
	for _, list := range lists {
		for _, w := range list {
			if !wordForm.MatchString(w) {
				return fmt.Errorf("%s %q", what, w)
			}
		}
	}
	return nil
}

// maxSize is an exabyte, more than any device has. Below it no product of two
// values overflows.
const maxSize = 1 << 60

// sized checks that so many blocks are a size at all.
func sized(what string, blocks, blockSize uint64) error {
	if blocks == 0 || blocks > maxSize/blockSize {
		return fmt.Errorf("%s of %d blocks of %d bytes", what, blocks, blockSize)
	}
	return nil
}
