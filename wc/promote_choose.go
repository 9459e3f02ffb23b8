package wc

import (
	"path"
	"slices"
	"sort"

	"rootwc/wc/metadata"
)

// choose takes the differences at the paths, but for what belongs to this host.
func (pr *Promotion) choose(found map[string]*difference) {
	pr.carry = map[string]*difference{}
	var out []string
	for rel, d := range found {
		if rel == "" || !covers(pr.paths, rel) {
			continue
		}
		if why := pr.stays(rel, d); why != "" && !slices.Contains(pr.paths, rel) {
			out = append(out, rel)
			pr.LeftOut = append(pr.LeftOut, Refused{pr.copy.path(rel), why})
			continue
		}
		pr.carry[rel] = d
	}
	for _, rel := range out { // the directory that it is in does not go, either
		for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
			if d := pr.carry[dir]; d != nil && d.deleted {
				delete(pr.carry, dir)
			}
		}
	}
	for rel := range pr.carry { // a new file needs the directories above it
		for dir := parentOf(rel); dir != ""; dir = parentOf(dir) {
			if d := found[dir]; d != nil && d.added {
				pr.carry[dir] = d
			}
		}
	}
	for rel, d := range pr.carry {
		pr.Changes = append(pr.Changes, Change{Letter: d.letter(), Path: pr.copy.path(rel)})
	}
	sort.Slice(pr.Changes, func(i, j int) bool { return pr.Changes[i].Path < pr.Changes[j].Path })
	sort.Slice(pr.LeftOut, func(i, j int) bool { return pr.LeftOut[i].Path < pr.LeftOut[j].Path })
}

func (d *difference) letter() byte {
	switch {
	case d.added && d.deleted:
		return 'R'
	case d.added:
		return 'A'
	case d.deleted:
		return 'D'
	}
	return 'M'
}

// stays says why a path is not promoted with a directory above it: it tells
// about this host, or others may not read it.
func (pr *Promotion) stays(rel string, d *difference) string {
	named := func(p string) bool { return ofThisHost(p) && covers([]string{p}, rel) }
	if pr.copy.Path == "" && ofThisHost(rel) && !slices.ContainsFunc(pr.paths, named) {
		return "it belongs to this host; name it to promote it"
	}
	s := stateOf(pr.copy.record(), rel)
	if d.deleted && !d.added || s == nil || s.kind != metadata.File {
		return ""
	}
	t := pr.work.tree
	v, _, _ := metadata.Wanted(propLookup(s.props), svnKind(s.kind), pr.copy.defaultsAt(rel), t.Names)
	if v.Mode&0o004 == 0 {
		return "others may not read it; name it to promote it"
	}
	return ""
}

// hostFiles are what is another on every machine: rootwc's own pages, names,
// keys, disks. hostname(5), machine-id(5), fstab(5), crypttab(5), mdadm.conf(5),
// interfaces(5), hwclock(8), sshd(8).
var hostFiles = []string{
	".rootwc", "etc/hostname", "etc/mailname", "etc/machine-id", "etc/machine-info", "etc/hosts", "etc/fstab", "etc/crypttab", "etc/adjtime",
	"etc/mdadm.conf", "etc/mdadm/mdadm.conf", "etc/network/interfaces", "etc/ssh/ssh_host_*", "etc/udev/rules.d/70-persistent-*",
}

func ofThisHost(rel string) bool {
	return slices.ContainsFunc(hostFiles, func(pattern string) bool {
		for at := rel; at != ""; at = parentOf(at) {
			if ok, _ := path.Match(pattern, at); ok {
				return true
			}
		}
		return false
	})
}
