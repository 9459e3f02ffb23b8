package metadata

import (
	"errors"
	"fmt"
	"slices"
)

// applier is the state of one apply. have is kept at what the file has now;
// want is cut down when owner or group cannot be had; full is the mode that
// was asked for.
type applier struct {
	h          handle
	have, want Values
	full       uint32
	names      []string // of the attributes that the file has
	problems   Problems
}

func (a *applier) problem(name string, err error) {
	a.problems = append(a.problems, Problem{Name: name, Err: err})
}

func (a *applier) try(name string, err error) bool {
	if err != nil {
		a.problem(name, err)
	}
	return err == nil
}

func (a *applier) result() error {
	if len(a.problems) == 0 {
		return nil
	}
	return a.problems
}

// look learns which attributes there are. Where they cannot be listed (so many
// that the list exceeds 64 KiB) those that grant something are asked for by
// name. An ACL that cannot be read is taken for one that is not wanted.
func (a *applier) look() {
	var err error
	if a.names, err = a.h.listXattr(); err != nil {
		a.problem("xattr", err)
		a.names = []string{xattrCapability, xattrACL, xattrDefaultACL}
	}
	a.have.ACL = a.readACL(xattrACL, ParseACL)
	a.have.DefaultACL = a.readACL(xattrDefaultACL, ParseDefaultACL)
}

func (a *applier) readACL(name string, parse func([]byte) (*ACL, error)) *ACL {
	if !slices.Contains(a.names, name) {
		return nil
	}
	value, err := a.h.getXattr(name)
	if err == nil && value == nil {
		return nil
	}
	acl, err := parse(value)
	if err != nil {
		return &ACL{} // equal to no ACL that is wanted
	}
	return acl
}

// tighten takes away what the file shall not have, before anything else
// changes hands: permissions, setuid and setgid, capabilities. False means
// that not even this was possible, and nothing more should be tried.
func (a *applier) tighten() bool {
	mode := a.have.Mode & a.want.Mode
	moves := a.have.UID != a.want.UID || a.have.GID != a.want.GID
	switch {
	case a.have.ACL.Equal(a.want.ACL):
	case a.want.ACL == nil:
		mode &^= 0o070 // silences all that the ACL names, and its mask
	case moves:
		mode &^= 0o077 // whom the new ACL denies, the new owner's mode must not let in
	}
	if a.want.Kind == Dir {
		// Sticky protects, and setgid of a directory gives nobody power.
		mode |= (a.have.Mode|a.want.Mode)&sticky | a.have.Mode&setgid
	} else if moves {
		mode &^= setuid | setgid
	}
	if mode != a.have.Mode && !a.chmod(mode) {
		return false
	}
	if slices.Contains(a.names, xattrCapability) && a.want.Capability() == nil {
		a.try("capabilities", a.h.removeXattr(xattrCapability))
	}
	return true
}

// chmod sets the mode and notes what the kernel made of it.
func (a *applier) chmod(mode uint32) bool {
	if !a.try("mode", a.h.chmod(mode)) {
		return false
	}
	a.restat()
	return true
}

func (a *applier) restat() {
	if st, err := a.h.stat(); err == nil {
		now := FromStat(&st)
		a.have.Mode, a.have.UID, a.have.GID = now.Mode, now.UID, now.GID
	}
}

// chown sets owner and group, or at least the group, which an ordinary user may
// change to another of theirs. Then it cuts want down to what that came to.
func (a *applier) chown() {
	if a.have.UID == a.want.UID && a.have.GID == a.want.GID {
		return
	}
	err := a.h.chown(a.want.UID, a.want.GID)
	switch {
	case err == nil:
		err = errors.New("the file system did not keep it")
	case a.have.UID != a.want.UID && a.have.GID != a.want.GID:
		_ = a.h.chown(noID, a.want.GID)
	}
	a.restat()
	a.foreign(err)
}

// foreign reports an owner or group that stayed, and leaves out the bits that
// were meant for the other one.
func (a *applier) foreign(err error) {
	if a.have.UID != a.want.UID {
		a.problem("owner", err)
		a.want.Mode &^= setuid
	}
	if a.have.GID == a.want.GID {
		return
	}
	a.problem("group", err)
	if a.want.Kind != Dir {
		a.want.Mode &^= setgid
	}
	if a.want.ACL == nil {
		a.want.Mode &= 0o7707 | a.want.Mode<<3
		return
	}
	others := a.want.ACL.plainBits() & 7
	a.want.ACL = a.want.ACL.limited(0o707 | others<<3)
}

// verify reports a mode that is not what was asked for although no call
// failed: chmod(2) drops setgid silently when the caller is not in the group.
func (a *applier) verify() {
	a.restat()
	if a.have.Mode == a.full || slices.ContainsFunc(a.problems, func(p Problem) bool { return p.Name == "mode" }) {
		return
	}
	a.problem("mode", fmt.Errorf("is %s instead of %s", formatMode(a.have.Mode), formatMode(a.full)))
}
