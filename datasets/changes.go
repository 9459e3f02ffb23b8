package datasets

// changes are what makes one side follow the other. Every list is sorted.
type changes struct {
	add      []string // only on the leading side
	replace  []string // differ; the following side is as both last were
	remove   []string // only on the following side, as both last were
	conflict []string // differ, and both may have changed
	own      []string // changed on the following side alone: its own news
}

// compare tells what makes to follow from, given what both were when they were
// last equal. Without that knowledge nothing is replaced or removed.
func compare(from, to, last listing) changes {
	var c changes
	for _, p := range from.paths() {
		f := from[p]
		t, there := to[p]
		l, known := last[p]
		switch {
		case !there:
			c.add = append(c.add, p)
		case f.same(t):
		case known && l.same(t):
			c.replace = append(c.replace, p)
		case known && l.same(f):
			c.own = append(c.own, p)
		default:
			c.conflict = append(c.conflict, p)
		}
	}
	for _, p := range to.paths() {
		if _, there := from[p]; there {
			continue
		}
		if l, known := last[p]; known && l.same(to[p]) {
			c.remove = append(c.remove, p)
		} else {
			c.own = append(c.own, p)
		}
	}
	return c
}

// takeBack lets the leading side win wherever it has something.
func (c *changes) takeBack(from listing) {
	var own []string
	for _, p := range c.own {
		if _, in := from[p]; in {
			c.replace = append(c.replace, p)
		} else {
			own = append(own, p)
		}
	}
	c.replace = sorted(c.replace, c.conflict)
	c.own, c.conflict = own, nil
}

// emptyingFrom is the number of files from which on an action that takes away
// more than half of a side has to be asked for.
const emptyingFrom = 5

// emptying says whether removing so many files needs to be asked for.
func emptying(remove, all int) bool { return remove >= emptyingFrom && remove > all/2 }

// equal is what is the same on both sides.
func equal(here, there listing) listing {
	both := listing{}
	for p, s := range here {
		if t, ok := there[p]; ok && s.same(t) {
			both[p] = s
		}
	}
	return both
}
