package metadata

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"
)

// setXattrs sets and removes all but capabilities. They come before the final
// mode: until then nobody new can read them, and the owner can still write.
func (a *applier) setXattrs() {
	for _, name := range a.names {
		if !Versioned(name) || name == xattrCapability {
			continue
		}
		if _, wanted := findXattr(a.want.Xattrs, name); !wanted {
			a.write(name, func() error { return a.h.removeXattr(name) })
		}
	}
	for _, x := range a.want.Xattrs {
		if x.Name == xattrCapability || a.has(x) {
			continue
		}
		a.write(x.Name, func() error { return a.h.setXattr(x.Name, x.Value) })
	}
}

// has reports whether the file has the attribute with this very value.
func (a *applier) has(x Xattr) bool {
	value, err := a.h.getXattr(x.Name)
	return err == nil && value != nil && bytes.Equal(value, x.Value)
}

// write changes one attribute. user.* needs write permission on the file,
// which an owner other than root may have to give themself for the moment.
func (a *applier) write(name string, change func() error) {
	err := change()
	if err == unix.EACCES && a.have.Mode&0o200 == 0 && a.h.chmod(a.have.Mode|0o200) == nil {
		a.restat()
		err = change()
	}
	a.try("xattr "+quoteXattrName(name), err)
}

// setAccess sets mode and ACL. Setting an ACL replaces an old one and the
// mode's nine bits in one step.
func (a *applier) setAccess() {
	switch {
	case a.have.ACL.Equal(a.want.ACL):
		a.setMode(a.want.Mode)
	case a.want.ACL == nil:
		// The mode still silences it: without an ACL the mask's bits would
		// be the group's.
		if a.try("acl", a.h.removeXattr(xattrACL)) {
			a.setMode(a.want.Mode)
		}
	case a.setACL():
		a.setMode(a.want.Mode)
	case a.have.ACL == nil:
		a.setMode(a.want.Mode&^permBits | a.want.ACL.safeBits())
	}
}

func (a *applier) setMode(mode uint32) bool {
	return mode == a.have.Mode || a.chmod(mode)
}

func (a *applier) setACL() bool {
	ok := a.try("acl", a.h.setXattr(xattrACL, a.want.ACL.Xattr()))
	a.restat()
	return ok
}

func (a *applier) setDefaultACL() {
	switch {
	case a.want.Kind != Dir || a.have.DefaultACL.Equal(a.want.DefaultACL):
	case a.want.DefaultACL == nil:
		a.try("default-acl", a.h.removeXattr(xattrDefaultACL))
	default:
		a.try("default-acl", a.h.setXattr(xattrDefaultACL, a.want.DefaultACL.Xattr()))
	}
}

// setCapability comes last: chown(2) has cleared what was there. A file that
// is not its wanted owner's gets none.
func (a *applier) setCapability() {
	caps := Xattr{Name: xattrCapability, Value: a.want.Capability()}
	if caps.Value == nil || a.has(caps) {
		return
	}
	if a.have.UID != a.want.UID {
		a.problem("capabilities", errors.New("left out, the owner is another"))
		return
	}
	a.try("capabilities", a.h.setXattr(caps.Name, caps.Value))
}
