package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"rootwc/internal/run"
	"slices"
	"strings"
	"testing"
)

// newerSuite is the Debian release after [realSuite], with the packages whose
// configuration files [returnEdits] changes.
const (
	newerSuite      = "trixie"
	releasePackages = "openssh-server,sudo,nginx,cron,logrotate,nano,vim-tiny,postfix"
)

// returnPeople is what lives on the machine: two people with two thousand files
// each, some of them with odd owners, modes and ACLs.
const returnPeople = `
echo box >etc/hostname
for user in anna ben; do
	chroot . useradd --create-home --shell /bin/bash $user
	for dir in a b c d; do
		mkdir -p home/$user/work/$dir
		seq 500 | split --lines=1 --suffix-length=3 --numeric-suffixes - home/$user/work/$dir/file
	done
	chroot . chown -R $user:$user home/$user
	chmod 0600 home/$user/work/a/file007; chmod 0755 home/$user/work/b/file007; chmod 0750 home/$user/work/c
	chroot . usermod --append --groups adm $user
	chgrp 4 home/$user/work/c/file008; chmod 0640 home/$user/work/c/file008
	setfacl -m u:33:r home/$user/work/d/file009
	ln -s work/a home/$user/link; chroot . chown -h $user:$user home/$user/link
done
mkdir home/anna/photos-buffer home/anna/audio-selection srv/films-copy
echo photo >home/anna/photos-buffer/new.jpg
chroot . chown -R anna:anna home/anna/photos-buffer home/anna/audio-selection
`

// returnEdits are a person's changes of files that both releases ship, each
// another text in the newer one.
const returnEdits = `
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

// returnMedia are the repositories of what svn does not hold.
const returnMedia = `
mkdir -p media/photos media/audio/albums media/audio/rest media/films
echo song >media/audio/albums/one; echo noise >media/audio/rest/two; echo film >media/films/one
chmod -R a+rwX media
`

// returnDatasets says so in the description.
const returnDatasets = `
[[dataset]]
path = "home/anna/photos-buffer"
type = "buffer"
repository = "vfs:%[1]s/photos"

[[dataset]]
path = "home/anna/audio-selection"
type = "selection"
repository = "vfs:%[1]s/audio"
include = ["albums/**"]

