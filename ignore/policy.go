package ignore

import "strings"

// DefaultPolicy is what "rootwc init" sets on a new machine's tree.
//
// One question decides what is in it: does a fresh installation with the same
// packages, and then this tree, give the same machine back? Left out is only
// what a program writes again by itself and what would be wrong or harmful on
// the machine that gets the copy. So identity stays versioned (machine-id, ssh
// host keys, the dhcpcd duid), and so does what is generated from
// configuration but not by itself (postfix's *.db, ssl/certs, ca-trust, the
// dconf databases, the key maps in etc/console-setup): a restored tree without them does not work until somebody
// runs the right command.
type DefaultPolicy struct {
	// Ignore maps a directory, as a path relative to the root ("" is the
	// root), to the value of its svn:ignore. A machine has only some of these
	// directories; pass over the others.
	Ignore map[string]string
	// GlobalIgnores does the same for svn:global-ignores: on the root, and on
	// a few directories where noise lies deeper. An external does not inherit
	// from the working copy around it: where etc is one, it needs the root's
	// value too.
	GlobalIgnores map[string]string
	// Entries is the list both maps were made from, with the reasons.
	Entries []Entry
}

// Entry is one pattern of a [DefaultPolicy].
type Entry struct {
	Dir      string // the directory that carries the property, "" is the root
	Property string // [PropIgnore] or [PropGlobalIgnores]
	Pattern  string
	Reason   string // what writes such a file, and where that is documented
}

// noise is a row of the tables in noise.go: several patterns with one reason.
type noise struct {
	dir      string
	patterns string // separated by blanks
	reason   string
}

// Policy returns the defaults for a family. [Unknown] gets the patterns of all
// families: none of them does harm where its program is missing.
func Policy(f Family) DefaultPolicy {
	p := DefaultPolicy{Ignore: map[string]string{}, GlobalIgnores: map[string]string{}}
	p.add(PropIgnore, commonNoise)
	p.add(PropGlobalIgnores, commonDeepNoise)
	if f == Debian || f == Unknown {
		p.add(PropIgnore, debianNoise)
		p.add(PropGlobalIgnores, debianDeepNoise)
	}
	if f == Fedora || f == Unknown {
		p.add(PropIgnore, fedoraNoise)
		p.add(PropGlobalIgnores, fedoraDeepNoise)
	}
	if f == Arch || f == Unknown {
		p.add(PropIgnore, archNoise)
		p.add(PropGlobalIgnores, archDeepNoise)
	}
	return p
}

func (p *DefaultPolicy) add(property string, table []noise) {
	values := p.Ignore
	if property == PropGlobalIgnores {
		values = p.GlobalIgnores
	}
	for _, row := range table {
		for _, pattern := range strings.Fields(row.patterns) {
			values[row.dir] += pattern + "\n"
			p.Entries = append(p.Entries, Entry{row.dir, property, pattern, row.reason})
		}
	}
}

// Reason returns why the policy has the pattern that gave a verdict, for
// "rootwc ignore --why". It is "" for a pattern of the administrator's own.
func (p DefaultPolicy) Reason(v Verdict) string {
	for _, e := range p.Entries {
		if v.Ignored && e.Dir == v.Origin && e.Property == v.Property && e.Pattern == v.Pattern {
			return e.Reason
		}
	}
	return ""
}
