package rebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rootwc/internal/run"
	"rootwc/probes"
)

// PhysicalVolume is one that a group is made on.
type PhysicalVolume struct {
	*probes.PV
	Device string
}

// vg is a volume group that is made again.
type vg struct {
	name   probes.ID
	dir    string // for texts
	config string
}

// VG makes a volume group with its physical and logical volumes, identities and
// places included, from its text. Files with texts go to a private directory.
// Its volumes are at [LVDevice] when it is open.
func VG(name probes.ID, g *probes.VG, text *probes.VGText, pvs map[probes.ID]PhysicalVolume, dir string) (Layer, error) {
	wrong := func(err error) (Layer, error) { return Layer{}, fmt.Errorf("volume group %q: %w", name, err) }
	if g.Unsupported != "" {
		return wrong(errors.New(g.Unsupported))
	}
	if err := checkVG(name, text, pvs); err != nil {
		return wrong(err)
	}
	text, left, err := text.Restorable()
	if err != nil {
		return wrong(err)
	}
	areas, err := text.MetadataAreas()
	if err != nil {
		return wrong(err)
	}
	var devices []string
	for _, id := range text.PVs() {
		devices = append(devices, pvs[id].Device)
	}
	m := vg{name, dir, lvmConfig(devices, text.SystemID())}
	whole, pools := m.file("", text), m.file(".pools", text.NewPools())
	l := Layer{Make: append(clearDevices(devices...), whole)}
	for _, id := range text.PVs() {
		l.Make = append(l.Make, m.pvcreate(id, pvs[id], whole.File))
	}
	for _, area := range areas {
		l.Make = append(l.Make, clearArea(pvs[area.PV].Device, area))
	}
	if thin := text.ThinPools(); len(thin) > 0 {
		l.Make = append(l.Make, pools, m.restore(pools.File))
		for _, pool := range thin {
			l.Make = append(l.Make, m.fillPool(pool)...)
		}
	}
	l.Make = append(l.Make, m.restore(whole.File))
	l.Open = []Action{m.lvm("vgchange", "--activate", "y", "--ignoreactivationskip", string(name))}
	for _, lv := range text.ReadOnly() {
		l.Open = append(l.Open, writable(LVDevice(string(name), lv)))
	}
	l.Close = []Action{m.lvm("vgchange", "--activate", "n", string(name))}
	for _, lv := range slices.Sorted(maps.Keys(left)) {
		l.note("logical volume %s/%s is left out: %s", name, lv, left[lv])
	}
	return l, nil
}

// LVDevice is the node of a logical volume. A dash in a name is two there.
func LVDevice(vg, lv string) string {
	double := func(s string) string { return strings.ReplaceAll(s, "-", "--") }
	return "/dev/mapper/" + double(vg) + "-" + double(lv)
}

// isLVMID is the form of LVM's identifiers.
var isLVMID = regexp.MustCompile(`^[A-Za-z0-9!#]{6}(-[A-Za-z0-9!#]{4}){5}-[A-Za-z0-9!#]{6}$`)

// checkVG checks that text and volumes are of one group, and what goes into
// arguments.
func checkVG(name probes.ID, text *probes.VGText, pvs map[probes.ID]PhysicalVolume) error {
	own, err := text.Name()
	if err != nil {
		return err
	}
	if own != name {
		return fmt.Errorf("its text is that of %q", own)
	}
	seen := map[string]probes.ID{}
	for _, id := range text.PVs() {
		pv, ok := pvs[id]
		switch {
		case !isLVMID.MatchString(string(id)):
			return fmt.Errorf("physical volume %q: that is no UUID of LVM", id)
		case !ok || pv.PV == nil:
			return fmt.Errorf("physical volume %s: no device", id)
		case pv.MetadataCopies < 0 || pv.MetadataCopies > 2:
			return fmt.Errorf("physical volume %s: %d copies of metadata", id, pv.MetadataCopies)
		case pv.MetadataSize%512 != 0 || pv.MetadataSize > 1<<40:
			return fmt.Errorf("physical volume %s: %d bytes of metadata", id, pv.MetadataSize)
		case seen[pv.Device] != "":
			return fmt.Errorf("physical volumes %s and %s are both on %s", seen[pv.Device], id, pv.Device)
		}
		if err := checkDevice(pv.Device); err != nil {
			return fmt.Errorf("physical volume %s: %w", id, err)
		}
		seen[pv.Device] = id
	}
	if len(seen) != len(pvs) {
		return fmt.Errorf("its text has %d physical volumes, not %d", len(seen), len(pvs))
	}
	if id := text.SystemID(); !isSystemID.MatchString(id) {
		return fmt.Errorf("system ID %q", id)
	}
	return nil
}

// isSystemID is what LVM leaves of one, see lvmsystemid(7).
var isSystemID = regexp.MustCompile(`^[A-Za-z0-9+_.-]{0,127}$`)