[[dataset]]
path = "srv/films-copy"
type = "copy"
repository = "vfs:%[1]s/films"
`

// TestRealReturn loses a machine on which people have worked, and brings it back
// onto fresh installations of the same and of the next Debian: homes on branches
// of their own, edited configuration files, datasets, and encrypted secrets. On
// the next one each edited file has both sides' changes, or waits for the person.
//
// It needs what [TestRealMachine] needs.
func TestRealReturn(t *testing.T) {
	if os.Getenv("ROOTWC_REAL") == "" {
		t.Skip("takes minutes; ROOTWC_REAL=1 asks for it (make realtest)")
	}
	needs(t, "svnserve", "debootstrap", "rsync", "getfacl", "setfacl", "unshare", "age-keygen", "diff3")
	s, shipped := installReleases(t)
	same := &machine{t: t, root: filepath.Join(s.dir, "same")}
	copySystem(t, shipped[0], same.root)
	if err := os.Chmod(s.dir, 0o755); err != nil { // people of the machine read the media
		t.Fatal(err)
	}
	shell(t, s.dir, returnMedia)
	s.m1.shell(returnPeople)
	s.serve()
	r := &returning{s, filepath.Join(s.dir, "key")}
	edited := r.save()

	t.Run("Debian 12", func(t *testing.T) {
		told := r.comesBack(t, same)
		if told.status != 0 || told.stderr != "" {
			t.Errorf("want nothing to be told: %v", told)
		}
		same.clean("on a fresh machine of the same release")
	})
	t.Run("Debian 13", func(t *testing.T) {
		told := r.comesBack(t, s.m2)
		paths, rest, _ := strings.Cut(s.m2.ok("status"), "\n\n")
		if !strings.HasPrefix(rest, "probes:\n") {
			t.Errorf("status also says: %s", rest)
		}
		for line := range strings.Lines(paths) {
			path := strings.Fields(line)[1]
			if !regexp.MustCompile(`(?m)^[GECUD?] ` + regexp.QuoteMeta(path) + `(  |$)`).MatchString(told.stdout) {
				t.Errorf("status has %q, and nobody has told it: %v", line, told)
			}
		}
		r.judge(t, shipped, edited, told.stdout)
	})
}

// judge says whether each edited file has both sides' changes, or waits for the
// person with the package's file in place, and whether every other one of a
// package is the newer release's. diff and dpkg know.
func (r *returning) judge(t *testing.T, shipped [2]string, edited []string, told string) {
	t.Helper()
	conflict := func(path string) bool {
		return regexp.MustCompile(`(?m)^C ` + regexp.QuoteMeta(path) + `(  |$)`).MatchString(told)
	}
	merged := 0
	for _, path := range edited {
		was, is := changedLines(t, shipped[0], r.m1.root, path), changedLines(t, shipped[1], r.m2.root, path)
		switch {
		case conflict(path) && is == "":
		case !conflict(path) && is == was && was != "":
			merged++
		default:
			t.Errorf("%s: the changes were\n%sand are\n%s(in conflict: %v)", path, was, is, conflict(path))
		}
	}
	t.Logf("%d of %d merged", merged, len(edited))
	for _, line := range strings.Split(must(t, shipped[1], "dpkg-query", "--admindir=var/lib/dpkg", "--show", "--showformat", "${Conffiles}\\n"), "\n") {
		path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "/"), " ")
		if path == "" || strings.HasSuffix(line, "obsolete") || slices.Contains(edited, path) || conflict(path) {
			continue
		}
		if _, err := os.Stat(filepath.Join(shipped[1], path)); err == nil && changedLines(t, shipped[1], r.m2.root, path) != "" {
			t.Errorf("%s was not edited, and is not the newer release's", path)
		}
	}
}

// returning is a machine that comes back.
type returning struct {
	*sandbox
	key string // opens what is encrypted
}

// save has the machine save itself, and somebody edit it.
func (r *returning) save() (edited []string) {
	t, m := r.t, r.m1
	t.Helper()
	must(t, "", "age-keygen", "-o", r.key)
	m.ok("init", "--secrets=encrypt", "--recipient="+strings.TrimSpace(must(t, "", "age-keygen", "-y", r.key)), r.host())
	m.ok("commit", "-m", "as installed")
	m.shell(returnEdits)
	for _, match := range regexp.MustCompile(`(?m)^M (etc/\S+)`).FindAllStringSubmatch(m.ok("status"), -1) {
		edited = append(edited, match[1])
	}
	if len(edited) != strings.Count(returnEdits, "sed ") {
		t.Fatalf("%d files are edited: %q", len(edited), edited)
	}
	text := m.read(".rootwc/system.toml") + fmt.Sprintf(returnDatasets, filepath.Join(r.dir, "media"))
	m.write(".rootwc/system.toml", text)
	m.ok("add", "srv/films-copy")
	m.ok("commit", "-m", "edited")
	for _, user := range []string{"anna", "ben"} {
		branch := "/home/" + user + "/branches/box"
		r.svn(r.dir, "mkdir", "--parents", "-m", "home", r.url+"/home/"+user+"/trunk", r.url+filepath.Dir(branch))
		r.svn(r.dir, "copy", "-m", "branch", r.url+"/home/"+user+"/trunk", r.url+branch)
		m.ok("externals", "add", "^"+branch, "home/"+user)
		m.ok("add", "home/"+user+"/work", "home/"+user+"/link", "home/"+user+"/.profile", "home/"+user+"/.bashrc", "home/"+user+"/.bash_logout")
	}
	m.ok("add", "home/anna/photos-buffer", "home/anna/audio-selection")
	m.ok("dataset", "checkout")
	if status := m.ok("status"); !strings.Contains(status, "photos-buffer") {
		t.Errorf("want a word about the photograph that is not flushed:\n%s", status)
	}
	m.ok("dataset", "flush")
	m.ok("commit", "-m", "homes")
	m.clean("before it is lost")
	return edited
}

// comesBack brings the machine back onto a fresh installation.
func (r *returning) comesBack(t *testing.T, fresh *machine) answer {
	t.Helper()
	in := *fresh
	in.t = t
	args := []string{"materialize", "--validate", "--identity", r.key, r.host()}
	plan := in.run(append(args, "--plan")...)
	told := in.run(args...)
	want := 0
	if regexp.MustCompile(`(?m)^C `).MatchString(plan.stdout) {
		want = 4
	}
	if told.status != want {
		t.Fatalf("want status %d: %v", want, told)
	}
	for _, dir := range []string{"home", "srv"} {
		out := must(t, "", "rsync", "-aAXHni", "--checksum", "--delete", "--numeric-ids", "--exclude=.svn", r.m1.path(dir)+"/", in.path(dir)+"/")
		for line := range strings.Lines(out) {
			if !regexp.MustCompile(`^\.[fdLS]\.\.[tT]\.+ `).MatchString(line) {
				t.Errorf("below %s rsync would change %s", dir, line)
			}
		}
	}
	for _, path := range append(withheldOn(t, r.m1), "etc/shadow") {
		if strings.Contains(told.stdout, "\nE "+path+"  ") {
			continue // the newer release's
		}
		is, was := in.read(path), r.m1.read(path)
		if is != was && (path != "etc/shadow" && path != "etc/gshadow" || !strings.HasPrefix(is, was)) { // the newer release has a user more
			t.Errorf("%s is not what it was", path)
		}
		if is, was := in.mode(path), r.m1.mode(path); is != was {
			t.Errorf("%s has mode %#o, was %#o", path, is, was)
		}
	}
	if in.read("home/anna/audio-selection/albums/one") != "song\n" || in.exists("home/anna/audio-selection/rest") {
		t.Error("the selection is not what was selected")
	}
	in.shell("mkdir -p run/sshd")
	for _, check := range []string{"/usr/sbin/sshd -t", "/usr/sbin/visudo -c", "/usr/sbin/nginx -t", "/usr/sbin/postfix check", "/usr/bin/apt-get check"} {
		must(t, "/", append([]string{"chroot", in.root}, strings.Fields(check)...)...)
	}
	before := fullListing(t, &in)
	if again := in.run(args...); again.status != 0 {
		t.Errorf("want nothing to be left to do: %v", again)
	}
	sameTrees(t, "after a second materialize", before, fullListing(t, &in))
	return told
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
