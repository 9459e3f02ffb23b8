package ignore

import "strings"

// Family is a group of distributions whose package manager leaves the same
// kinds of files behind.
type Family int

// The families that have a default policy of their own.
const (
	Unknown Family = iota // anything else: the policies of all families together
	Debian                // dpkg: Debian, Ubuntu, Mint, Raspberry Pi OS, …
	Fedora                // rpm: Fedora, RHEL, CentOS, Rocky, Alma, openSUSE, …
	Arch                  // pacman: Arch, Manjaro, EndeavourOS, …
)

// String returns the name in lower case, as os-release has it in ID.
func (f Family) String() string {
	switch f {
	case Debian:
		return "debian"
	case Fedora:
		return "fedora"
	case Arch:
		return "arch"
	}
	return "unknown"
}

// FamilyOf tells the family from the fields of os-release: from ID, else from
// the first known word of ID_LIKE, where os-release(5) wants the closest
// relative first.
func FamilyOf(osRelease map[string]string) Family {
	words := append([]string{osRelease["ID"]}, strings.Fields(osRelease["ID_LIKE"])...)
	for _, word := range words {
		switch strings.ToLower(word) {
		case "debian", "ubuntu", "raspbian", "linuxmint", "devuan", "kali":
			return Debian
		case "fedora", "rhel", "centos", "rocky", "almalinux", "ol", "amzn",
			"suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles", "mageia":
			return Fedora
		case "arch", "archlinux", "archarm", "manjaro", "endeavouros", "artix":
			return Arch
		}
	}
	return Unknown
}
