package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

// newerSuite is the Debian release after [realSuite], with the packages whose
// configuration files [releaseEdits] changes.
const (
	newerSuite      = "trixie"
	releasePackages = "openssh-server,sudo,nginx,cron,logrotate,nano,vim-tiny"
)

// releaseEdits are a person's changes of files that both releases ship, each
// another text in the newer one.
const releaseEdits = `
sed -i 's/^#\?PermitRootLogin.*/PermitRootLogin no/' etc/ssh/sshd_config
sed -i 's/^#   ForwardAgent no/    ForwardAgent no/' etc/ssh/ssh_config
sed -i 's/^UMASK.*/UMASK		077/' etc/login.defs
sed -i 's/^#\?SystemMaxUse=.*/SystemMaxUse=200M/' etc/systemd/journald.conf
sed -i 's/^#\?HandleLidSwitch=.*/HandleLidSwitch=ignore/' etc/systemd/logind.conf
sed -i 's/worker_connections 768/worker_connections 2048/' etc/nginx/nginx.conf
sed -i '$a export EDITOR=vim' etc/bash.bashrc
sed -i '$a set number' etc/vim/vimrc
sed -i 's/^#\?DIR_MODE=.*/DIR_MODE=0700/' etc/adduser.conf
sed -i '$a 0 5 * * * root /usr/local/bin/backup' etc/crontab
sed -i '$a backup	9999/tcp' etc/services
sed -i 's/^# set linenumbers/set linenumbers/' etc/nanorc
`

// TestRealRelease takes a Debian machine with twelve edited configuration files
// to a fresh installation of the same release, and to one of the next: each of
// them has both sides' changes there, or waits for the person with the package's
// file in place. diff and the programs themselves are the judges.
//
// It needs what [TestRealMachine] needs.
func TestRealRelease(t *testing.T) {
	if os.Getenv("ROOTWC_REAL") == "" {
		t.Skip("takes minutes; ROOTWC_REAL=1 asks for it (make realtest)")
	}
	needs(t, "debootstrap", "unshare", "diff3", "diff")
	s, shipped := installReleases(t)
	old, newer := s.m1, s.m2
	old.ok("init", s.host())
	old.ok("commit", "-m", "as installed")
	old.shell(releaseEdits)
	edited := regexp.MustCompile(`(?m)^M (etc/\S+)`).FindAllStringSubmatch(old.ok("status"), -1)
	if len(edited) != strings.Count(releaseEdits, "sed ") {
		t.Fatalf("%d files are edited: %q", len(edited), edited)
	}
	old.ok("commit", "-m", "edited")

	same := &machine{t: t, root: filepath.Join(s.dir, "same")}
	copySystem(t, shipped[0], same.root)
	same.ok("materialize", s.host())
	same.clean("on a fresh machine of the same release")

	plan := newer.ok("materialize", "--plan", "--validate", s.host())
	told := newer.run("materialize", "--validate", s.host())
	conflicts := regexp.MustCompile(`(?m)^C (etc/\S+)`).FindAllStringSubmatch(plan, -1)
	t.Logf("%d files in conflict: %q", len(conflicts), conflicts)
	if want := map[bool]int{true: 4}[len(conflicts) > 0]; told.status != want {
		t.Fatalf("want status %d: %v", want, told)
	}
	inConflict := func(path string) bool {
		return slices.ContainsFunc(conflicts, func(m []string) bool { return m[1] == path })
	}
	merged := 0
	for _, m := range edited {
		path := m[1]
		was, is := changedLines(t, shipped[0], old.root, path), changedLines(t, shipped[1], newer.root, path)
		switch {
		case inConflict(path) && is == "":
		case !inConflict(path) && is == was && was != "":
			merged++
		default:
			t.Errorf("%s: the changes were\n%sand are\n%s(in conflict: %v)", path, was, is, inConflict(path))
		}
	}
	t.Logf("%d of %d merged", merged, len(edited))
	for _, m := range regexp.MustCompile(`(?m)^E (etc/\S+)  the version of`).FindAllStringSubmatch(plan, -1) {
		if changedLines(t, shipped[1], newer.root, m[1]) != "" {
			t.Errorf("%s was not edited, and is not the newer release's", m[1])
		}
	}
	newer.shell("mkdir -p run/sshd")
	for _, check := range [][]string{{"/usr/sbin/sshd", "-t"}, {"/usr/sbin/visudo", "-c"}, {"/usr/sbin/nginx", "-t"}} {
		must(t, "/", append([]string{"chroot", newer.root}, check...)...)
	}
	before := fullListing(t, newer)
	newer.ok("materialize", "--validate", s.host())
	sameTrees(t, "after a second materialize", before, fullListing(t, newer))
}

// installReleases installs a machine of each release, and keeps both as they
// were installed.
func installReleases(t *testing.T) (s *sandbox, shipped [2]string) {
	t.Helper()
	s = realSandbox(t, "old", "newer")
	mirror := debianMirror(t)
	for i, m := range []*machine{s.m1, s.m2} {
		debootstrap(t, []string{realSuite, newerSuite}[i], m.root, mirror, "--include="+releasePackages)
		shipped[i] = m.root + ".shipped"
		copySystem(t, m.root, shipped[i])
	}
	return s, shipped
}

// copySystem copies a whole system, which takes a slow disk longer than [must]
// waits.
func copySystem(t *testing.T, from, to string) {
	t.Helper()
	if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"cp", "-a", "--", from, to}}); err != nil {
		t.Fatal(err)
	}
}

// changedLines are the lines in which a file of one tree differs from that of
// another.
func changedLines(t *testing.T, from, to, path string) string {
	t.Helper()
	out := must(t, "", "/bin/sh", "-c", `diff -- "$1" "$2" || [ $? = 1 ]`, "sh", filepath.Join(from, path), filepath.Join(to, path))
	var changed []string
	for line := range strings.Lines(out) {
		if line[0] == '<' || line[0] == '>' {
			changed = append(changed, line)
		}
	}
	return strings.Join(changed, "")
}
