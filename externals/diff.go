package externals

// Diff compares two values of one property by target. Removed holds the old
// definitions that the new value has no target for, changed the new form of
// those that are not [Definition.Equal]; comments, order, format and spelling
// are no difference. Each list is in the order of its value.
func Diff(old, new Definitions) (added, removed, changed []Definition) {
	before := byTarget(old)
	for _, def := range new.defs {
		was, known := before[def.Target]
		switch {
		case !known:
			added = append(added, def)
		case !was.Equal(def):
			changed = append(changed, def)
		}
	}
	after := byTarget(new)
	for _, def := range old.defs {
		if _, kept := after[def.Target]; !kept {
			removed = append(removed, def)
		}
	}
	return added, removed, changed
}

func byTarget(d Definitions) map[string]Definition {
	m := make(map[string]Definition, len(d.defs))
	for _, def := range d.defs {
		m[def.Target] = def
	}
	return m
}
