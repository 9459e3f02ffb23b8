package externals

import (
	"errors"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	const (
		http = "http://h.example/svn/one http://h.example/svn/one/trunk/etc"
		file = "file:///srv/one file:///srv/one/a%20b"
		ssh  = "svn+ssh://Anna@h/one svn+ssh://Anna@h/one"
		root = "svn://h:99 svn://h:99"
	)
	for _, c := range []struct{ base, url, want string }{
		{http, "../lib", "http://h.example/svn/one/trunk/lib"},
		{http, "../../../two/./lib//", "http://h.example/svn/two/lib"},
		{http, "^/lib/sub", "http://h.example/svn/one/lib/sub"},
		{http, "^/../two/x", "http://h.example/svn/two/x"},
		{http, "^/a/../../../b", "http://h.example/b"},
		{http, "//Other:80/x", "http://other/x"},
		{http, "/x/y/", "http://h.example/x/y"},
		{http, "/", "http://h.example"},
		{file, "../lib", "file:///srv/one/lib"},
		{file, "^/../two", "file:///srv/two"},
		{file, "///srv/two", "file:///srv/two"},
		{file, "/srv/two", "file:///srv/two"},
		{ssh, "^/a", "svn+ssh://Anna@h/one/a"},
		{ssh, "../two", "svn+ssh://Anna@h/two"},
		{ssh, "//u@H/x", "svn+ssh://u@h/x"},
		{root, "^/a", "svn://h:99/a"},
		{root, "/a", "svn://h:99/a"},
		// svn_uri_canonicalize.
		{http, "HTTPS://U@Host.EXAMPLE:443//a/./b/", "https://U@host.example/a/b"},
		{http, "http://h:80", "http://h"},
		{http, "http://h:/a", "http://h/a"},
		{http, "svn://h:3690/", "svn://h"},
		{http, "http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x"},
		{http, "^/a b/ä/[x]", "http://h.example/svn/one/a%20b/%C3%A4/%5Bx%5D"},
		{http, "^/%41%7e%7E%20%c3%a4", "http://h.example/svn/one/A~~%20%C3%A4"},
		{http, "^/100%/%zz/%4", "http://h.example/svn/one/100%25/%25zz/%254"},
		{http, "^/a%2Fb/%2e/c@d;e", "http://h.example/svn/one/a/b/c@d%3Be"},
	} {
		repoRoot, dirURL, _ := strings.Cut(c.base, " ")
		got, err := Resolve(Definition{Target: "x", URL: c.url}, repoRoot, dirURL)
		if err != nil || got != c.want {
			t.Errorf("Resolve(%q, %s) = %q, %v, want %q", c.url, c.base, got, err, c.want)
		}
		if again := canonicalURL(got); again != got {
			t.Errorf("canonicalURL(%q) = %q", got, again)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	const repo = "http://h/one"
	for _, c := range []struct{ repo, url, want string }{
		{repo, "../../../x", "climbs above the root of http://h"},
		{repo, "^/../../x", "climbs above the root of http://h"},
		{repo, "^/%2e%2e/two", `holds ".."`},
		{repo, "^/a%2F..%2f../two", `holds ".."`},
		{repo, "/../x", "is possible only after"},
		{repo, "http://h/a/../b", "is possible only after"},
		{repo, "x", "neither absolute nor relative"},
		{repo, "///x", "names no host"},
		{repo, "svn+ssh://-oProxyCommand=id/x", "begins with a dash"},
		{repo, "svn+ssh://-oUser@h/x", "begins with a dash"},
		{repo, "svn+ssh://a@b@c/x", "is no user and host"},
		{repo, "http://[::1]x/y", "is no host"},
		{repo, "file://elsewhere/x", `names the host "elsewhere"`},
		{"file:///srv/one", "//srv/two", `names the host "srv"`},
		{"/srv/one", "^/x", "is no URL"},
		{"/srv/one", "//h/x", "is no URL"},
	} {
		got, err := Resolve(Definition{Target: "x", URL: c.url}, c.repo, c.repo+"/trunk")
		if !errors.Is(err, ErrBadURL) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Resolve(%q) = %q, %v, want %q", c.url, got, err, c.want)
		}
	}
}
