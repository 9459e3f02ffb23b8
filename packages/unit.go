package packages

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// unitDir is where systemctl enable makes links, systemd.unit(5).
const unitDir = "etc/systemd/system"

// readUnits reads which units start: those that are linked to below a
// directory of "wants" or "requires"; and which cannot: links to /dev/null.
func readUnits(in *Installed, root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), unitDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		name := path.Join(unitDir, e.Name())
		switch ext := path.Ext(e.Name()); {
		case e.Type() == fs.ModeSymlink:
			if to, err := root.Readlink(name); err == nil && to == os.DevNull {
				in.Masked = union(in.Masked, e.Name())
			}
		case e.IsDir() && (ext == ".wants" || ext == ".requires"):
			units, err := fs.ReadDir(root.FS(), name)
			if err != nil {
				return err
			}
			for _, unit := range units {
				if unit.Type() == fs.ModeSymlink && strings.Contains(unit.Name(), ".") {
					in.Enabled = union(in.Enabled, unit.Name())
				}
			}
		}
	}
	return err
}
