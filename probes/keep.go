package probes

import "fmt"

// keep takes from an earlier layout what stands on devices that are closed
// now: an encrypted device that nobody has opened, a volume that is not active,
// an array that does not run. Nobody can have changed that meanwhile.
func (b *builder) keep(before *Layout) {
	if before == nil {
		before = newLayout()
	}
	closed := map[Ref]bool{}
	opened := map[Ref]bool{}
	for _, ref := range b.refs {
		opened[ref] = true
	}
	for n := range b.Layout.nodes() {
		switch n.kind {
		case "raid", "luks", "lv":
			if !opened[n.ref] {
				closed[n.ref] = true
			}
		}
	}
	if len(closed) == 0 {
		return
	}
	inside := before.above(closed)
	known := map[Ref]bool{}
	for n := range before.nodes() {
		known[n.ref] = true
		// What is there in part, a group without one of its physical volumes, is
		// as it was as well.
		if inside[n.ref] && n.kind != "mount" {
			b.Layout.put(n)
		}
	}
	for id, l := range before.LUKS {
		if now := b.Layout.LUKS[id]; now != nil && closed[Ref("luks."+id)] {
			now.Mapping = l.Mapping
		}
	}
	for ref := range closed {
		if b.Layout.emptyVolume(ref) {
			continue
		}
		if !known[ref] {
			b.find("%s is closed: what is on it is not known", ref)
			continue
		}
		b.Notes = append(b.Notes, fmt.Sprintf("%s is closed: what is on it is as it was recorded before", ref))
	}
}

// above are the nodes that stand on some of these, by way of others as well. A
// group stands on its physical volumes.
func (l *Layout) above(some map[Ref]bool) map[Ref]bool {
	above := map[Ref]bool{}
	for more := true; more; {
		more = false
		for n := range l.nodes() {
			on := n.on()
			if n.kind == "vg" {
				on = l.volumes(n.ref)
			}
			for _, ref := range on {
				if !above[n.ref] && (some[ref] || above[ref]) {
					above[n.ref], more = true, true
				}
			}
		}
	}
	return above
}

// volumes are the physical volumes of a group.
func (l *Layout) volumes(group Ref) (refs []Ref) {
	for id, pv := range l.PV {
		if pv.VG == group {
			refs = append(refs, Ref("pv."+id))
		}
	}
	return refs
}

// emptyVolume tells whether a logical volume is one that holds nothing by
// itself, or nothing that is recorded.
func (l *Layout) emptyVolume(ref Ref) bool {
	for id, lv := range l.LV {
		if ref == Ref("lv."+id) {
			return lv.Origin != "" || lv.Type == "thin-pool" || lv.Type == "cache-pool"
		}
	}
	return false
}
