package probes

import (
	"slices"
	"strings"
)

// Initramfs is what makes the first file system of the kernel. What it makes
// is in the tree.
type Initramfs struct {
	Generator string `toml:"generator"` // "initramfs-tools", "dracut", "mkinitcpio", "booster"
	Setting   string `toml:"setting"`   // what decides on drivers: "MODULES=dep", "hostonly=yes", "autodetect"
}

// HostOnly tells whether the initramfs has drivers for this machine's hardware
// alone, so that it may not find its disks on other hardware.
func (i *Initramfs) HostOnly() bool {
	return i != nil && slices.Contains([]string{"MODULES=dep", "MODULES=list", "hostonly=yes", "autodetect", "universal=false"}, i.Setting)
}

// generators are found by their programs.
var generators = []struct {
	name    string
	program []string
	setting func(*bootReader) string
}{
	{"initramfs-tools", []string{"usr/sbin/mkinitramfs"}, (*bootReader).initramfsTools},
	{"dracut", []string{"usr/bin/dracut", "usr/sbin/dracut"}, (*bootReader).dracut},
	{"mkinitcpio", []string{"usr/bin/mkinitcpio"}, (*bootReader).mkinitcpio},
	{"booster", []string{"usr/bin/booster"}, (*bootReader).booster},
}

func (r *bootReader) initramfs() *Initramfs {
	for _, g := range generators {
		if slices.ContainsFunc(g.program, r.has) {
			return &Initramfs{Generator: g.name, Setting: g.setting(r)}
		}
	}
	return nil
}

// initramfsTools: initramfs.conf(5), then the drop-ins by name.
func (r *bootReader) initramfsTools() string {
	const dir = "etc/initramfs-tools/"
	vars := r.assignments(append([]string{dir + "initramfs.conf"}, r.glob(dir+"conf.d/*")...)...)
	return "MODULES=" + firstOf(vars["MODULES"], "most")
}

// dracut: dracut.conf(5); files in /etc hide those of the same name in
// /usr/lib, and all are read by name.
func (r *bootReader) dracut() string {
	vars := r.assignments(append([]string{"etc/dracut.conf"}, r.dropIns("etc/dracut.conf.d", "usr/lib/dracut/dracut.conf.d")...)...)
	if v := strings.TrimSpace(vars["hostonly"]); v != "" {
		return "hostonly=" + v
	}
	return ""
}

// dropIns are the files *.conf of directories by name; of one name the first
// directory has it.
func (r *bootReader) dropIns(dirs ...string) (files []string) {
	byName := map[string]string{}
	for _, dir := range slices.Backward(dirs) {
		for _, file := range r.glob(dir + "/*.conf") {
			byName[strings.TrimPrefix(file, dir)] = file
		}
	}
	for _, file := range byName {
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b string) int {
		return strings.Compare(a[strings.LastIndexByte(a, '/'):], b[strings.LastIndexByte(b, '/'):])
	})
	return files
}

// mkinitcpio: the hook "autodetect" leaves out what the machine does not have.
func (r *bootReader) mkinitcpio() string {
	vars := r.assignments(append([]string{"etc/mkinitcpio.conf"}, r.dropIns("etc/mkinitcpio.conf.d")...)...)
	if slices.Contains(strings.Fields(vars["HOOKS"]), "autodetect") {
		return "autodetect"
	}
	return ""
}

// booster: /etc/booster.yaml; without "universal: true" an image is for the
// host.
func (r *bootReader) booster() string {
	for line := range strings.Lines(r.text("etc/booster.yaml")) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "universal" {
			return "universal=" + strings.TrimSpace(value)
		}
	}
	return "universal=false"
}
