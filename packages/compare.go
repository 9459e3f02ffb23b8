package packages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is what is otherwise than recorded. Names are [Package.Key]s,
// sorted.
//
// The first fields are news: somebody has decided that. What follows from such
// decisions, or from the upgrades of every day, is none.
type Difference struct {
	Manager    string   // that is another one now
	More       []string // wanted, and was not installed
	Gone       []string // was wanted, and is not installed
	Marked     []string // installed before and now, but only once wanted
	Held       []string
	Released   []string // held no longer
	HeldOther  []string // held, and of another version all the same
	Foreign    []string // architectures, "+i386"
	Keys       []string // trusted files outside /etc with other content, or gone
	Flatpak    []string // "+app/…"
	Snap       []string // "+firefox"
	Versions   []string // no news: other versions
	PulledIn   []string // no news: "+libfoo1"
	Repository []string // no news, because their files are versioned
	Units      []string // the same for links in /etc/systemd
}

// Compare compares what was recorded with what is.
func Compare(before, now *Installed) *Difference {
	d := &Difference{
		Foreign: changes(asSet(before.Architectures), asSet(now.Architectures)),
		Flatpak: changes(before.Flatpak, now.Flatpak), Snap: changes(before.Snap, now.Snap),
		Repository: changes(before.Repositories, now.Repositories),
		Units:      changes(asSet(before.Enabled), asSet(now.Enabled)),
	}
	if before.Manager != now.Manager {
		d.Manager = now.Manager
	}
	for key, digest := range before.Keys {
		if !strings.HasPrefix(key, "etc/") && now.Keys[key] != digest {
			d.Keys = append(d.Keys, key)
		}
	}
	slices.Sort(d.Keys)
	old, is := before.byKey(), now.byKey()
	either := maps.Clone(old)
	maps.Copy(either, is)
	for _, key := range slices.Sorted(maps.Keys(either)) {
		d.compare(key, old[key], is[key])
	}
	return d
}

// compare compares one package; nil is one that is not installed.
func (d *Difference) compare(key string, was, is *summary) {
	switch {
	case was == nil && is.wanted:
		d.More = append(d.More, key)
	case was == nil:
		d.PulledIn = append(d.PulledIn, "+"+key)
	case is == nil && was.wanted:
		d.Gone = append(d.Gone, key)
	case is == nil:
		d.PulledIn = append(d.PulledIn, "-"+key)
	case was.wanted != is.wanted:
		d.Marked = append(d.Marked, key)
	}
	if was != nil && is != nil && was.versions != is.versions {
		d.Versions = append(d.Versions, key)
		if was.held && is.held {
			d.HeldOther = append(d.HeldOther, key)
		}
	}
	switch held := was != nil && was.held; {
	case is != nil && is.held && !held:
		d.Held = append(d.Held, key)
	case is != nil && !is.held && held:
		d.Released = append(d.Released, key)
	}
}

// summary is what counts of all versions of a package.
type summary struct {
	versions     string
	wanted, held bool
}

func (in *Installed) byKey() map[string]*summary {
	all := make(map[string]*summary, len(in.Packages))
	for _, p := range in.Packages {
		s := all[p.Key()]
		if s == nil {
			s = &summary{}
			all[p.Key()] = s
		}
		s.versions += p.Version + " "
		s.wanted, s.held = s.wanted || p.Wanted, s.held || p.Held
	}
	return all
}

// News is the difference in words, "2 more: jq, tmux; 1 gone: nano", and empty
// where nobody has to look.
func (d *Difference) News() string {
	var words []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			words = append(words, fmt.Sprintf("%d %s: %s", len(names), what, few(names)))
		}
	}
	if d.Manager != "" {
		words = append(words, "managed by "+d.Manager+" now")
	}
	say("more", d.More)
	say("gone", d.Gone)
	say("marked otherwise", d.Marked)
	say("held", d.Held)
	say("held no longer", d.Released)
	say("other versions of what is held", d.HeldOther)
	say("architectures", d.Foreign)
	say("other keys", d.Keys)
	say("flatpaks", d.Flatpak)
	say("snaps", d.Snap)
	return strings.Join(words, "; ")
}

// Asides counts what is no news: "14 other versions, 3 pulled in or dropped".
func (d *Difference) Asides() string {
	var words []string
	say := func(names []string, what string) {
		if len(names) > 0 {
			words = append(words, fmt.Sprintf("%d %s", len(names), what))
		}
	}
	say(d.Versions, "other versions")
	say(d.PulledIn, "pulled in or dropped")
	say(d.Repository, "repositories added or gone")
	say(d.Units, "units enabled or disabled")
	return strings.Join(words, ", ")
}

// few names the first ones, and counts the rest.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// changes are the names that are in only one of two maps, with "+" before those
// of the second and "-" before those of the first.
func changes[V any](before, now map[string]V) (all []string) {
	for name := range now {
		if _, was := before[name]; !was {
			all = append(all, "+"+name)
		}
	}
	for name := range before {
		if _, is := now[name]; !is {
			all = append(all, "-"+name)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(a[1:], b[1:]) })
	return all
}

func asSet(names []string) map[string]bool {
	set := map[string]bool{}
	for _, name := range names {
		set[name] = true
	}
	return set
}
