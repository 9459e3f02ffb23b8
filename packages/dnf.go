package packages

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Where dnf keeps why a package is there: dnf 5 in TOML, dnf5-system-state(7),
// dnf 4 in the database of its transactions.
const (
	dnfReasons = "usr/lib/sysimage/libdnf5/packages.toml"
	dnfGroups  = "usr/lib/sysimage/libdnf5/groups.toml"
	dnfHistory = "var/lib/dnf/history.sqlite"
)

// The reasons that are not a wish, as dnf 5 words them.
const (
	dependency = "dependency"
	weak       = "weak dependency"
)

// readDnfReasons tells the wanted packages from others. One that dnf knows
// nothing about was installed by hand.
func readDnfReasons(in *Installed, root *os.Root) error {
	reasons, err := readDnf5(root)
	if errors.Is(err, fs.ErrNotExist) {
		reasons, err = readDnf4(root)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, p := range in.Packages {
		reason := reasons[p.Name+"."+p.Architecture]
		p.Recommended = reason == weak
		p.Wanted = reason != weak && reason != dependency
		p.marked = p.Wanted
	}
	return nil
}

// readDnf5 are the reasons by "NAME.ARCH". What belongs to a group that somebody
// installed is wanted, and is only in the other file.
func readDnf5(root *os.Root) (map[string]string, error) {
	var state struct {
		Packages map[string]struct {
			Reason string `toml:"reason"`
		} `toml:"packages"`
	}
	var groups struct {
		Groups map[string]struct {
			Packages []string `toml:"packages"`
		} `toml:"groups"`
	}
	if err := readFile(root, dnfReasons, func(r io.Reader) error { return toml.NewDecoder(r).Decode(&state) }); err != nil {
		return nil, err
	}
	if err := readOptional(root, dnfGroups, func(r io.Reader) error { return toml.NewDecoder(r).Decode(&groups) }); err != nil {
		return nil, err
	}
	grouped := map[string]bool{}
	for _, g := range groups.Groups {
		for _, name := range g.Packages {
			grouped[name] = true
		}
	}
	reasons := map[string]string{}
	for key, p := range state.Packages {
		if name, _, _ := strings.Cut(key, "."); !grouped[name] {
			reasons[key] = strings.ToLower(p.Reason)
		}
	}
	return reasons, nil
}

// dnfQuery gives what came in by each transaction, the last one last: not what
// it took away or replaced. The numbers are those of libdnf's
// TransactionItemAction and TransactionItemReason.
const dnfQuery = `SELECT rpm.name || '.' || rpm.arch, trans_item.reason FROM trans_item JOIN rpm USING (item_id)
	WHERE trans_item.action IN (1, 2, 4, 6, 9, 11) ORDER BY trans_item.id`

// readDnf4 are the reasons by "NAME.ARCH".
func readDnf4(root *os.Root) (map[string]string, error) {
	if info, err := root.Stat(dnfHistory); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", dnfHistory)
	}
	conn, err := sqlite.OpenConn(filepath.Join(root.Name(), dnfHistory), sqlite.OpenReadOnly)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dnfHistory, err)
	}
	defer conn.Close()
	reasons := map[string]string{}
	err = sqlitex.ExecuteTransient(conn, dnfQuery, &sqlitex.ExecOptions{ResultFunc: func(row *sqlite.Stmt) error {
		reasons[row.ColumnText(0)] = map[int]string{1: dependency, 4: weak}[row.ColumnInt(1)]
		return nil
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dnfHistory, err)
	}
	return reasons, nil
}

// readDnfRepositories reads where dnf gets its packages from, dnf.conf(5).
func readDnfRepositories(in *Installed, root *os.Root) error {
	in.Repositories, in.Keys = map[string]*Repository{}, map[string]string{}
	var keys []string
	for _, name := range glob(root, "etc/yum.repos.d/*.repo", "etc/zypp/repos.d/*.repo") {
		closed := isClosed(root, name)
		err := readFile(root, name, func(r io.Reader) error {
			sections, err := parseINI(r)
			for _, s := range sections {
				if s.last("enabled") == "0" {
					continue
				}
				repository := &Repository{Files: []string{name}, Unsigned: s.last("gpgcheck") == "0"}
				if !closed {
					repository.URIs = s.uris("baseurl", "metalink", "mirrorlist")
				}
				for _, key := range s.uris("gpgkey") {
					if file, local := strings.CutPrefix(key, "file:///"); local {
						key = file
						if !strings.Contains(file, "$") { // a variable of dnf: the release, the architecture
							keys = append(keys, file)
						}
					}
					repository.SignedBy = union(repository.SignedBy, key)
				}
				in.Repositories[s.name] = repository
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return in.readKeys(root, keys)
}
