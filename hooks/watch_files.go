package hooks

import (
	_ "embed"
	"errors"
	"io/fs"
	"strings"
)

var (
	//go:embed files/rootwc-watch.service
	watchUnit string
	//go:embed files/login.sh
	loginSnippet string
)

// WatchUnit is the name of the watcher's unit.
const WatchUnit = "rootwc-watch.service"

// WatchFiles are what makes the watcher run on a machine whose root is given,
// and its message appear at logins; program is the absolute path of rootwc.
func WatchFiles(root fs.FS, program string) ([]File, error) {
	files := []File{{"etc/systemd/system/" + WatchUnit, 0o644, strings.ReplaceAll(watchUnit, "@PROGRAM@", program)}}
	info, err := fs.Stat(root, "etc/update-motd.d")
	switch {
	case err == nil && info.IsDir(): // pam_motd(8) of Debian and Ubuntu runs what is in it
		return append(files, File{"etc/update-motd.d/92-rootwc", 0o755, loginSnippet}), nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return append(files, File{"etc/profile.d/rootwc.sh", 0o644, loginSnippet}), nil
	}
	return nil, err
}
