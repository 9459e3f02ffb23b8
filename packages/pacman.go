package packages

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// Where pacman keeps what it knows: a directory for each package with its "desc"
// and "files", alpm-db-desc(5) and alpm-db-files(5).
const (
	pacmanLocal = "var/lib/pacman/local"
	pacmanConf  = "etc/pacman.conf"
)

// readPacman reads pacman's local database.
func readPacman(_ context.Context, root *os.Root) (*Installed, error) {
	in := &Installed{Manager: Pacman}
	needed := map[string]bool{}
	var provides []map[string][]string
	for _, desc := range glob(root, pacmanLocal+"/*/desc") {
		p := &Package{}
		var sections map[string][]string
		read := func(r io.Reader) (err error) {
			sections, err = parseSections(r)
			return err
		}
		err := readFile(root, desc, read)
		if err == nil {
			err = p.describe(sections)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Dir(desc), err)
		}
		for _, relation := range sections["DEPENDS"] {
			needed[alpmName(relation)] = true
		}
		provides = append(provides, sections)
		err = readOptional(root, path.Join(path.Dir(desc), "files"), read)
		if err == nil {
			p.Conffiles, err = parseBackups(sections["BACKUP"])
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Dir(desc), err)
		}
		in.Packages = append(in.Packages, p)
	}
	for _, sections := range provides {
		for _, other := range sections["PROVIDES"] {
			needed[sections["NAME"][0]] = needed[sections["NAME"][0]] || needed[alpmName(other)]
		}
	}
	for _, p := range in.Packages {
		p.Recommended = !p.Wanted && !needed[p.Name]
		if p.Architecture != "any" && !slices.Contains(in.Architectures, p.Architecture) {
			in.Architectures = append(in.Architectures, p.Architecture)
		}
	}
	return in, nil
}

// describe takes the sections of a desc. The reason 1 is that of a package that
// others have pulled in.
func (p *Package) describe(sections map[string][]string) error {
	for _, name := range []string{"NAME", "VERSION", "ARCH"} {
		if len(sections[name]) != 1 {
			return fmt.Errorf("desc has no %s", name)
		}
	}
	p.Name, p.Version, p.Architecture = sections["NAME"][0], sections["VERSION"][0], sections["ARCH"][0]
	if !validName(p.Name) || !validVersion(p.Version) || !validName(p.Architecture) {
		return fmt.Errorf("package %.60q of architecture %.60q has version %.60q, which no package has", p.Name, p.Architecture, p.Version)
	}
	p.marked = !slices.Equal(sections["REASON"], []string{"1"})
	p.Wanted = p.marked
	return nil
}

// parseSections reads "%NAME%", then values, a line each, then an empty line.
func parseSections(r io.Reader) (map[string][]string, error) {
	sections := map[string][]string{}
	name := ""
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "":
			name = ""
		case name == "" && len(line) > 2 && line[0] == '%' && line[len(line)-1] == '%':
			name = strings.Trim(line, "%")
		case name != "":
			sections[name] = append(sections[name], line)
		}
	}
	return sections, lines.Err()
}

// parseBackups reads "PATH<tab>MD5".
func parseBackups(lines []string) (map[string]string, error) {
	var files map[string]string
	for _, line := range lines {
		name, sum, _ := strings.Cut(line, "\t")
		if !validPath(name) || !validDigest("md5:"+sum) {
			return nil, fmt.Errorf("backup file %.80q is none that pacman writes", line)
		}
		if files == nil {
			files = map[string]string{}
		}
		files[name] = "md5:" + sum
	}
	return files, nil
}

// alpmName is the name in a relation such as "glibc>=2.36".
func alpmName(relation string) string {
	if end := strings.IndexAny(relation, "<>=:"); end >= 0 {
		return relation[:end]
	}
	return relation
}

// readPacmanConf reads repositories and what is kept from upgrades,
// pacman.conf(5).
func readPacmanConf(in *Installed, root *os.Root) error {
	in.Repositories, in.Keys = map[string]*Repository{}, map[string]string{}
	closed := isClosed(root, pacmanConf)
	return readOptional(root, pacmanConf, func(r io.Reader) error {
		sections, err := parseINI(r)
		for _, s := range sections {
			if s.name != "options" {
				repository := &Repository{Files: []string{pacmanConf}, Unsigned: slices.Contains(strings.Fields(s.last("SigLevel")), "Never")}
				if !closed {
					repository.URIs = s.uris("Server", "Include")
				}
				in.Repositories[s.name] = repository
				continue
			}
			for _, name := range strings.Fields(strings.Join(s.values["IgnorePkg"], " ")) {
				for _, p := range in.Packages {
					p.Held = p.Held || p.Name == name
				}
			}
		}
		return err
	})
}
