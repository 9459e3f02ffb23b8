package ignore

import (
	"path"
	"strings"
	"testing"
)

// verdictOf walks down to a path as the status engine does, with the policy's
// properties on every directory.
func verdictOf(p DefaultPolicy, name string) Verdict {
	rules := Rules{}.Child("", p.Ignore[""], p.GlobalIgnores[""])
	dir := ""
	for {
		first, rest, deeper := strings.Cut(name, "/")
		// The root is closed by "*": pretend that what we look at was added.
		if v := rules.Verdict(first); v.Ignored && dir != "" || !deeper {
			return v
		}
		dir, name = path.Join(dir, first), rest
		rules = rules.Child(dir, p.Ignore[dir], p.GlobalIgnores[dir])
	}
}

func TestPolicyIgnores(t *testing.T) {
	for _, test := range []struct {
		family Family
		paths  string
	}{
		{Debian, "usr home swapfile etc/ld.so.cache etc/mtab etc/adjtime etc/.pwd.lock etc/ssh/sshd_config.dpkg-old " +
			"etc/default/grub.ucf-dist etc/hosts~ etc/.#hosts etc/.hosts.swp etc/.hosts.swo etc/#hosts# etc/passwd- " +
			"etc/shadow- etc/subgid- etc/nginx/.git etc/.etckeeper etc/lvm/archive etc/lvm/cache etc/blkid.tab " +
			"etc/network/run etc/udev/hwdb.bin etc/.updated etc/cups/subscriptions.conf.O etc/cups/printers.conf.O " +
			"etc/init.d/.depend.boot etc/systemd/system/multi-user.target.wants/snap-core20-2318.mount " +
			"etc/firewalld/zones/public.xml.old etc/sv/getty-5/log/supervise etc/pam.d/common-auth.pam-old " +
			"etc/.resolv.conf.systemd-resolved.bak etc/sgml/catalog.old etc/xml/docbook-xml.xml.old"},
		{Fedora, "etc/sudoers.rpmnew etc/sudoers.rpmsave etc/selinux/targeted/policy/policy.33 etc/sysconfig/ip6tables.save etc/ntp.conf.YaST2save"},
		{Arch, "etc/pacman.conf.pacnew etc/pacman.conf.pacsave.1 etc/pacman.d/gnupg"},
		{Unknown, "etc/a.dpkg-dist etc/a.rpmorig etc/a.pacorig"},
	} {
		for _, name := range strings.Fields(test.paths) {
			if v := verdictOf(Policy(test.family), name); !v.Ignored {
				t.Errorf("%v: %s is not ignored", test.family, name)
			} else if Policy(test.family).Reason(v) == "" {
				t.Errorf("%v: no reason for %+v", test.family, v)
			}
		}
	}
}

func TestPolicyKeeps(t *testing.T) {
	const paths = "etc/machine-id etc/hostname etc/resolv.conf etc/printcap etc/shadow etc/subuid " +
		"etc/ssh/ssh_host_ed25519_key etc/ssl/certs/5ed36f99.0 etc/ssl/certs/ca-certificates.crt etc/aliases.db " +
		"etc/lvm/lvm.conf etc/lvm/devices/system.devices etc/zfs/zpool.d etc/alternatives/editor etc/.gitignore " +
		"etc/gitconfig etc/cups/printers.conf etc/cups/ssl etc/systemd/system/snap.lxd.daemon.service.d " +
		"etc/systemd/system/backup.service etc/network/interfaces etc/network/interfaces.d/run etc/rpm etc/dpkg " +
		"etc/apparmor.d/libvirt/TEMPLATE.qemu etc/selinux/config etc/hosts.bak etc/hosts.orig etc/X11/xorg.conf.old " +
		"etc/console-setup/cached_setup_keyboard.sh etc/console-setup/cached_UTF-8_del.kmap.gz etc/xml/catalog etc/sysconfig/iptables etc/popularity-contest.conf"
	for _, family := range []Family{Debian, Fedora, Arch, Unknown} {
		for _, name := range strings.Fields(paths) {
			if v := verdictOf(Policy(family), name); v.Ignored {
				t.Errorf("%v: %s is ignored by %q of %q", family, name, v.Pattern, v.Origin)
			}
		}
	}
}

func TestPolicyIsWellFormed(t *testing.T) {
	for _, family := range []Family{Debian, Fedora, Arch, Unknown} {
		p := Policy(family)
		if p.Ignore[""] != "*\n" {
			t.Errorf("%v: the root has svn:ignore %q", family, p.Ignore[""])
		}
		seen := map[Entry]bool{}
		for _, e := range p.Entries {
			if reason, _ := Useless(e.Pattern); reason != "" {
				t.Errorf("%v: pattern %q %s", family, e.Pattern, reason)
			}
			if e.Reason == "" || e.Dir != strings.Trim(path.Clean("/"+e.Dir), "/") {
				t.Errorf("%v: bad entry %+v", family, e)
			}
			key := Entry{Dir: e.Dir, Property: e.Property, Pattern: e.Pattern}
			if seen[key] {
				t.Errorf("%v: %+v twice", family, key)
			}
			seen[key] = true
		}
	}
	if got := (DefaultPolicy{}).Reason(Verdict{}); got != "" {
		t.Errorf("no verdict, but the reason %q", got)
	}
}
