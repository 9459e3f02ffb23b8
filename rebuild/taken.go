package rebuild

import (
	"path/filepath"
	"slices"

	"rootwc/probes"
)

// taken finds names that something else on this machine has already: a rescue
// system with a volume group of its own, another machine's disk that was opened
// by hand. What stands on the plan's own disks is none of these.
func (p *planner) taken() {
	ours := map[string]bool{}
	for _, t := range p.Plan.Disks {
		if t.device != nil {
			ours[t.device.Name] = true
		}
	}
	for more := true; more; {
		more = false
		for _, d := range p.devices {
			if !ours[d.Name] && slices.ContainsFunc(d.Below, func(b string) bool { return ours[b] }) {
				ours[d.Name], more = true, true
			}
		}
	}
	others := map[string]string{} // names of devices by what they are called
	for _, d := range p.devices {
		if d.Mapping != "" && !ours[d.Name] {
			others["/dev/mapper/"+d.Mapping] = d.Name
		}
	}
	for _, ref := range p.Layout.Nodes() {
		switch kind := ref.Kind(); {
		case p.without[ref]:
		case kind == "luks" || kind == "lv":
			if other, there := others[p.at(ref)]; there {
				p.refuse(string(ref), "close it first", "%s is there already, and belongs to something else: %s", p.at(ref), other)
			}
		case kind == "raid":
			place, err := filepath.EvalSymlinks(p.at(ref))
			i := slices.IndexFunc(p.devices, func(d *probes.Device) bool { return place == filepath.Join(p.Machine.Dev, d.Name) })
			if err == nil && i >= 0 && !ours[p.devices[i].Name] {
				p.refuse(string(ref), "stop it first", "%s is there already, and belongs to something else", p.at(ref))
			}
		}
	}
}
