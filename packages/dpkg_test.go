package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const oneStatus = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22\n"

// The files are those of freshly installed Debians.
func TestDpkgReleases(t *testing.T) {
	for _, one := range []struct {
		release, version, absent string
		packages, conffiles      int
	}{
		{"11", "2.31-13+deb11u11", "libssl1.1", 136, 93},
		{"13", "2.41-12+deb13u5", "libssl3t64", 129, 95},
	} {
		in := read(t, "testdata/debian"+one.release)
		conffiles := 0
		for _, p := range in.Packages {
			conffiles += len(p.Conffiles)
		}
		if len(in.Packages) != one.packages || conffiles != one.conffiles || strings.Join(in.Architectures, " ") != "amd64" {
			t.Errorf("Debian %s: %d packages, %d configuration files, %q", one.release, len(in.Packages), conffiles, in.Architectures)
		}
		libc, library := in.Get("libc6"), in.Get(one.absent)
		if len(libc) != 1 || !strings.HasPrefix(libc[0].Version, one.version[:4]) || libc[0].Wanted {
			t.Errorf("Debian %s: %+v", one.release, libc)
		}
		if len(library) == 1 && library[0].Wanted {
			t.Errorf("Debian %s: a library that others need is no wish: %+v", one.release, library[0])
		}
		if owner := in.Owner("etc/debconf.conf"); owner == nil || owner.Name != "debconf" || !owner.Wanted {
			t.Errorf("Debian %s: etc/debconf.conf is of %+v", one.release, owner)
		}
		if in.Owner("etc/hostname") != nil {
			t.Errorf("Debian %s: etc/hostname is of nobody", one.release)
		}
	}
}

func TestDpkgKinds(t *testing.T) {
	in := read(t, write(t, map[string]string{
		"var/lib/dpkg/arch":       "amd64\ni386\n",
		"var/lib/dpkg/diversions": "/etc/moved\n/etc/moved.distrib\nother\n/etc/own\n/etc/own.distrib\ntool\n",
		"var/lib/apt/extended_states": "Package: lib\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: doc\nArchitecture: amd64\nAuto-Installed: 1\n\n" +
			"Package: mta\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: both\nArchitecture: i386\nAuto-Installed: 1\n",
		"var/lib/dpkg/status": oneStatus + `
Package: tool
Status: hold ok installed
Architecture: amd64
Version: 1:1.0-1
Depends: lib (>= 1) | lib2:any, mail-transport-agent
Conffiles:
 /etc/tool 11111111111111111111111111111111
 /etc/with blank 22222222222222222222222222222222
 /etc/moved 33333333333333333333333333333333
 /etc/own 44444444444444444444444444444444
 /etc/old 55555555555555555555555555555555 obsolete
 /etc/older 55555555555555555555555555555555 remove-on-upgrade
 /etc/new newconffile

Package: lib
Status: install ok installed
Section: libs
Architecture: amd64
Version: 1

Package: lib2
Status: install ok triggers-pending
Section: contrib/libs
Architecture: amd64
Version: 1

Package: doc
Status: install ok half-configured
Architecture: all
Version: 1

Package: mta
Status: install ok installed
Architecture: amd64
Version: 1
Provides: mail-transport-agent (= 1)

Package: both
Status: install ok installed
Architecture: amd64
Version: 2
Conffiles:
 /etc/both 11111111111111111111111111111111

Package: both
Status: install ok installed
Architecture: i386
Version: 2
Conffiles:
 /etc/both 11111111111111111111111111111111

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
`,
	}))
	for _, one := range []struct {
		what, got, want string
	}{
		{"all", keys(in, func(*Package) bool { return true }), "both both:i386 doc dpkg lib lib2 mta tool"},
		{"wanted", keys(in, wanted), "both dpkg tool"},
		{"recommended", keys(in, recommended), "both:i386 doc"},
		{"held", keys(in, held), "tool"},
		{"broken", keys(in, func(p *Package) bool { return p.Broken }), "doc"},
		{"architectures", strings.Join(in.Architectures, " "), "amd64 i386"},
	} {
		if one.got != one.want {
			t.Errorf("%s: %s, want %s", one.what, one.got, one.want)
		}
	}
	tool := in.Get("tool")[0]
	if len(tool.Conffiles) != 4 || tool.Conffiles["etc/with blank"] != "md5:22222222222222222222222222222222" ||
		tool.Conffiles["etc/moved.distrib"] == "" || tool.Conffiles["etc/own"] == "" {
		t.Errorf("%q", tool.Conffiles)
	}
	if owner := in.Owner("etc/both"); owner == nil || owner.Foreign {
		t.Errorf("etc/both is of %+v", owner)
	}
}

