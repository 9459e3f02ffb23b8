package ignore

// The tables behind [Policy]. "Deep" tables become svn:global-ignores and are
// for names that turn up at any depth below their directory; everything that
// has a place of its own is svn:ignore of that very directory, so that a
// pattern cannot hide anything elsewhere.

var commonNoise = []noise{
	{"", "*", "the root is closed: only what was added is versioned"},

	{"etc", "ld.so.cache", "ldconfig(8) writes it anew with every library that is installed"},
	{"etc", "mtab mtab.fuselock", "the mounts of this moment; mount(8), fusermount(1)"},
	{"etc", "blkid.tab blkid.tab.old", "old cache of libblkid, today in /run/blkid; libblkid(3)"},
	{"etc", "adjtime", "drift of this machine's hardware clock; hwclock(8)"},
	{"etc", ".pwd.lock", "lock of the account files; lckpwdf(3)"},
	{"etc", "passwd- group- shadow- gshadow- subuid- subgid-",
		"the state before the last change of the account files; passwd(5), group(5), shadow(5)"},
	{"etc", "passwd.lock group.lock shadow.lock gshadow.lock subuid.lock subgid.lock",
		"locks of the account files while they are edited; vipw(8)"},
	{"etc", "nologin", "exists while the machine must not be used; a copy would lock everybody out; nologin(5)"},
	{"etc", ".updated", "the time of the last offline update; systemd-update-done.service(8)"},
	{"etc", ".etckeeper", "owners and modes in etckeeper's own notation; etckeeper(8)"},

	{"etc/apparmor.d", "cache", "compiled profiles; apparmor_parser(8)"},
	{"etc/apparmor.d/libvirt", "libvirt-*.files", "rules for one running guest; virt-aa-helper(8)"},
	{"etc/cups", "subscriptions.conf*", "who is being told of printer events just now; subscriptions.conf(5)"},
	{"etc/cups", "*.O *.N", "old and half-written new copies; cupsd renames on every save"},
	{"etc/cups/ppd", "*.O *.N", "old and half-written new copies; cupsd renames on every save"},
	{"etc/lvm", "archive backup cache", "copies of metadata that lives on the disks; vgcfgbackup(8), lvm.conf(5)"},
	{"etc/lvm/devices", "backup", "old copies of the devices file; lvmdevices(8)"},
	{"etc/ppp", "resolv.conf", "name servers of the connection that is up; pppd(8), usepeerdns"},
	{"etc/udev", "hwdb.bin", "compiled from hwdb.d; systemd-hwdb(8)"},
	{"etc/udev/rules.d", "70-snap.*.rules", "snapd writes it for each installed snap; its list of snaps is the source"},
	{"etc/zfs", "zpool.cache", "the devices of the imported pools; zpoolprops(7), cachefile"},
}

var commonDeepNoise = []noise{
	{"", "*~", "the version before the last, kept by editors"},
	{"", "*.swp .*.sw? .sw?", "swap file of Vim or nano, while a file is open; vim(1) :help swap-file"},
	{"", ".#*", "lock of Emacs, while a file is open; Emacs manual, Interlocking"},
	{"", "#*#", "unsaved state of Emacs; Emacs manual, Auto Save"},
	{"", "DEADJOE", "unsaved text of an editor that was killed; joe(1)"},
	{"", ".git .hg .bzr _darcs", "books of another version control, which keeps its own history"},
	{"", "__pycache__ *.pyc *.pyo", "byte code, compiled when a Python file is first used; PEP 3147"},
	{"", "lost+found", "belongs to a file system, not to the tree on it; fsck(8), mklost+found(8)"},
	{"", ".nfs0* .fuse_hidden*", "file that is deleted but still open; nfs(5), fuse(8) hard_remove"},

	{"etc/firewalld", "*.old", "the version before the last; firewalld copies it on every save"},
	{"etc/openvpn", "openvpn-status.log", "the clients that are connected; openvpn(8), --status"},
	{"etc/sv", "supervise", "state and control fifos of a running service; runsv(8)"},
	{"etc/systemd", "snap-*.mount var-lib-snapd-snap-*.mount",
		"snapd writes it for each revision of a snap; without that revision's file it only fails"},
	{"etc/systemd", "snap.*.service snap.*.socket snap.*.timer",
		"snapd writes it for each service of a snap; its list of snaps is the source"},
}

var debianNoise = []noise{
	{"etc", "fake-hwclock.data", "the time, saved every hour; fake-hwclock(8)"},
	{"etc/apt", "*.save *.distUpgrade", "old copies by software-properties and do-release-upgrade(8)"},
	{"etc/apt/sources.list.d", "*.save *.distUpgrade", "old copies by software-properties and do-release-upgrade(8)"},
	{"etc/init.d", ".depend.*", "start order, computed from the headers of the scripts; insserv(8)"},
	{"etc/network", "run", "state of the network interfaces; ifup(8)"},
	{"etc", ".resolv.conf.systemd-resolved.bak", "what was there before the package; postinst of systemd-resolved"},
	{"etc/sgml", "catalog.old", "the version before the last; update-catalog(8)"},
	{"etc/xml", "*.old", "the version before the last; update-xmlcatalog(8)"},
	{"etc/pam.d", "*.pam-old", "the state before an update was forced; pam-auth-update(8)"},
}

var debianDeepNoise = []noise{
	{"", "*.dpkg-*", "old, new and half-installed versions of configuration files; dpkg(1), --force-conf…"},
	{"", "*.ucf-*", "old, new and shipped versions of configuration files; ucf(1)"},
}

var fedoraNoise = []noise{
	{"etc/sysconfig", "iptables.save ip6tables.save", "the rules before they were last saved; iptables.init of iptables-services"},
	{"etc/selinux/targeted", ".policy.sha512", "checksum of the compiled policy, for the package's own use"},
	{"etc/selinux/targeted/policy", "policy.*", "compiled from the modules in /var/lib/selinux; semodule(8)"},
	{"etc/selinux/targeted/contexts/files", "*.bin", "compiled from the text beside it; sefcontext_compile(8)"},
	{"etc/yum.repos.d", "redhat.repo", "written from this machine's entitlements; subscription-manager(8)"},
}

var fedoraDeepNoise = []noise{
	{"", "*.rpmnew *.rpmsave *.rpmorig", "other versions of configuration files, kept by an update; rpm(8)"},
	{"", "*.YaST2save *.YaST2.save", "the version before YaST changed it"},
}

var archNoise = []noise{
	{"etc/pacman.d", "gnupg", "key ring with a secret key of this machine alone; pacman-key(8) --init, --populate"},
}

var archDeepNoise = []noise{
	{"", "*.pacnew *.pacsave *.pacsave.[0-9]* *.pacorig",
		"other versions of configuration files, kept by an update; pacman(8)"},
}
