package conffiles

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rootwc/internal/run"
)

// sandboxed skips where there can be no sandbox, or not that program.
func sandboxed(t *testing.T, program string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, _, err := run.Output(t.Context(), run.Command{Args: []string{"unshare", "--mount", "--net", "--ipc", "true"}}); err != nil {
		t.Skip("needs namespaces:", err)
	}
	if _, found := run.Look(program); !found {
		t.Skip("needs", program)
	}
}

func TestCheckSudoers(t *testing.T) {
	sandboxed(t, "visudo")
	before, err := os.ReadFile("/etc/sudoers")
	if err != nil {
		t.Skip("needs the sudoers of this machine:", err)
	}
	s := Sandbox{Root: "/"}
	if err := s.Check(t.Context(), "etc/sudoers", append(before, "\nDefaults !lecture\n"...)); err != nil {
		t.Errorf("good text: %v", err)
	}
	var refused *run.Error
	if err := s.Check(t.Context(), "etc/sudoers", append(before, "\nDefaults ((\n"...)); !errors.As(err, &refused) || refused.Status != 1 {
		t.Errorf("bad text: %v", err)
	}
	if after, err := os.ReadFile("/etc/sudoers"); err != nil || string(after) != string(before) {
		t.Error("the live file has changed")
	}
}

func TestCheckConsent(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"usr/sbin/visudo", "usr/sbin/nginx"} {
		if err := os.MkdirAll(filepath.Join(root, "usr/sbin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, unchecked := range map[string]bool{
		"etc/sudoers": true, "etc/nginx/nginx.conf": true, "etc/motd": false, "etc/ssh/sshd_config": false, // no sshd there
	} {
		if err := (Sandbox{Root: root}).Check(t.Context(), path, nil); errors.Is(err, ErrUnchecked) != unchecked || !unchecked && err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestValidatorOf(t *testing.T) {
	for path, want := range map[string]string{
		"etc/ssh/sshd_config": "sshd", "etc/ssh/sshd_config.d/x.conf": "sshd", "etc/ssh/ssh_config": "", "etc/sudoers.d/x": "visudo",
		"etc/nginx/sites-available/default": "nginx", "etc/nginx": "", "etc/postfix/main.cf": "postfix", "home/etc/sudoers": "",
	} {
		got := ""
		if v := ValidatorOf(path); v != nil {
			got = v.Args[0]
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
