package hooks

import (
	_ "embed"
	"os"
	"path"
	"slices"
	"strings"
)

var (
	//go:embed files/rootwc-watch.service
	watchService string
	//go:embed files/rootwc-queue.service
	queueService string
	//go:embed files/rootwc-queue.timer
	queueTimer string
	//go:embed files/rootwc-commit.service
	commitService string
	//go:embed files/rootwc-commit.timer
	commitTimer string
	//go:embed files/login.sh
	loginLine string
)

// unitDir is for the units of a machine's administrator: systemd.unit(5).
const unitDir = "etc/systemd/system"

var hasSystemd = has("usr/lib/systemd/systemd", "lib/systemd/systemd")

// watcher keeps "rootwc watch" running, and has its line appear at logins.
var watcher = Hook{
	Name: "watch",
	Here: hasSystemd,
	Unit: "rootwc-watch.service",
	Files: func(root *os.Root) []File {
		at := File{"etc/profile.d/rootwc.sh", 0o644, loginLine}
		if info, err := root.Stat("etc/update-motd.d"); err == nil && info.IsDir() { // pam_motd(8) of Debian and Ubuntu runs what is in it
			at = File{"etc/update-motd.d/92-rootwc", 0o755, loginLine}
		}
		return []File{unit(root, "rootwc-watch.service", watchService), at}
	},
}

// queue has commits made that wait for their server.
var queue = Hook{
	Name: "queue",
	Here: hasSystemd,
	Unit: "rootwc-queue.timer",
	Files: func(root *os.Root) []File {
		return []File{unit(root, "rootwc-queue.service", queueService), unit(root, "rootwc-queue.timer", queueTimer)}
	},
}

// commit has committed daily what the description says needs no person.
var commit = Hook{
	Name: "commit",
	Here: hasSystemd,
	Unit: "rootwc-commit.timer",
	Files: func(root *os.Root) []File {
		return []File{unit(root, "rootwc-commit.service", commitService), unit(root, "rootwc-commit.timer", commitTimer)}
	},
}

func unit(root *os.Root, name, text string) File {
	return File{path.Join(unitDir, name), 0o644, strings.ReplaceAll(text, "@PROGRAM@", program(root))}
}

// program is the absolute path of rootwc on the machine, or where it is to be.
func program(root *os.Root) string {
	for _, dir := range ProgramDirs {
		if _, err := root.Lstat(path.Join(dir, "rootwc")); err == nil {
			return "/" + path.Join(dir, "rootwc")
		}
	}
	return "/usr/local/bin/rootwc"
}

// Enabled says whether systemd starts the hook's unit: systemctl(1) enables one
// by a link.
func (h Hook) Enabled(root *os.Root) bool {
	dirs, err := root.Open(unitDir)
	if err != nil {
		return false
	}
	defer dirs.Close()
	names, _ := dirs.Readdirnames(-1)
	return slices.ContainsFunc(names, func(name string) bool {
		_, err := root.Lstat(path.Join(unitDir, name, h.Unit))
		return strings.HasSuffix(name, ".wants") && err == nil
	})
}
