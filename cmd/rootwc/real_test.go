package main

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rootwc/internal/run"
	"rootwc/wc"
	"rootwc/wc/metadata"
)

// realSystem is what the two machines of TestRealMachine are: a Debian release
// and packages that bring users, groups, odd modes and symlinks to /etc.
const (
	realSuite    = "bookworm"
	realPackages = "openssh-server,sudo,postfix,nginx-light,cron,rsyslog,apache2,samba"
)

// realExtras is what an administrator adds to /etc that a fresh install has
// nothing of. Users and groups are those of Debian: www-data is 33, adm is 4.
const realExtras = `
mkdir etc/extras; cd etc/extras
for f in plain executable readonly owned writable acl attribute capable 'Größe & more.conf'; do echo "$f" >"$f"; done
chmod 0755 executable; chmod 0444 readonly; chown 33:4 owned; chmod 0664 writable 'Größe & more.conf'
setfacl -m u:33:r,g:4:rw acl
setfattr -n user.origin -v debian attribute
setcap cap_net_raw=ep capable
ln -s plain link; ln -s plain owned-link; chown -h 33:33 owned-link
mkdir shared inherited empty; chown 0:4 shared; chmod 2775 shared
setfacl -d -m u:33:rwx inherited
mkfifo pipe
`

// TestRealMachine keeps two freshly installed Debian systems in one repository
// behind a real server. The judges are programs that know nothing of rootwc:
// find, getfacl, getfattr, rsync and svn.
//
// It fetches a few hundred packages from the Debian mirror that apt uses here
// (ROOTWC_REAL_MIRROR names another) into ROOTWC_REAL_CACHE, and needs 2 GB
// below ROOTWC_REAL_DIR, /var/tmp otherwise.
func TestRealMachine(t *testing.T) {
	if os.Getenv("ROOTWC_REAL") == "" {
		t.Skip("takes minutes; ROOTWC_REAL=1 asks for it (make realtest)")
	}
	needs(t, "svnserve", "debootstrap", "rsync", "getfacl", "getfattr", "setfacl", "setfattr", "setcap", "unshare")
	s := installReal(t)
	s.m1.shell(realExtras)
	s.serve()

	must(t, "", "sync", "--file-system", s.dir) // what debootstrap wrote is not to be waited for below
	begin := time.Now()
	s.m1.ok("init", s.host())
	s.m1.ok("commit", "-m", "first state")
	t.Logf("init and commit: %.1f s; 10 s at most is what an idle machine takes", time.Since(begin).Seconds())
	s.m1.clean("after the first commit")

	versioned, carriers := s.recorded()
	t.Logf("versioned: %d entries", len(versioned))
	want := unusual(t, s.m1, versioned)
	if !slices.Equal(carriers, want) {
		t.Errorf("paths with metadata properties, - in the repository, + on the machine:\n%s", setDifference(carriers, want))
	}
	t.Logf("entries with metadata properties: %d; entries that differ from root:root 0644/0755: %d", len(carriers), len(want))
	withheld := withheldOn(t, s.m1)
	t.Logf("withheld: %d files", len(withheld))
	for _, path := range withheld {
		if versioned[path] {
			t.Errorf("%s is withheld, and in the repository", path)
		}
	}

	begin = time.Now()
	s.m2.ok("materialize", s.host())
	t.Logf("materialize on the second machine: %.1f s", time.Since(begin).Seconds())
	s.m1.clean("on the first machine, after the second materialized")
	s.m2.clean("on the second machine, after materialize")
	for _, sides := range [][2]*machine{{s.m1, s.m2}, {s.m2, s.m1}} {
		for _, line := range rsyncFinds(t, sides[0], sides[1], withheld) {
			t.Errorf("rsync from %s to %s would change %s", filepath.Base(sides[0].root), filepath.Base(sides[1].root), line)
		}
	}

	before := fullListing(t, s.m2)
	s.m2.ok("materialize", s.host())
	sameTrees(t, "after a second materialize", before, fullListing(t, s.m2))
	t.Logf("a second materialize left %d paths of the whole system as they were", len(before))
}

