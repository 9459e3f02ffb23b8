package metadata

import "fmt"

// Wanted reads a node's properties: the way back from [Properties]. props
// returns one property's value, and whether there is one; kind is what
// Subversion has (File, Dir or Symlink), to which rootwc:special may say Fifo.
//
// The name of a user or group wins over its number. Names that are not known
// here fall back to the number and are listed in unknown, as "user anna".
// A property that cannot be used is listed in problems, and its default counts;
// but for the mode of a file, which may have kept a secret, the default without
// the bits of group and others. svn:unix-mode wins over svn:executable. Where
// svn:unix-mode and rootwc:acl disagree, a permission has to be in both, and
// that is a problem of rootwc:acl.
func Wanted(props func(name string) (string, bool), kind Kind, def Defaults, names Names) (v Values, unknown []string, problems []*PropertyError) {
	w := reader{props: props, names: names, v: Values{Kind: kind, UID: def.UID, GID: def.GID}}
	w.special()
	w.id(PropOwner, &w.v.UID, users)
	w.id(PropGroup, &w.v.GID, groups)
	w.mode(&def)
	if w.v.Kind != Symlink {
		w.acl()
		w.xattrs()
	}
	return w.v, w.unknown, w.problems
}

// reader collects what [Wanted] returns.
type reader struct {
	props    func(string) (string, bool)
	names    Names
	v        Values
	unknown  []string
	problems []*PropertyError
}

func (w *reader) problem(property string, err error) {
	w.problems = append(w.problems, &PropertyError{Property: property, Err: err})
}

func (w *reader) special() {
	text, ok := w.props(PropSpecial)
	switch {
	case !ok:
	case text == specialFifo && w.v.Kind == File:
		w.v.Kind = Fifo
	default:
		w.problem(PropSpecial, fmt.Errorf("%.40q is not known for a %s, only fifo on a file is", text, w.v.Kind))
	}
}

func (w *reader) id(property string, id *uint32, of func(Names) realm) {
	text, ok := w.props(property)
	if !ok {
		return
	}
	n, missing, err := of(w.names).resolve(text)
	if err != nil {
		w.problem(property, err)
		return
	}
	if *id = n; missing != "" {
		w.unknown = append(w.unknown, missing)
	}
}

func (w *reader) mode(def *Defaults) {
	executable := false
	if w.v.Kind == File {
		_, executable = w.props(PropExecutable)
	}
	w.v.Mode = def.mode(w.v.Kind, executable)
	if w.v.Kind == Symlink {
		return
	}
	text, ok := w.props(PropMode)
	if !ok {
		return
	}
	mode, err := parseMode(text)
	if err == nil {
		w.v.Mode = mode
		return
	}
	w.problem(PropMode, err)
	if w.v.Kind != Dir {
		w.v.Mode &= 0o700
	}
}

// acl reads both ACLs and turns Mode from the plain mode into the one that the
// kernel will report.
func (w *reader) acl() {
	text, ok := w.props(PropACL)
	if !ok {
		return
	}
	access, deflt, missing, err := ParseACLText(text, w.names)
	if err == nil && deflt != nil && w.v.Kind != Dir {
		err = fmt.Errorf("a %s has no default ACL", w.v.Kind)
	}
	if err != nil {
		w.problem(PropACL, err)
		return
	}
	w.unknown = append(w.unknown, missing...)
	w.v.DefaultACL = deflt
	if access == nil {
		return
	}
	plain := w.v.Mode
	w.v.ACL = access.limited(plain)
	w.v.Mode = plain&^permBits | w.v.ACL.statBits()
	if w.v.ACL != access {
		w.problem(PropACL, fmt.Errorf("grants %s what the mode %s does not; the tighter of both counts",
			formatMode(access.plainBits()), formatMode(plain)))
	}
}

func (w *reader) xattrs() {
	text, ok := w.props(PropXattr)
	if !ok {
		return
	}
	list, err := ParseXattrs(text)
	if err == nil && w.v.Kind != File {
		if _, caps := findXattr(list, xattrCapability); caps {
			err = fmt.Errorf("a %s has no capabilities", w.v.Kind)
		}
	}
	if err != nil {
		w.problem(PropXattr, err)
		return
	}
	w.v.Xattrs = list
}
