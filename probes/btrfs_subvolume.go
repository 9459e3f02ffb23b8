package probes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// btrfsRoot is what is read of a root item: struct btrfs_root_item in
// linux/btrfs_tree.h.
type btrfsRoot struct {
	pointer                btrfsPointer
	readOnly, gone         bool
	uuid, parent, received [16]byte
}

// Before Linux 3.6 the item ended at the level, and had no UUIDs.
const (
	btrfsOldRootSize = 239
	btrfsRootSize    = 439
)

func parseBtrfsRoot(item btrfsItem) (btrfsRoot, error) {
	b := item.data
	if len(b) < btrfsOldRootSize {
		return btrfsRoot{}, item.short()
	}
	const readOnly, dead = 1 << 0, 1 << 48
	flags, references := le64(b[208:]), le32(b[216:])
	r := btrfsRoot{
		pointer:  btrfsPointer{block: le64(b[176:]), generation: le64(b[160:]), level: int(b[238])},
		readOnly: flags&readOnly != 0,
		gone:     flags&dead != 0 || references == 0,
	}
	// A kernel that did not know of the UUIDs leaves the second generation.
	if len(b) >= btrfsRootSize && le64(b[239:]) == r.pointer.generation {
		r.uuid, r.parent, r.received = [16]byte(b[247:]), [16]byte(b[263:]), [16]byte(b[279:])
	}
	return r, nil
}

// btrfsSubvolume is a subvolume while the paths are not known yet.
type btrfsSubvolume struct {
	btrfsRoot
	number    uint64
	inTree    uint64 // the subvolume above it; 0 for the top level, and for what was deleted
	inode     uint64 // the directory there
	name      string
	path      string
	visited   int // 1: its path is being looked for, 2: it is found
	described *BtrfsSubvolume
}

// Bounds of what hostile trees can make: each stands far above what btrfs
// works with, and above what its tools do.
const (
	btrfsMaxSubvolumes = 1 << 18
	btrfsMaxPath       = 1 << 14
	btrfsMaxPaths      = 1 << 26 // of all paths together
)