// realSandbox makes a place for two systems, with a repository beside them.
func realSandbox(t *testing.T, one, two string) *sandbox {
	t.Helper()
	parent := os.Getenv("ROOTWC_REAL_DIR")
	if parent == "" {
		parent = "/var/tmp" // on a disk: debootstrap needs device nodes, which /tmp often forbids
	}
	dir, err := os.MkdirTemp(parent, "rootwc-real-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeReal(t, dir) })
	s := &sandbox{t: t, dir: dir, url: "file://" + dir + "/repo"}
	must(t, dir, "svnadmin", "create", "repo")
	s.m1, s.m2 = &machine{t: t, root: filepath.Join(dir, one)}, &machine{t: t, root: filepath.Join(dir, two)}
	return s
}

// installReal installs two systems, each for itself.
func installReal(t *testing.T) *sandbox {
	t.Helper()
	s := realSandbox(t, "one", "two")
	mirror := debianMirror(t)
	for _, m := range []*machine{s.m1, s.m2} {
		begin := time.Now()
		debootstrap(t, realSuite, m.root, mirror, "--include="+realPackages)
		entries := strings.Count(must(t, m.root, "find", "etc"), "\n")
		t.Logf("installed machine %s in %.0f s, %d entries in /etc", filepath.Base(m.root), time.Since(begin).Seconds(), entries)
	}
	return s
}

// removeReal takes the systems away, and nothing that is mounted in them.
func removeReal(t *testing.T, dir string) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), " "+dir+"/") {
		t.Errorf("something is still mounted below %s, so it stays: unmount it, then remove it (%v)", dir, err)
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// debootstrap installs one system, in a mount namespace of its own where that
// can be had: then /proc and /sys of the new system are gone from ours in any
// case. A container or chroot may forbid it; debootstrap cleans up itself too.
func debootstrap(t *testing.T, suite, root, mirror string, options ...string) {
	t.Helper()
	cache := os.Getenv("ROOTWC_REAL_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(user, "rootwc-real")
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	args := []string{"/bin/sh", "-c", `umask 022; exec "$@"`, "sh",
		"debootstrap", "--cache-dir=" + cache}
	args = append(append(args, options...), suite, root, mirror)
	apart := []string{"unshare", "--mount", "--"}
	if _, _, err := run.Output(ctx, run.Command{Args: append(apart, "true")}); err == nil {
		args = append(apart, args...)
	}
	out, _, err := run.Output(ctx, run.Command{Args: args, Env: append(proxies(ctx), "DEBIAN_FRONTEND=noninteractive")})
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		log, _ := os.ReadFile(filepath.Join(root, "debootstrap/debootstrap.log"))
		t.Fatalf("cannot install Debian from %s: %v\n%s\n%s", mirror, err, strings.Join(lines[max(0, len(lines)-10):], "\n"), log[max(0, len(log)-2000):])
	}
}

// proxies are the proxies that the environment or apt has for fetching.
func proxies(ctx context.Context) []string {
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(strings.ToLower(v), "="); strings.HasSuffix(name, "_proxy") {
			env = append(env, v)
		}
	}
	for _, scheme := range []string{"http", "https"} {
		if os.Getenv(scheme+"_proxy") == "" {
			out, _, _ := run.Output(ctx, run.Command{Args: []string{"apt-config", "dump", "--format", "%v", "Acquire::" + scheme + "::Proxy"}})
			if proxy := strings.TrimSpace(string(out)); proxy != "" && proxy != "DIRECT" {
				env = append(env, scheme+"_proxy="+proxy)
			}
		}
	}
	return env
}

// debianMirror asks apt, as it is configured here, where Debian comes from.
func debianMirror(t *testing.T) string {
	t.Helper()
	if mirror := os.Getenv("ROOTWC_REAL_MIRROR"); mirror != "" {
		return mirror
	}
	// what apt has fetched already says who made it
	known := must(t, "", "apt-get", "indextargets", "--format", "$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages")
	// without that, where it would fetch from
	wanted := must(t, "", "apt-get", "update", "--print-uris")
	for _, in := range []struct {
		text string
		line *regexp.Regexp
	}{
		{known, regexp.MustCompile(`(?m)^Debian ` + realSuite + ` main ((?:https?|file):\S+)$`)},
		{wanted, regexp.MustCompile(`(?m)^'((?:https?|file):[^']+)/dists/` + realSuite + `/`)},
	} {
		if m := in.line.FindStringSubmatch(in.text); m != nil {
			return m[1]
		}
	}
	t.Fatalf("apt knows no mirror of Debian %s here: name one with ROOTWC_REAL_MIRROR=URL", realSuite)
	return ""
}

