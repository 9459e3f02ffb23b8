package metadata

// Edits returns what to change in a node's properties so that they record v:
// the properties to set and those to remove. A property that already means
// what v says is left alone, whatever its text: with another number beside the
// same name, written by FSVS although it is the default, or without the
// svn:executable that its mode implies. props is the node's properties as for
// [Wanted], kind what Subversion has.
func Edits(props func(name string) (string, bool), kind Kind, v Values, def Defaults, names Names) (set map[string]string, remove []string) {
	recorded, _, problems := Wanted(props, kind, def, names)
	stale := map[string]bool{
		PropOwner: recorded.UID != v.UID,
		PropGroup: recorded.GID != v.GID,
		PropMode:  recorded.PlainMode() != v.PlainMode() && v.Kind != Symlink,
		PropACL:   !recorded.ACL.Equal(v.ACL) || !recorded.DefaultACL.Equal(v.DefaultACL),
		PropXattr: len(compareXattrs(recorded.Xattrs, v.Xattrs)) > 0,
	}
	for _, p := range problems {
		stale[p.Property] = true
	}
	stale[PropExecutable] = stale[PropMode]
	needed := Properties(v, def, names)
	for _, name := range PropertyNames {
		have, exists := props(name)
		want, need := needed[name]
		switch {
		case !stale[name] && recorded.Kind == v.Kind:
		case need && (!exists || have != want):
			if set == nil {
				set = map[string]string{}
			}
			set[name] = want
		case !need && exists:
			remove = append(remove, name)
		}
	}
	return set, remove
}