// readSubvolumes reads the tree of trees, and of each subvolume the root
// directory.
func (r *btrfsReader) readSubvolumes(ctx context.Context) error {
	all := map[uint64]*btrfsSubvolume{}
	var order []*btrfsSubvolume // by number
	defaultNumber := uint64(btrfsTopLevel)
	err := r.source.items(ctx, btrfsRootTree, btrfsKey{btrfsTopLevel, 0, 0}, btrfsKey{btrfsLastFree, math.MaxUint8, math.MaxUint64}, func(item btrfsItem) error {
		k := item.key
		switch {
		case k.kind == btrfsDirItem && k.object == r.super.rootDirectory:
			return eachBtrfsName(item, func(name, _ []byte, location btrfsKey) {
				if string(name) == "default" {
					defaultNumber = location.object
				}
			})
		case k.object != btrfsTopLevel && k.object < btrfsFirstFree:
			return nil
		case k.kind == btrfsRootItem:
			root, err := parseBtrfsRoot(item)
			if err != nil || root.gone {
				return err
			}
			if len(all) == btrfsMaxSubvolumes {
				return fmt.Errorf("more than %d subvolumes", btrfsMaxSubvolumes)
			}
			s := &btrfsSubvolume{btrfsRoot: root, number: k.object}
			if all[k.object] == nil {
				order = append(order, s)
				all[k.object] = s
			}
		case k.kind == btrfsRootBackref && all[k.object] != nil:
			return all[k.object].refer(item)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.describeSubvolumes(ctx, all, order, defaultNumber)
}

// refer takes the place of a subvolume: struct btrfs_root_ref.
func (s *btrfsSubvolume) refer(item btrfsItem) error {
	const head = 18
	if len(item.data) < head || len(item.data) < head+int(le16(item.data[16:])) {
		return item.short()
	}
	s.inTree, s.inode = item.key.offset, le64(item.data)
	s.name = string(item.data[head:][:le16(item.data[16:])])
	if !isName(s.name) {
		return fmt.Errorf("item %v: %q is no name", item.key, s.name)
	}
	return nil
}

// isName says whether a directory can have the name: what is read here leads
// to paths that are written later.
func isName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 255 && !strings.ContainsAny(s, "/\x00")
}

// describeSubvolumes fills the description, now that all subvolumes are known.
func (r *btrfsReader) describeSubvolumes(ctx context.Context, all map[uint64]*btrfsSubvolume, order []*btrfsSubvolume, defaultNumber uint64) error {
	r.fs.Subvolume = map[ID]*BtrfsSubvolume{}
	// That a subvolume is being deleted comes into its root item late.
	deleted := func(s *btrfsSubvolume) bool { return s.inTree == 0 && s.number != btrfsTopLevel }
	order = slices.DeleteFunc(order, deleted)
	maps.DeleteFunc(all, func(_ uint64, s *btrfsSubvolume) bool { return deleted(s) })
	r.subvolumes = all
	byUUID := map[[16]byte]*btrfsSubvolume{}
	room := btrfsMaxPaths
	for _, s := range order {
		if err := r.findPath(ctx, s); err != nil {
			return fmt.Errorf("subvolume %d: %w", s.number, err)
		}
		if room -= len(s.path); room < 0 {
			return fmt.Errorf("subvolumes with paths of more than %d bytes", btrfsMaxPaths)
		}
		if !zero(s.uuid[:]) {
			byUUID[s.uuid] = s
		}
	}
	for _, s := range order {
		d := &BtrfsSubvolume{ReadOnly: s.readOnly, Received: !zero(s.received[:])}
		if origin := byUUID[s.parent]; origin != nil && origin.number < s.number {
			d.SnapshotOf = string(origin.id())
		}
		switch err := r.readProperties(ctx, s.number, d); {
		case errors.Is(err, errNoBtrfsTree):
			continue // deleted meanwhile
		case err != nil:
			return fmt.Errorf("subvolume %s: %w", s.id(), err)
		}
		s.described = d
		r.fs.Subvolume[s.id()] = d
	}
	if s := all[defaultNumber]; s == nil {
		return fmt.Errorf("the default subvolume %d is not there", defaultNumber)
	} else if s.number != btrfsTopLevel {
		r.fs.Default = string(s.id())
	}
	return nil
}

// findPath finds where a subvolume is, and those above it first.
func (r *btrfsReader) findPath(ctx context.Context, s *btrfsSubvolume) error {
	switch {
	case s.number == btrfsTopLevel || s.visited == 2:
		return nil
	case s.visited == 1:
		return errors.New("it is inside itself")
	}
	s.visited = 1
	above := r.subvolumes[s.inTree]
	if above == nil {
		return fmt.Errorf("it is in subvolume %d, which is not there", s.inTree)
	}
	if err := r.findPath(ctx, above); err != nil {
		return err
	}
	path, err := r.directory(ctx, s.inTree, s.inode, s.name)
	if err != nil {
		return err
	}
	if above.path != "" {
		path = above.path + "/" + path
	}
	if len(path) > btrfsMaxPath {
		return fmt.Errorf("its path has more than %d bytes", btrfsMaxPath)
	}
	s.path, s.visited = path, 2
	return nil
}

// directory finds the path of a name in a directory, from the root directory
// of its subvolume.
func (r *btrfsReader) directory(ctx context.Context, tree, inode uint64, path string) (string, error) {
	for inode != btrfsFirstFree {
		var name string
		above := uint64(0)
		first, last := btrfsKey{inode, btrfsInodeRef, 0}, btrfsKey{inode, btrfsInodeRef, math.MaxUint64}
		err := r.source.items(ctx, tree, first, last, func(item btrfsItem) error {
			const head = 10 // struct btrfs_inode_ref
			if len(item.data) < head || len(item.data) < head+int(le16(item.data[8:])) {
				return item.short()
			}
			above, name = item.key.offset, string(item.data[head:][:le16(item.data[8:])])
			if !isName(name) {
				return fmt.Errorf("item %v: %q is no name", item.key, name)
			}
			return nil
		})
		switch {
		case err != nil:
			return "", err
		case above == 0:
			return "", fmt.Errorf("tree %d: no directory has directory %d", tree, inode)
		case len(path)+len(name) > btrfsMaxPath:
			return "", fmt.Errorf("its path has more than %d bytes", btrfsMaxPath)
		}
		inode, path = above, name+"/"+path
	}
	return path, nil
}

// readProperties reads what is set on the root directory of a subvolume.
func (r *btrfsReader) readProperties(ctx context.Context, tree uint64, s *BtrfsSubvolume) error {
	const (
		noCOW      = 1 << 1
		noCompress = 1 << 3
	)
	first, last := btrfsKey{btrfsFirstFree, btrfsInodeItem, 0}, btrfsKey{btrfsFirstFree, btrfsXattrItem, math.MaxUint64}
	return r.source.items(ctx, tree, first, last, func(item btrfsItem) error {
		switch item.key.kind {
		case btrfsInodeItem:
			if len(item.data) < 160 { // struct btrfs_inode_item
				return item.short()
			}
			flags := le64(item.data[64:])
			s.NoCOW = flags&noCOW != 0
			if flags&noCompress != 0 && s.Compression == "" {
				s.Compression = "none" // chattr +m
			}
		case btrfsXattrItem:
			return eachBtrfsName(item, func(name, value []byte, _ btrfsKey) {
				if string(name) == "btrfs.compression" && len(value) > 0 {
					s.Compression = escapeBtrfs(string(value))
				}
			})
		}
		return nil
	})
}

// eachBtrfsName goes over the names in an item: several have the same hash
// now and then. The struct is btrfs_dir_item.
func eachBtrfsName(item btrfsItem, f func(name, value []byte, location btrfsKey)) error {
	const head = 30
	for b := item.data; len(b) > 0; {
		if len(b) < head {
			return item.short()
		}
		size, length := int(le16(b[25:])), int(le16(b[27:]))
		if len(b) < head+length+size {
			return item.short()
		}
		f(b[head:][:length], b[head+length:][:size], parseBtrfsKey(b))
		b = b[head+length+size:]
	}
	return nil
}

// id is the path as the text has it.
func (s *btrfsSubvolume) id() ID {
	if s.number == btrfsTopLevel {
		return "/"
	}
	return ID(escapeBtrfs(s.path))
}

// escapeBtrfs makes UTF-8 of bytes that need not be, as udev does: what is
// none becomes \x and two digits, and so does the backslash.
func escapeBtrfs(s string) string {
	if utf8.ValidString(s) && !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 || r == '\\' {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// SubvolumePath is the path of a subvolume below the top level, as the file
// system has it: bytes that need not be UTF-8, without a slash before or
// behind, and with nothing in it that leads elsewhere. That of the top level is
// empty.
func SubvolumePath(id ID) (string, error) {
	if id == "/" {
		return "", nil
	}
	var b strings.Builder
	for s := string(id); s != ""; {
		before, after, escaped := strings.Cut(s, `\`)
		b.WriteString(before)
		s = after
		if !escaped {
			break
		}
		if len(after) < 3 || after[0] != 'x' {
			return "", fmt.Errorf("subvolume %q: a backslash without x and two digits", string(id))
		}
		c, err := strconv.ParseUint(after[1:3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("subvolume %q: a backslash without x and two digits", string(id))
		}
		b.WriteByte(byte(c))
		s = after[3:]
	}
	for name := range strings.SplitSeq(b.String(), "/") {
		if !isName(name) {
			return "", fmt.Errorf("subvolume %q: %q is no name", string(id), name)
		}
	}
	return b.String(), nil
}
