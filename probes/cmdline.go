package probes

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxText is more than any file of settings has.
const maxText = 1 << 20

// text reads a file of settings; "" when it is not there.
func (r *bootReader) text(name string) string {
	b, err := readBounded(r.root, name, maxText)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// has tells whether a file or directory is there.
func (r *bootReader) has(name string) bool {
	_, err := fs.Stat(r.root, name)
	return err == nil
}

// glob lists what matches, sorted by name.
func (r *bootReader) glob(pattern string) []string {
	names, _ := fs.Glob(r.root, pattern)
	slices.Sort(names)
	return names
}

// commandLine finds what the kernel is started with: what it was started with,
// when the machine is running, or the files that will tell it the next time.
func (r *bootReader) commandLine(proc fs.FS) {
	if proc != nil {
		if b, err := readBounded(proc, "cmdline", maxText); err == nil {
			r.configured(runningCommandLine, strings.ToValidUTF8(string(b), "\ufffd"))
			return
		}
	}
	if line := r.text("etc/kernel/cmdline"); strings.TrimSpace(line) != "" {
		r.configured("/etc/kernel/cmdline", line)
		return
	}
	for _, dir := range []string{"boot/loader/entries", "boot/efi/loader/entries", "efi/loader/entries"} {
		if line := r.entryOptions(dir); line != "" {
			r.configured("/"+dir, line)
			return
		}
	}
	if r.has("etc/default/grub") {
		grub := r.assignments(append([]string{"etc/default/grub"}, r.glob("etc/default/grub.d/*.cfg")...)...)
		r.configured("/etc/default/grub", grub["GRUB_CMDLINE_LINUX"]+" "+grub["GRUB_CMDLINE_LINUX_DEFAULT"])
	}
}

// configured sets the command line, without the words that another kernel or
// another start changes, and those that hold a secret.
func (r *bootReader) configured(from, line string) {
	words := slices.DeleteFunc(Words(line), func(w string) bool {
		key, _, _ := strings.Cut(w, "=")
		return slices.Contains([]string{"BOOT_IMAGE", "initrd", "BOOTIF"}, key) || strings.HasPrefix(key, "systemd.set_credential")
	})
	r.boot.CommandLine = strings.Join(words, " ")
	if r.boot.CommandLine != "" {
		r.boot.From = from
	}
}

// Words splits a command line as the kernel does: at spaces that are not
// between quotes (lib/cmdline.c, next_arg). The quotes stay.
func Words(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(c rune) bool {
		if c == '"' {
			quoted = !quoted
		}
		return !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r')
	})
}

// entryOptions are the options of the last entry of the Boot Loader
// Specification, by name, that is no rescue system. Fedora's may take them
// from GRUB's environment ($kernelopts).
func (r *bootReader) entryOptions(dir string) (options string) {
	for _, name := range r.glob(dir + "/*.conf") {
		if strings.Contains(path.Base(name), "-rescue") {
			continue
		}
		var words []string
		for line := range strings.Lines(r.text(name)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " "); ok && key == "options" {
				words = append(words, Words(value)...)
			}
		}
		words = slices.DeleteFunc(words, func(w string) bool { return w == "$tuned_params" || w == "$tuned_initrd" })
		if i := slices.Index(words, "$kernelopts"); i >= 0 {
			words = slices.Replace(words, i, i+1, Words(r.environment("kernelopts"))...)
		}
		if len(words) > 0 {
			options = strings.Join(words, " ")
		}
	}
	return options
}

// environment is a value of GRUB's environment block.
func (r *bootReader) environment(name string) string {
	for _, file := range []string{"boot/grub2/grubenv", "boot/grub/grubenv"} {
		for line := range strings.Lines(r.text(file)) {
			if value, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), name+"="); ok {
				return value
			}
		}
	}
	return ""
}
