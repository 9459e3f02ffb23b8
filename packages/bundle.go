package packages

import (
	"os"
	"strings"
)

// Where flatpak(1) keeps what is installed for all users: a branch of each
// application that was brought, below the name of its remote.
const flatpakRefs = "var/lib/flatpak/repo/refs/remotes/"

// readFlatpaks reads the applications; the runtimes that they need come with
// them.
func readFlatpaks(in *Installed, root *os.Root) error {
	in.Flatpak = map[string]string{}
	for _, name := range glob(root, flatpakRefs+"*/app/*/*/*") {
		remote, ref, _ := strings.Cut(strings.TrimPrefix(name, flatpakRefs), "/")
		if _, err := root.Stat("var/lib/flatpak/" + ref + "/active"); err == nil && validRef(ref) && validName(remote) {
			in.Flatpak[ref] = remote
		}
	}
	return nil
}

// validRef takes "app/NAME/ARCHITECTURE/BRANCH".
func validRef(s string) bool {
	parts := strings.Split(s, "/")
	return len(parts) == 4 && parts[0] == "app" && validName(parts[1]) && validName(parts[2]) && validName(parts[3])
}

// readSnaps reads snaps by the link to their revision, snap(8).
func readSnaps(in *Installed, root *os.Root) error {
	in.Snap = map[string]string{}
	for _, name := range glob(root, "snap/*/current", "var/lib/snapd/snap/*/current") {
		revision, err := root.Readlink(name)
		parts := strings.Split(name, "/")
		if snap := parts[len(parts)-2]; err == nil && validName(snap) && validName(revision) {
			in.Snap[snap] = revision
		}
	}
	return nil
}