// lvmConfig is all that LVM goes by: it looks at these devices alone, whatever
// they are, and writes nothing but to them. Neither pools nor caches are
// checked, which takes programs that may be missing: they are new.
func lvmConfig(devices []string, systemID string) string {
	var accept []string
	for _, d := range slices.SortedFunc(slices.Values(devices), cmp.Compare[string]) {
		// of the characters that a device may have here, these mean something
		accept = append(accept, `"a|^`+strings.NewReplacer(".", "[.]", "+", "[+]").Replace(d)+`$|"`)
	}
	filter := "[" + strings.Join(append(accept, `"r|.*|"`), ", ") + "]"
	udev := 0
	if udevRuns() {
		udev = 1
	}
	config := fmt.Sprintf("devices { filter = %s global_filter = %s use_devicesfile = 0 obtain_device_list_from_udev = 0 external_device_info_source = \"none\" } "+
		"activation { udev_sync = %d udev_rules = %d monitoring = 0 } backup { backup = 0 archive = 0 } "+
		"global { use_lvmpolld = 0 thin_check_executable = \"\" cache_check_executable = \"\"", filter, filter, udev, udev)
	if systemID != "" { // only that machine may have the group: be it, see lvmsystemid(7)
		return config + fmt.Sprintf(" system_id_source = \"lvmlocal\" } local { system_id = %q }", systemID)
	}
	return config + " }"
}

// lvm is a command of LVM that does not read the machine's configuration.
func (m vg) lvm(command string, args ...string) Action {
	return Action{
		Args: append([]string{"lvm", command, "--yes", "--config", m.config}, args...),
		Env:  append(toolEnv(), "LVM_SYSTEM_DIR=", "LVM_SUPPRESS_FD_WARNINGS=1"),
	}
}

// pvcreate makes a physical volume. Where its data begin, and an area for a boot
// loader, are in the text.
func (m vg) pvcreate(id probes.ID, pv PhysicalVolume, file string) Action {
	args := []string{"--uuid", string(id), "--restorefile", file, "--pvmetadatacopies", strconv.Itoa(pv.MetadataCopies)}
	if pv.MetadataSize > 0 {
		args = append(args, "--metadatasize", fmt.Sprint(pv.MetadataSize, "b"))
	}
	if pv.BootloaderSize > 0 { // before it, LVM aligns the end of its text to a MiB, or to this
		both := pv.BootloaderStart | pv.DataStart
		args = append(args, "--dataalignment", fmt.Sprint(both&-both, "b"))
	}
	return m.lvm("pvcreate", append(args, pv.Device)...)
}

func (m vg) file(suffix string, text *probes.VGText) Action {
	return Action{File: filepath.Join(m.dir, "vg."+string(m.name)+suffix), Content: text.String()}
}

func (m vg) restore(file string) Action {
	return m.lvm("vgcfgrestore", "--force", "--file", file, string(m.name)) // force: thin pools
}

// fillPool tells the kernel's half of a thin pool, which is new, what volumes
// the text knows. Nothing else of the group is active meanwhile.
func (m vg) fillPool(pool probes.ThinPool) []Action {
	device := LVDevice(string(m.name), pool.Name)
	message := func(words string) Action {
		return Action{Args: []string{"dmsetup", "message", device, "0", words}, Env: toolEnv()}
	}
	actions := []Action{m.lvm("lvchange", "--activate", "y", string(m.name)+"/"+pool.Name)}
	for _, id := range pool.Devices {
		actions = append(actions, message(fmt.Sprintf("create_thin %d", id)))
	}
	if pool.Transaction > 0 {
		actions = append(actions, message(fmt.Sprintf("set_transaction_id 0 %d", pool.Transaction)))
	}
	return append(actions, m.lvm("lvchange", "--activate", "n", string(m.name)+"/"+pool.Name))
}

// writable lets a volume be written to that the group has as read-only: it is
// empty now. The kernel gets the same table once more, with that permission;
// the group's text stays as it is. The rules of udevd take the node of a device
// away that becomes read-only, which it does when the group is opened again:
// mknodes puts it back.
func writable(device string) Action {
	return Action{
		Words: "let " + device + " be written to, until it is closed",
		Do: func() error {
			dmsetup := func(stdin, command string) (string, error) {
				c := run.Command{Args: []string{"dmsetup", command, strings.TrimPrefix(device, "/dev/mapper/")}, Env: toolEnv(), Stdin: strings.NewReader(stdin)}
				out, _, err := run.Output(context.Background(), c)
				return string(out), err
			}
			table, err := dmsetup("", "table")
			for _, command := range []string{"reload", "resume"} {
				if err == nil {
					_, err = dmsetup(table, command)
				}
			}
			if err == nil {
				err = settle()
			}
			if err == nil {
				_, err = dmsetup("", "mknodes")
			}
			return err
		},
	}
}
