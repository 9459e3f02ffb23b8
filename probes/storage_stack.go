package probes

import (
	"fmt"
	"strings"
)

// stacked tells what the devices are that stand on others: by what is on
// those, all of which is known already.
func (b *builder) stacked() error {
	below := map[string]*found{}
	volumes := map[string]Ref{} // by the UUID that device-mapper has; "" for parts of others
	for _, c := range b.contents {
		if c.found == nil {
			continue
		}
		below[c.Name] = c.found
		if pv, ok := c.found.node.(*lvmPV); ok && pv.Text != nil {
			group := pv.Text.group()
			for _, lv := range group.sections("logical_volumes") {
				ref := Ref("")
				if visible(group, lv) {
					ref = Ref("lv." + group.key + "/" + lv.key)
				}
				volumes[mapperUUID(group.text("id"), lv.text("id"))] = ref
			}
		}
	}
	for _, c := range b.contents {
		if ref, ok := volumes[c.Mapper]; ok {
			b.refs[c.Name], b.parts[c.Name] = ref, ref == ""
		}
		for _, name := range c.Below {
			f := below[name]
			switch {
			case f == nil:
			case c.MD && f.name == raidFormat.name && f.id != "":
				b.refs[c.Name] = Ref("raid." + f.id)
			case strings.HasPrefix(c.Mapper, "CRYPT-LUKS") && f.name == luksFormat.name:
				b.refs[c.Name] = Ref("luks." + f.id)
			}
		}
	}
	return nil
}

// mapperUUID is what LVM tells device-mapper (lib/activate/dev_manager.c).
func mapperUUID(group, volume string) string {
	return "LVM-" + strings.ReplaceAll(group+volume, "-", "")
}

// raids makes the nodes of md arrays.
func (b *builder) raids() error {
	members := map[ID][]*raidMember{}
	on(b, func(c *contents, id ID, ref Ref, r *raidMember) {
		r.On = ref
		members[id] = append(members[id], r)
	})
	for id, all := range members {
		if err := b.raid(id, all); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) raid(id ID, members []*raidMember) error {
	if firmware := members[0].RAID; id == "" { // no UUID of the array
		for _, m := range members {
			b.unknown(ID("on-"+strings.TrimPrefix(string(m.On), "partition.")), m.On, firmware.Metadata+"_raid_member", firmware.Unsupported)
		}
		return nil
	}
	array, findings, err := assembleRAID(members)
	if err != nil {
		return err
	}
	for _, f := range findings {
		b.find("array %s: %s", id, f)
	}
	b.Layout.RAID[id] = array
	return nil
}

func (b *builder) unknown(id ID, ref Ref, kind, why string) {
	b.Layout.Unknown[id] = &Unknown{On: ref, Type: kind, Why: why}
}

// luks makes the nodes of encrypted devices.
func (b *builder) luks() error {
	on(b, func(c *contents, id ID, ref Ref, l *luksHeader) {
		for _, finding := range l.findings {
			b.find("LUKS device %s: %s", id, finding)
		}
		l.On = ref
		if b.twice.add(Ref("luks."+id), c.Name) {
			b.Layout.LUKS[id] = l.LUKS
		}
		for _, open := range b.contents {
			if b.refs[open.Name] == Ref("luks."+id) {
				l.Mapping = open.Mapping
			}
		}
	})
	return nil
}

// groups makes the nodes of LVM.
func (b *builder) groups() error {
	groups := map[string][]*lvmPV{} // by UUID
	of := map[ID]string{}           // physical volumes of the texts
	var volumes []*lvmPV
	on(b, func(c *contents, id ID, ref Ref, pv *lvmPV) {
		for _, finding := range pv.Findings {
			b.find("physical volume %s: %s", id, finding)
		}
		pv.PV.On = ref
		if !b.twice.add(Ref("pv."+id), c.Name) {
			return
		}
		b.Layout.PV[id] = &pv.PV
		volumes = append(volumes, pv)
		if pv.Text != nil {
			for _, p := range pv.Text.group().sections("physical_volumes") {
				of[ID(p.text("id"))] = pv.Text.group().text("id")
			}
		}
	})
	for _, pv := range volumes {
		if group := of[pv.ID]; group != "" {
			groups[group] = append(groups[group], pv)
		}
	}
	for _, pvs := range groups {
		if err := b.group(pvs); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) group(pvs []*lvmPV) error {
	g, err := assembleVG(pvs)
	if err != nil {
		return err
	}
	for _, finding := range g.Findings {
		b.find("volume group %s: %s", g.ID, finding)
	}
	if !b.twice.add(Ref("vg."+g.ID), "group "+g.VG.UUID) {
		return nil
	}
	g.VG.Script = fmt.Sprintf("vg.%s.vgcfg", g.ID)
	b.Files[g.VG.Script] = []byte(g.Text.String())
	b.Layout.VG[g.ID] = &g.VG
	for _, pv := range pvs {
		pv.PV.VG = Ref("vg." + g.ID)
	}
	for id, lv := range g.LVs {
		b.Layout.LV[id] = lv
	}
	return nil
}
