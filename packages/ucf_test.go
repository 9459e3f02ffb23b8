package packages

import (
	"os"
	"path/filepath"
	"testing"
)

func TestReadUcf(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"hashfile": "e6fd6e8e29210c5678181f33177d5433  /etc/ssh/sshd_config\nfbc910d4bc9889530c92c7e8b101689b  /etc/of nobody.conf\n" +
			"short /etc/a\nfbc910d4bc9889530c92c7e8b101689b  /etc/../../b\n\ngarbage\n",
		"registry": "openssh-server \t /etc/ssh/sshd_config\nopenssh-server\t/etc/a\nopenssh-server\t/etc/../../b\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, "var/lib/ucf"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "var/lib/ucf", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	in := &Installed{Packages: []*Package{{Name: "openssh-server"}}}
	if err := in.readUcf(root); err != nil {
		t.Fatal(err)
	}
	got := in.Packages[0].Conffiles
	if got["etc/ssh/sshd_config"] != "md5:e6fd6e8e29210c5678181f33177d5433" || got["b"] != "md5:fbc910d4bc9889530c92c7e8b101689b" || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}
