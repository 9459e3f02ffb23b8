package probes

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Loader is a program that loads the kernel. Its files are in the tree; what
// firmware starts of it are the programs.
type Loader struct {
	Directory string   `toml:"directory"` // of its files: "/boot/grub"
	Platforms []string `toml:"platforms"` // GRUB: those that it is installed for, "i386-pc"
	Programs  []string `toml:"programs"`  // on the EFI system partition: "/boot/efi/EFI/debian/grubx64.efi"
}

// loaderPrograms are the EFI programs that tell a loader, by their path below
// the EFI directory, in lower case.
var loaderPrograms = []struct {
	loader  ID
	program *regexp.Regexp
}{
	{"fallback", regexp.MustCompile(`^boot/boot(x64|ia32|aa64|arm|riscv64|loongarch64)\.efi$`)},
	{"systemd-boot", regexp.MustCompile(`^systemd/systemd-boot[a-z0-9]+\.efi$`)},
	{"shim", regexp.MustCompile(`^[^/]+/shim[a-z0-9]*\.efi$`)},
	{"grub", regexp.MustCompile(`^[^/]+/grub[a-z0-9]*\.efi$`)},
	{"refind", regexp.MustCompile(`^[^/]+/refind_[a-z0-9]+\.efi$`)},
	{"limine", regexp.MustCompile(`^[^/]+/(limine[a-z0-9_]*|boot[a-z0-9]+_limine)\.efi$`)},
	{"microsoft", regexp.MustCompile(`^microsoft/boot/bootmgfw\.efi$`)},
}

// loaderFiles are the files that tell the others, below the root.
var loaderFiles = map[ID][]string{
	"extlinux": {"boot/extlinux/extlinux.conf", "extlinux/extlinux.conf"},
	"syslinux": {"boot/syslinux/syslinux.cfg"},
	"lilo":     {"etc/lilo.conf"},
	"zipl":     {"etc/zipl.conf"},
}

// platform is a directory of GRUB's modules.
var platform = regexp.MustCompile(`^(i386|x86_64|arm|arm64|riscv64|loongarch64|powerpc|mips|mipsel|sparc64|ia64)-[a-z0-9]+$`)

// loaders finds what is installed.
func (r *bootReader) loaders() {
	all := map[ID]*Loader{}
	loader := func(id ID) *Loader {
		if all[id] == nil {
			all[id] = &Loader{}
		}
		return all[id]
	}
	for _, dir := range []string{"boot/grub", "boot/grub2"} {
		if !r.has(path.Join(dir, "grub.cfg")) && !r.has(path.Join(dir, "grubenv")) {
			continue
		}
		l := loader("grub")
		l.Directory = "/" + dir
		entries, _ := fs.ReadDir(r.root, dir)
		for _, e := range entries {
			if e.IsDir() && platform.MatchString(e.Name()) {
				l.Platforms = append(l.Platforms, e.Name())
			}
		}
	}
	for id, files := range loaderFiles {
		for _, file := range files {
			if r.has(file) {
				loader(id).Directory = "/" + path.Dir(file)
			}
		}
	}
	for _, esp := range ESPs(r.root, r.layout) {
		for below, file := range EFIPrograms(r.root, esp) {
			for _, p := range loaderPrograms {
				if p.program.MatchString(below) {
					loader(p.loader).Programs = append(loader(p.loader).Programs, "/"+file)
				}
			}
		}
		if l := all["systemd-boot"]; l != nil && r.has(path.Join(esp, "loader")) {
			l.Directory = "/" + path.Join(esp, "loader")
		}
	}
	for _, l := range all {
		slices.Sort(l.Programs)
	}
	if len(all) > 0 {
		r.boot.Loader = all
	}
}

// ESPs are the directories in root where EFI system partitions are mounted: by
// the layout, or where they usually are. The files need not be there yet.
func ESPs(root fs.FS, layout *Layout) (dirs []string) {
	for id, m := range layout.Mount {
		f := layout.FileSystem[m.On.ID()]
		if f != nil && f.Type == "vfat" && fs.ValidPath(strings.TrimPrefix(string(id), "/")) {
			dirs = append(dirs, strings.TrimPrefix(string(id), "/"))
		}
	}
	slices.Sort(dirs)
	for _, usual := range []string{"boot/efi", "efi", "boot"} {
		if !slices.Contains(dirs, usual) && child(root, usual, "EFI") != "" {
			dirs = append(dirs, usual)
		}
	}
	return dirs
}

// EFIPrograms are the programs on an EFI system partition: their paths in root
// by those below the directory EFI, in lower case. FAT tells no case apart,
// and a copy of its files elsewhere has any.
func EFIPrograms(root fs.FS, esp string) map[string]string {
	programs := map[string]string{}
	top := child(root, esp, "EFI")
	if top == "" {
		return programs
	}
	const deepest = 2 // EFI/Microsoft/Boot/bootmgfw.efi
	var walk func(dir, below string, depth int)
	walk = func(dir, below string, depth int) {
		entries, _ := fs.ReadDir(root, dir)
		for _, e := range entries[:min(len(entries), 1000)] {
			name := path.Join(below, strings.ToLower(e.Name()))
			switch {
			case e.IsDir() && depth < deepest:
				walk(path.Join(dir, e.Name()), name, depth+1)
			case strings.HasSuffix(name, ".efi") && !e.IsDir():
				programs[name] = path.Join(dir, e.Name())
			}
		}
	}
	walk(top, "", 0)
	return programs
}

// child is the entry of a directory with a name in any case, "" for none.
func child(root fs.FS, dir, name string) string {
	entries, _ := fs.ReadDir(root, dir)
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), name) })
	if i < 0 {
		return ""
	}
	return path.Join(dir, entries[i].Name())
}
