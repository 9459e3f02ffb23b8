package metadata

import (
	"fmt"
	"strings"
)

// Defaults are the values that need no property.
type Defaults struct {
	UID, GID uint32

	// FileMode is that of files, 0777 at most. With svn:executable a file
	// may also be executed by everyone who may read it.
	FileMode uint32

	// DirMode is that of directories; it may hold setgid and sticky.
	DirMode uint32
}

// StandardDefaults apply where no directory above says otherwise: root:root,
// 0644 or with svn:executable 0755, directories 0755.
var StandardDefaults = Defaults{FileMode: 0o644, DirMode: 0o755}

// fifoMode is the default of fifos; rootwc:defaults has no word for it.
const fifoMode = 0o644

// mode is the default mode of a node. Symlinks have none that matters.
func (d *Defaults) mode(kind Kind, executable bool) uint32 {
	switch kind {
	case Dir:
		return d.DirMode
	case Fifo:
		return fifoMode
	case Symlink:
		return 0o777
	}
	if executable {
		return d.FileMode | d.FileMode&0o444>>2
	}
	return d.FileMode
}

// Keys of the property rootwc:defaults.
const (
	keyOwner    = "owner"
	keyGroup    = "group"
	keyFileMode = "file-mode"
	keyDirMode  = "dir-mode"
)

// FormatDefaults writes the property rootwc:defaults: what d has other than
// parent, the defaults that apply to the directory from above. One "key value"
// per line:
//
//	owner 1000 anna
//	group 1000 anna
//	file-mode 0640
//	dir-mode 0750
func FormatDefaults(d, parent Defaults, names Names) string {
	var b strings.Builder
	line := func(key, value string, changed bool) {
		if changed {
			fmt.Fprintf(&b, "%s %s\n", key, value)
		}
	}
	line(keyOwner, users(names).text(d.UID), d.UID != parent.UID)
	line(keyGroup, groups(names).text(d.GID), d.GID != parent.GID)
	line(keyFileMode, formatMode(d.FileMode), d.FileMode != parent.FileMode)
	line(keyDirMode, formatMode(d.DirMode), d.DirMode != parent.DirMode)
	return b.String()
}

// ParseDefaults reads what [FormatDefaults] wrote; what it leaves out stays as
// in parent. Names that are not known here fall back to the number and are
// returned in unknown, as "user anna". Errors name the line; then the Defaults
// are those of parent.
func ParseDefaults(text string, parent Defaults, names Names) (d Defaults, unknown []string, err error) {
	d = parent
	seen := map[string]bool{}
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if key == "" {
			continue
		}
		if seen[key] {
			return parent, nil, fmt.Errorf("line %d: %s is given twice", n, key)
		}
		seen[key] = true
		missing, err := d.set(key, value, names)
		if err != nil {
			return parent, nil, fmt.Errorf("line %d: %w", n, err)
		}
		if missing != "" {
			unknown = append(unknown, missing)
		}
	}
	return d, unknown, nil
}

// set reads one value. A default of setuid would hand its power to every new
// file, so there is none.
func (d *Defaults) set(key, value string, names Names) (unknown string, err error) {
	switch key {
	case keyOwner:
		d.UID, unknown, err = users(names).resolve(value)
	case keyGroup:
		d.GID, unknown, err = groups(names).resolve(value)
	case keyFileMode:
		if d.FileMode, err = parseMode(value); err == nil && d.FileMode&^permBits != 0 {
			err = fmt.Errorf("%s %s: setuid, setgid and sticky cannot be a default", key, value)
		}
	case keyDirMode:
		if d.DirMode, err = parseMode(value); err == nil && d.DirMode&setuid != 0 {
			err = fmt.Errorf("%s %s: setuid cannot be a default", key, value)
		}
	default:
		err = fmt.Errorf("unknown key %.40q, known are owner, group, file-mode and dir-mode", key)
	}
	return unknown, err
}
