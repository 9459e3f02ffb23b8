package ignore

// Rules is what is in force for the children of one directory: its own
// svn:ignore, its own svn:global-ignores, and every svn:global-ignores it
// inherits. The zero Rules ignores nothing; the rules of a working copy root
// are Rules{}.Child("", …). A Rules is immutable, and cheap to copy.
type Rules struct {
	own    source
	global []source // nearest first; shared with the parent while nothing is added
}

// source is one property on one directory.
type source struct {
	origin string
	list   List
}

// Inherited is an svn:global-ignores value from above a working copy root.
type Inherited struct {
	// Origin names the carrier, to be repeated in a [Verdict]. It lies outside
	// the working copy, so this is a URL rather than a path.
	Origin string
	// GlobalIgnores is the property's value.
	GlobalIgnores string
}

// NewRules returns the rules that a working copy root inherits, outermost
// first: the order of "svn propget --show-inherited-props" and of wc.db's
// inherited_props. The root's own properties follow with [Rules.Child].
//
// An external inherits from its parents in the repository, not from the
// working copy around it, so it starts with a NewRules of its own.
func NewRules(inherited ...Inherited) Rules {
	var r Rules
	for _, in := range inherited {
		r = r.Child(in.Origin, "", in.GlobalIgnores)
	}
	return r
}

// Child returns the rules of a directory directly below r's. The origin is its
// path relative to the root, "" for the root itself; the other two are the
// values of its properties, "" for none. A directory without global-ignores
// shares its parent's list, so a tree of plain directories costs nothing.
func (r Rules) Child(origin, svnIgnore, globalIgnores string) Rules {
	child := Rules{own: source{origin, Parse(svnIgnore)}, global: r.global}
	if list := Parse(globalIgnores); len(list.lines) > 0 {
		child.global = make([]source, 0, len(r.global)+1)
		child.global = append(child.global, source{origin, list})
		child.global = append(child.global, r.global...)
	}
	return child
}

// Verdict is the answer for one name, with its reason.
type Verdict struct {
	// Ignored is false when no pattern matched; then the other fields are empty.
	Ignored bool
	// Pattern is the pattern that decided, as the property has it.
	Pattern string
	// Property is [PropIgnore] or [PropGlobalIgnores].
	Property string
	// Origin is the path of the directory that carries the property, relative
	// to the root ("" is the root), or the [Inherited] origin.
	Origin string
}

// Verdict judges one unversioned child by its base name. Where several
// patterns match, the nearest decides: svn:ignore of the directory, then
// global-ignores from this directory upwards. Subversion itself only asks
// whether any matches, so the order changes no outcome.
//
// Ask for every directory on the way down to a path: what lies below an
// ignored directory is hidden with it, without a pattern of its own.
func (r Rules) Verdict(name string) Verdict {
	if pattern, ok := r.own.list.Match(name); ok {
		return Verdict{true, pattern, PropIgnore, r.own.origin}
	}
	for i := range r.global {
		if pattern, ok := r.global[i].list.Match(name); ok {
			return Verdict{true, pattern, PropGlobalIgnores, r.global[i].origin}
		}
	}
	return Verdict{}
}
