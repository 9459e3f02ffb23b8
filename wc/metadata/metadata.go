// Package metadata reads, writes and compares what Subversion does not keep
// of a file: owner, group, mode, POSIX ACL and extended attributes.
//
// [Values] is one node's metadata. It comes from a file ([FromStat],
// [Values.ReadXattrs], [Read]) or from versioned properties ([Wanted]), goes
// to properties ([Properties]) or back to a file ([Apply], [ApplyAt]), and two
// of them are compared in words ([Compare]).
//
// A property is written only where a value differs from its default
// ([Defaults]); a stock file has none, and costs no allocation.
//
// # The mode of a file with an ACL
//
// For such a file stat(2) reports the ACL's mask in place of the group's bits,
// acl(5). [Values].Mode is what stat reports. The property svn:unix-mode holds
// [Values.PlainMode] instead, in which the group's bits are what the owning
// group really gets: a reader that knows no ACLs then never grants the group
// more than it had, and granting somebody access with setfacl changes one
// property, not two. Where svn:unix-mode and rootwc:acl disagree, a permission
// has to be in both.
//
// # What is left out
//
// Of the extended attributes user.*, trusted.* and security.capability are
// versioned, and the POSIX ACLs behind system.posix_acl_*. Everything else
// stays with its machine: security.selinux and SMACK labels belong to the
// loaded policy (restorecon(8) sets them), security.ima and security.evm are
// signatures over this very inode, system.nfs4_acl and btrfs.* speak of the
// file system below. Attributes of symlinks are left out too: user.* is not
// allowed there (xattr(7)), and no distribution ships others.
//
// Reading works as an ordinary user, who cannot see trusted.* however.
// Nothing here follows a symlink.
package metadata

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Kind says what a node is. The zero Kind is none of them.
type Kind uint8

// The kinds of inode(7). Device is a block or character device.
const (
	File Kind = iota + 1
	Dir
	Symlink
	Fifo
	Device
	Socket
)

// String returns the word that status uses: file, dir, symlink, fifo, device,
// socket, or unknown.
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Dir:
		return "dir"
	case Symlink:
		return "symlink"
	case Fifo:
		return "fifo"
	case Device:
		return "device"
	case Socket:
		return "socket"
	}
	return "unknown"
}

// Values is the metadata of one node.
type Values struct {
	Kind Kind

	// Mode holds the permission, setuid, setgid and sticky bits as stat(2)
	// reports them. With an ACL its group bits are the ACL's mask. Always
	// 0777 for a symlink, where it means nothing.
	Mode uint32

	UID, GID uint32

	// ACL is the access ACL, nil for a file that has none beyond its mode.
	ACL *ACL

	// DefaultACL is what new entries of a directory inherit, nil for none.
	DefaultACL *ACL

	// Xattrs are the other versioned attributes, sorted by name, nil for
	// none. File capabilities are among them as security.capability.
	Xattrs []Xattr
}

// FromStat takes kind, mode and ids from st; ACLs and attributes stay empty.
func FromStat(st *unix.Stat_t) Values {
	return Values{
		Kind: kindOf(uint32(st.Mode)),
		Mode: uint32(st.Mode) & modeBits,
		UID:  st.Uid,
		GID:  st.Gid,
	}
}

// kindOf takes the file type from a mode of stat(2).
func kindOf(mode uint32) Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return File
	case unix.S_IFDIR:
		return Dir
	case unix.S_IFLNK:
		return Symlink
	case unix.S_IFIFO:
		return Fifo
	case unix.S_IFCHR, unix.S_IFBLK:
		return Device
	case unix.S_IFSOCK:
		return Socket
	}
	return 0
}

// ErrChanged says that a path no longer leads to the node that was looked at
// before: another kind, or another inode.
var ErrChanged = errors.New("is no longer the same file")

// PropertyError is one property value that could not be used.
type PropertyError struct {
	Property string // its name, as rootwc:acl
	Err      error
}

// Error gives the property and what is wrong with its value.
func (e *PropertyError) Error() string { return fmt.Sprintf("%s: %v", e.Property, e.Err) }

// Unwrap returns what is wrong with the value.
func (e *PropertyError) Unwrap() error { return e.Err }
