package packages

import "testing"

func TestToRelease(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"etc/apt/sources.list", `# bookworm
deb http://deb.debian.org/debian bookworm main contrib
#deb-src [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian-security bookworm-security main
  deb http://example.org/bookworm bookworm/updates bookworm
deb http://example.org/debian stable bookworm
deb http://example.org/debian bookworms main`, `# bookworm
deb http://deb.debian.org/debian trixie main contrib
#deb-src [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian-security trixie-security main
  deb http://example.org/bookworm trixie/updates bookworm
deb http://example.org/debian stable bookworm
deb http://example.org/debian bookworms main`},
		{"etc/apt/sources.list.d/debian.sources", `Types: deb
URIs: http://deb.debian.org/debian/bookworm
suites: bookworm bookworm-updates
	bookworm-backports
Components: bookworm

Suites: sid`, `Types: deb
URIs: http://deb.debian.org/debian/bookworm
suites: trixie trixie-updates
	trixie-backports
Components: bookworm

Suites: sid`},
	} {
		if got := string(ToRelease(test.name, []byte(test.text), "bookworm", "trixie")); got != test.want {
			t.Errorf("%s:\n%s\nwant\n%s", test.name, got, test.want)
		}
	}
	for name, want := range map[string]bool{"etc/apt/sources.list": true, "etc/apt/sources.list.d/a.list": true, "etc/apt/sources.list.d/a.sources": true, "etc/apt/sources.list.d/a.list.save": false, "etc/sources.list": false} {
		if IsAptSource(name) != want {
			t.Errorf("IsAptSource(%q) is not %v", name, want)
		}
	}
}