// recorded asks the server for all versioned paths, and for those that carry
// metadata properties, sorted.
func (s *sandbox) recorded() (versioned map[string]bool, carriers []string) {
	s.t.Helper()
	versioned = map[string]bool{"": true}
	for line := range strings.Lines(s.svn(s.dir, "list", "--recursive", s.host())) {
		versioned[strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "/")] = true
	}
	var answer struct {
		Targets []struct {
			Path       string `xml:"path,attr"`
			Properties []struct {
				Name string `xml:"name,attr"`
			} `xml:"property"`
		} `xml:"target"`
	}
	if err := xml.Unmarshal([]byte(s.svn(s.dir, "proplist", "--xml", "--recursive", s.host())), &answer); err != nil {
		s.t.Fatal(err)
	}
	for _, target := range answer.Targets {
		path, err := url.PathUnescape(strings.TrimPrefix(strings.TrimPrefix(target.Path, s.host()), "/"))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, p := range target.Properties {
			if p.Name == metadata.PropOwner || p.Name == metadata.PropGroup || p.Name == metadata.PropMode || strings.HasPrefix(p.Name, "rootwc:") {
				carriers = append(carriers, path)
				break
			}
		}
	}
	slices.Sort(carriers)
	return versioned, carriers
}

// unusual lists the versioned paths that differ on the machine from root:root,
// 0644 or 0755 for files and 0755 for directories, or that have an ACL,
// capabilities or attributes, or are fifos. Find, getfacl and getfattr tell.
func unusual(t *testing.T, m *machine, versioned map[string]bool) []string {
	t.Helper()
	found := map[string]bool{}
	for line := range strings.SplitSeq(must(t, m.root, "find", ".", "-printf", `%y %m %U:%G %P\0`), "\x00") {
		f := strings.SplitN(line, " ", 4)
		if len(f) < 4 || !versioned[f[3]] {
			continue
		}
		ordinary := f[0] == "l" || f[0] != "p" && f[1] == "755" || f[0] == "f" && f[1] == "644"
		if !ordinary || f[2] != "0:0" {
			found[f[3]] = true
		}
	}
	attributes := `^(user|trusted)\.|^security\.capability$`
	lists := must(t, m.root, "getfacl", "--recursive", "--skip-base", "--absolute-names", "--physical", "etc") +
		must(t, m.root, "getfattr", "--recursive", "--no-dereference", "--physical", "--absolute-names", "--match="+attributes, "etc")
	for line := range strings.Lines(lists) {
		if path, is := strings.CutPrefix(strings.TrimSpace(line), "# file: "); is && versioned[path] {
			found[path] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// withheldOn reads the machine's list of withheld files.
func withheldOn(t *testing.T, m *machine) []string {
	t.Helper()
	tree, err := wc.Open(m.root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	list, err := tree.Withheld()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(list))
}

// rsyncFinds is what rsync would do to make the versioned tops of one machine
// those of the other: content, kinds, owners, modes, ACLs, attributes, hard
// links. Left out are withheld files, and lines that speak of times alone.
func rsyncFinds(t *testing.T, from, to *machine, withheld []string) []string {
	t.Helper()
	timeOnly := regexp.MustCompile(`^\.[fdLS]\.\.[tT]\.+ `)
	var found []string
	for _, top := range []string{"etc", ".rootwc"} {
		out := must(t, "", "rsync", "-aAXHni", "--checksum", "--delete", "--numeric-ids", "--8-bit-output", from.path(top)+"/", to.path(top)+"/")
		for line := range strings.Lines(out) {
			line = strings.TrimSuffix(line, "\n")
			path := line[strings.IndexByte(line, ' ')+1:]
			if !timeOnly.MatchString(line) && !slices.Contains(withheld, top+"/"+path) {
				found = append(found, line)
			}
		}
	}
	return found
}

// fullListing is every path of the machine with all that stat tells, the time
// of the last change included; rootwc's own state directory is left out.
func fullListing(t *testing.T, m *machine) map[string]string {
	t.Helper()
	all := map[string]string{}
	out := must(t, m.root, "find", ".", "-path", "./"+wc.StatePath, "-prune", "-o", "-printf", `%P\0%i %y %m %U:%G %s %n %T@ %C@ %l\0`)
	fields := strings.Split(out, "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		all[fields[i]] = fields[i+1]
	}
	return all
}

// setDifference names what only one of two sorted lists has.
func setDifference(minus, plus []string) string {
	var b strings.Builder
	for _, p := range minus {
		if !slices.Contains(plus, p) {
			fmt.Fprintf(&b, "- %s\n", p)
		}
	}
	for _, p := range plus {
		if !slices.Contains(minus, p) {
			fmt.Fprintf(&b, "+ %s\n", p)
		}
	}
	return b.String()
}
