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
	inside := map[Ref]bool{}
	for more := true; more; {
		more = false
		for n := range before.nodes() {
			for _, ref := range n.on() {
				if !inside[n.ref] && (closed[ref] || inside[ref]) && n.kind != "mount" {
					inside[n.ref], more = true, true
				}
			}
		}
	}
	known := map[Ref]bool{}
	for n := range before.nodes() {
		known[n.ref] = true
		if inside[n.ref] {
			b.Layout.set(n)
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
