package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
	chown 33:4 home/$user/work/c/file008
	setfacl -m u:33:r home/$user/work/d/file009
	ln -s work/a home/$user/link
done
mkdir home/anna/photos-buffer home/anna/audio-selection srv/films-copy
echo photo >home/anna/photos-buffer/new.jpg
chroot . chown -R anna:anna home/anna/photos-buffer home/anna/audio-selection
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
// of their own, edited configuration files, datasets, and encrypted secrets.
//
// It needs what [TestRealMachine] needs.
func TestRealReturn(t *testing.T) {
	if os.Getenv("ROOTWC_REAL") == "" {
		t.Skip("takes minutes; ROOTWC_REAL=1 asks for it (make realtest)")
	}
	needs(t, "svnserve", "debootstrap", "rsync", "getfacl", "setfacl", "unshare", "age-keygen", "diff3")
	s, shipped := installReleases(t)
	same := &machine{t: t, root: filepath.Join(s.dir, "same")}
	must(t, s.dir, "cp", "-a", shipped[0], same.root)
	if err := os.Chmod(s.dir, 0o755); err != nil { // people of the machine read the media
		t.Fatal(err)
	}
	shell(t, s.dir, returnMedia)
	s.m1.shell(returnPeople)
	s.m1.shell(releaseEdits)
	s.serve()
	r := &returning{s, filepath.Join(s.dir, "key")}
	r.save()

	t.Run("Debian 12", func(t *testing.T) {
		told := r.comesBack(t, same)
		if told.status != 0 || told.stderr != "" {
			t.Errorf("want nothing to be told: %v", told)
		}
		same.clean("on a fresh machine of the same release")
	})
	t.Run("Debian 13", func(t *testing.T) {
		told := r.comesBack(t, s.m2)
		for line := range strings.Lines(s.m2.ok("status")) {
			path := strings.Fields(line)[1]
			if !regexp.MustCompile(`(?m)^[GECU] ` + regexp.QuoteMeta(path) + `(  |$)`).MatchString(told.stdout) {
				t.Errorf("status has %q, and nobody has told it: %v", line, told)
			}
		}
	})
}

// returning is a machine that comes back.
type returning struct {
	*sandbox
	key string // opens what is encrypted
}

// save has the machine save itself.
func (r *returning) save() {
	t, m := r.t, r.m1
	t.Helper()
	must(t, "", "age-keygen", "-o", r.key)
	m.ok("init", "--secrets=encrypt", "--recipient="+strings.TrimSpace(must(t, "", "age-keygen", "-y", r.key)), r.host())
	text := m.read(".rootwc/system.toml") + fmt.Sprintf(returnDatasets, filepath.Join(r.dir, "media"))
	m.write(".rootwc/system.toml", text)
	m.ok("add", "srv/films-copy")
	m.ok("commit", "-m", "first state")
	for _, user := range []string{"anna", "ben"} {
		branch := "/home/" + user + "/branches/box"
		r.svn(r.dir, "mkdir", "--parents", "-m", "home", r.url+"/home/"+user+"/trunk", r.url+filepath.Dir(branch))
		r.svn(r.dir, "copy", "-m", "branch", r.url+"/home/"+user+"/trunk", r.url+branch)
		m.ok("externals", "add", "^"+branch, "home/"+user)
		m.ok("add", "home/"+user+"/work", "home/"+user+"/link", "home/"+user+"/.profile", "home/"+user+"/.bashrc")
	}
	m.ok("add", "home/anna/photos-buffer", "home/anna/audio-selection")
	m.ok("dataset", "checkout")
	if status := m.ok("status"); !strings.Contains(status, "photos-buffer") {
		t.Errorf("want a word about the photograph that is not flushed:\n%s", status)
	}
	m.ok("dataset", "flush")
	m.ok("commit", "-m", "homes")
	m.clean("before it is lost")
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
		out := must(t, "", "rsync", "-aAXHni", "--checksum", "--delete", "--numeric-ids", "--exclude=.svn", "--exclude=.bash_logout", r.m1.path(dir)+"/", in.path(dir)+"/")
		for line := range strings.Lines(out) {
			if !regexp.MustCompile(`^\.[fdLS]\.\.[tT]\.+ `).MatchString(line) {
				t.Errorf("below %s rsync would change %s", dir, line)
			}
		}
	}
	for _, path := range append(withheldOn(t, r.m1), "etc/shadow") {
		if is, was := in.read(path), r.m1.read(path); is != was {
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
	if again := in.run(args...); again.status != want {
		t.Errorf("want status %d once more: %v", want, again)
	}
	sameTrees(t, "after a second materialize", before, fullListing(t, &in))
	return told
}