func TestDpkgDamaged(t *testing.T) {
	for _, status := range []string{
		"no field\n",
		"Package: a\nVersion: 1\nArchitecture: amd64\n",
		"Package: -o\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n",
		"Package: a\nStatus: install ok installed\nVersion: $(x)\nArchitecture: amd64\n",
		"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nConffiles:\n /etc/../x 11111111111111111111111111111111\n",
		"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nConffiles:\n /etc/x 1\n",
	} {
		if all, _, err := parseDpkgStatus(strings.NewReader(status)); err == nil {
			t.Errorf("%q gives %d packages", status, len(all))
		}
	}
}

func FuzzDpkgStatus(f *testing.F) {
	f.Add(oneStatus + "Depends: a | b (>= 1), c:any\nConffiles:\n /etc/x 11111111111111111111111111111111 obsolete\n")
	f.Fuzz(func(t *testing.T, status string) {
		all, _, err := parseDpkgStatus(strings.NewReader(status))
		if err != nil {
			return
		}
		for _, p := range all {
			if !validKey(p.Key()) || !validVersion(p.Version) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func TestAptSources(t *testing.T) {
	dir := write(t, map[string]string{
		"var/lib/dpkg/status": oneStatus,
		"etc/apt/sources.list": "# comment\ndeb http://deb.example.org/debian trixie main contrib # more\n" +
			"deb-src [arch=amd64 signed-by=/etc/apt/keyrings/a.gpg,/etc/apt/keyrings/gone.gpg] http://deb.example.org/debian trixie main\n",
		"etc/apt/sources.list.d/b.sources":   "Types: deb\nURIs: https://user:secret@b.example.org/ http://c.example.org/?token=secret\nSuites: stable stable-updates\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ\n\nEnabled: no\nTypes: deb\nURIs: http://off.example.org\nSuites: x\n",
		"etc/apt/sources.list.d/t.list":      "deb [trusted=yes] file:/srv/packages ./\n",
		"etc/apt/sources.list.d/cd.list":     "deb cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm main\n\nnonsense\n",
		"etc/apt/sources.list.d/closed.list": "deb https://example.org/priv/secret/ bookworm main\n",
		"etc/apt/keyrings/a.gpg":             "key",
		"etc/apt/trusted.gpg.d/b.asc":        "key",
	})
	if err := os.Chmod(filepath.Join(dir, "etc/apt/sources.list.d/closed.list"), 0o640); err != nil {
		t.Fatal(err)
	}
	in := read(t, dir)
	text, err := in.Text()
	if err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("%v\n%s", err, text)
	}
	if len(in.Repositories) != 8 || in.Repositories["etc/apt/sources.list.d/closed.list"] == nil || in.Repositories["cdrom:[Debian GNU/Linux 12 _Bookworm_]/ bookworm"] == nil {
		t.Errorf("%d repositories\n%s", len(in.Repositories), text)
	}
	r := in.Repositories["http://deb.example.org/debian trixie"]
	if r == nil || strings.Join(r.Types, " ") != "deb deb-src" || strings.Join(r.Components, " ") != "contrib main" || len(r.SignedBy) != 2 {
		t.Errorf("%+v", r)
	}
	if len(in.Keys) != 2 || len(in.Findings) != 2 || !strings.Contains(in.Findings[0], "cd.list: line 3") || !strings.Contains(in.Findings[1], "etc/apt/keyrings/gone.gpg") {
		t.Errorf("%q, %q", in.Keys, in.Findings)
	}
	if unsigned := in.Unsigned(); len(unsigned) != 1 || unsigned[0] != "file:/srv/packages ./" {
		t.Errorf("%q", unsigned)
	}
}

func FuzzAptSources(f *testing.F) {
	f.Add("deb [a=b signed-by=/x] http://u:p@h/ s m\n", "Types: deb\nURIs: http://u:p@h\nSuites: s\n")
	f.Fuzz(func(t *testing.T, lines, paragraphs string) {
		one, _ := parseSourceLines(strings.NewReader(lines))
		other, _ := parseSourceParagraphs(strings.NewReader(paragraphs))
		in := &Installed{Repositories: map[string]*Repository{}}
		for _, s := range append(one, other...) {
			in.source(s, "file")
		}
	})
}
