package hooks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// processes are a chain, from rootwc upwards: pid 100, 99, …
func processes(login string, chain ...[]string) fstest.MapFS {
	proc := fstest.MapFS{}
	for i, args := range chain {
		pid := 100 - i
		proc[fmt.Sprintf("%d/stat", pid)] = &fstest.MapFile{Data: fmt.Appendf(nil, "%d (a) b (c) S %d 1 1 0", pid, pid-1)}
		proc[fmt.Sprintf("%d/cmdline", pid)] = &fstest.MapFile{Data: []byte(strings.Join(args, "\x00") + "\x00")}
	}
	proc["100/loginuid"] = &fstest.MapFile{Data: []byte(login + "\n")}
	return proc
}

func TestFindCaller(t *testing.T) {
	me, shell, bash := []string{"rootwc", "hooks"}, []string{"/bin/sh", "-c", "rootwc hooks before apt; true"}, []string{"-bash"}
	apt := []string{"/usr/bin/apt-get", "install", "editor"}
	for _, test := range []struct {
		name    string
		chain   [][]string
		pid     int
		command string
	}{
		{"apt forks", [][]string{me, shell, apt, apt, {"sudo", "apt-get"}, bash}, 97, "apt-get install editor"},
		{"apt in apt", [][]string{me, shell, apt, {"make"}, apt}, 98, "apt-get install editor"},
		{"interpreter", [][]string{me, {"/usr/bin/python3", "/usr/bin/dnf", "upgrade"}, bash}, 99, "dnf upgrade"},
		{"interpreter alone", [][]string{me, {"python3", "-c", "import dnf"}}, 99, "python3 -c import dnf"},
		{"no arguments", [][]string{me, shell, {""}}, 98, "."},
		{"only the hook", [][]string{me, shell}, 0, ""},
		{"by hand", [][]string{me, bash, {"terminal", "--password", "b"}}, 99, "-bash"},
		{"plugin", [][]string{me, {"/bin/bash", "/usr/lib/zypp/plugins/commit/rootwc"}, {"zypper", "up"}}, 98, "zypper up"},
		{"proxy", [][]string{me, {"apt", "-oAcquire::http::Proxy=http://a:b@proxy:3128/", "update"}}, 99, "apt -oAcquire::http::Proxy=http://…@proxy:3128/ update"},
		{"option", [][]string{me, {"dnf", "--setopt=own.proxy_password=b", "--password", "b", "--token", "-y", "install", "passwd"}}, 99, "dnf --setopt=own.proxy_password=… --password … --token -y install passwd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := FindCaller(processes("1000", test.chain...), 100, func(string) string { return "" })
			if c.PID != test.pid || c.Command != test.command || c.Login != "1000" {
				t.Errorf("%+v", c)
			}
			if len(c.Ancestors) != len(test.chain) || c.Ancestors[0] != 99 { // the last one has no entry
				t.Errorf("ancestors %v", c.Ancestors)
			}
		})
	}
}

// Without /proc, as in a chroot, nothing is known.
func TestFindCallerNothing(t *testing.T) {
	c := FindCaller(fstest.MapFS{}, 100, func(string) string { return "" })
	if c.PID != 0 || c.Command != "" || c.Login != "" || len(c.Ancestors) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestFindCallerLong(t *testing.T) {
	args := append([]string{"apt"}, slices.Repeat([]string{"größe"}, 5000)...)
	c := FindCaller(processes("4294967295", []string{"rootwc"}, args), 100, func(string) string { return "" })
	if len(c.Command) > mostWords+len(" …") || !strings.HasSuffix(c.Command, " …") || c.Login != "" {
		t.Errorf("%d bytes, login %q", len(c.Command), c.Login)
	}
}

func TestAside(t *testing.T) {
	for command, want := range map[string]bool{
		"dpkg --status-fd 17 --purge --pending": true, "dpkg --purge editor": false, "dpkg --root=/mnt --install x.deb": true, "apt-get install --status-fd x": false, "": false,
	} {
		if (Caller{Command: command}).Aside() != want {
			t.Errorf("%q: not %v", command, want)
		}
	}
}

func TestWho(t *testing.T) {
	names := map[string]string{"0": "root", "1000": "anna", "1001": "bert"}
	for _, test := range []struct {
		caller Caller
		want   string
	}{
		{Caller{}, "root"},
		{Caller{Login: "0"}, "root"},
		{Caller{Login: "1000"}, "root, logged in as anna"},
		{Caller{Sudo: "anna"}, "anna with sudo"},
		{Caller{Sudo: "anna", Login: "1000"}, "anna with sudo"},
		{Caller{Sudo: "anna", Login: "1001"}, "anna with sudo, logged in as bert"},
		{Caller{Pkexec: "1000", Login: "1000"}, "anna with pkexec"},
	} {
		if got := test.caller.Who(func(uid string) string { return names[uid] }); got != test.want {
			t.Errorf("%+v: %q, want %q", test.caller, got, test.want)
		}
	}
}
