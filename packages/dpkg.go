package packages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
)

// Where dpkg and apt keep what they know, see dpkg(1) and apt-get(8).
const (
	dpkgStatus     = "var/lib/dpkg/status"
	dpkgArch       = "var/lib/dpkg/arch" // native and foreign, a line each; missing where none is foreign
	dpkgDiversions = "var/lib/dpkg/diversions"
	aptStates      = "var/lib/apt/extended_states" // what was pulled in; missing where nothing was
)

// readDpkg reads dpkg's and apt's databases.
func readDpkg(_ context.Context, root *os.Root) (*Installed, error) {
	in := &Installed{Manager: Apt}
	var needed map[string]bool
	err := readFile(root, dpkgStatus, func(r io.Reader) (err error) {
		in.Packages, needed, err = parseDpkgStatus(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	native := nativeArchitecture(in.Packages)
	in.Architectures = []string{native}
	err = readOptional(root, dpkgArch, func(r io.Reader) error {
		in.Architectures, err = parseArchitectures(r, native)
		return err
	})
	var pulled map[string]bool
	if err == nil {
		err = readOptional(root, aptStates, func(r io.Reader) error {
			pulled, err = parseExtendedStates(r)
			return err
		})
	}
	var diverted map[string]diversion
	if err == nil {
		err = readOptional(root, dpkgDiversions, func(r io.Reader) error {
			diverted, err = parseDiversions(r)
			return err
		})
	}
	for _, p := range in.Packages {
		architecture := p.Architecture
		if architecture == "all" {
			architecture = native // as apt has it there
		}
		p.Foreign = architecture != native
		p.marked = !pulled[p.Name+":"+architecture]
		p.Wanted = p.marked && !(p.library && needed[p.Name])
		p.Recommended = !p.Wanted && !needed[p.Name]
		p.divert(diverted)
	}
	if err == nil {
		err = in.readUcf(root)
	}
	return in, err
}

// nativeArchitecture is that of dpkg itself, which is always there, and never
// of another one.
func nativeArchitecture(all []*Package) string {
	for _, p := range all {
		if p.Name == "dpkg" {
			return p.Architecture
		}
	}
	for _, p := range all {
		if p.Architecture != "all" {
			return p.Architecture
		}
	}
	return "all"
}

// parseDpkgStatus reads the packages that are installed, in whatever state;
// those of which only configuration files are left are not. The names of those
// that others depend on are needed.
func parseDpkgStatus(r io.Reader) (all []*Package, needed map[string]bool, err error) {
	depends, provides := map[string]bool{}, map[string][]string{}
	err = readControl(r, func(f paragraph) error {
		state := strings.Fields(f["status"]) // "install ok installed"
		if len(state) != 3 || f["package"] == "" {
			return fmt.Errorf("package %.60q has no status", f["package"])
		}
		if state[2] == "not-installed" || state[2] == "config-files" {
			return nil
		}
		p := &Package{
			Name: f["package"], Architecture: f["architecture"], Version: f["version"], Held: state[0] == "hold",
			Broken:  state[2] != "installed" && !strings.HasPrefix(state[2], "triggers-"),
			library: isLibrary(f["package"], path.Base(f["section"])),
		}
		if !validName(p.Name) || !validName(p.Architecture) || !validVersion(p.Version) {
			return fmt.Errorf("package %.60q of architecture %.60q has version %.60q, which no package has", p.Name, p.Architecture, p.Version)
		}
		p.Conffiles, err = parseConffiles(f["conffiles"])
		all = append(all, p)
		for name := range relations(f["pre-depends"] + "," + f["depends"]) {
			depends[name] = true
		}
		for name := range relations(f["provides"]) {
			provides[p.Name] = append(provides[p.Name], name)
		}
		return err
	}, "package", "status", "architecture", "version", "section", "pre-depends", "depends", "provides", "conffiles")
	for name, others := range provides {
		for _, other := range others {
			depends[name] = depends[name] || depends[other]
		}
	}
	return all, depends, err
}

// isLibrary goes by a package's section, and by its name: Python's are in the
// section "python".
func isLibrary(name, section string) bool {
	return section == "libs" || section == "oldlibs" || strings.HasPrefix(name, "lib")
}

// relations are the names in a field such as Depends, deb-control(5): "a (>= 1)
// | b:any, c".
func relations(field string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for one := range strings.FieldsFuncSeq(field, func(r rune) bool { return r == ',' || r == '|' }) {
			one = strings.TrimSpace(one)
			if end := strings.IndexAny(one, " (:"); end >= 0 {
				one = one[:end]
			}
			if one != "" && !yield(one) {
				return
			}
		}
	}
}

// parseConffiles reads the field of dpkg's status: "PATH MD5", and "obsolete"
// or "remove-on-upgrade" after it. An interrupted dpkg may have left
// "newconffile" where the digest will be.
func parseConffiles(field string) (map[string]string, error) {
	var files map[string]string
	for line := range strings.Lines(field) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		words := strings.Split(line, " ") // a path may have blanks
		last := words[len(words)-1]
		if last == "obsolete" || last == "remove-on-upgrade" || last == "newconffile" {
			continue
		}
		name := strings.TrimPrefix(strings.TrimSuffix(line, " "+last), "/")
		if !validDigest("md5:"+last) || !validPath(name) {
			return nil, fmt.Errorf("configuration file %.80q is none that dpkg writes", line)
		}
		if files == nil {
			files = map[string]string{}
		}
		files[name] = "md5:" + last
	}
	return files, nil
}

// parseArchitectures reads what dpkg --add-architecture has added, with the
// machine's own first.
func parseArchitectures(r io.Reader, native string) ([]string, error) {
	all := []string{native}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name := strings.TrimSpace(lines.Text())
		if name == "" || name == native {
			continue
		}
		if !validName(name) {
			return nil, fmt.Errorf("%.60q is no architecture", name)
		}
		all = append(all, name)
	}
	return all, lines.Err()
}

// parseExtendedStates reads what apt has marked as pulled in, "NAME:ARCH".
func parseExtendedStates(r io.Reader) (map[string]bool, error) {
	pulled := map[string]bool{}
	return pulled, readControl(r, func(f paragraph) error {
		if f["auto-installed"] == "1" {
			pulled[f["package"]+":"+f["architecture"]] = true
		}
		return nil
	}, "package", "architecture", "auto-installed")
}

// diversion is what dpkg-divert(1) has done to a path.
type diversion struct{ to, by string }

// parseDiversions reads three lines for each: the path, where it is diverted
// to, and the package whose own file stays, ":" for none.
func parseDiversions(r io.Reader) (map[string]diversion, error) {
	diverted := map[string]diversion{}
	var three []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if three = append(three, lines.Text()); len(three) == 3 {
			from, to := strings.TrimPrefix(three[0], "/"), strings.TrimPrefix(three[1], "/")
			if validPath(from) && validPath(to) {
				diverted[from] = diversion{to, three[2]}
			}
			three = three[:0]
		}
	}
	return diverted, lines.Err()
}

// divert gives configuration files the paths that they really have.
func (p *Package) divert(diverted map[string]diversion) {
	if len(diverted) == 0 {
		return
	}
	for name, digest := range p.Conffiles {
		if d, is := diverted[name]; is && d.by != p.Name {
			delete(p.Conffiles, name)
			p.Conffiles[d.to] = digest
		}
	}
}

// readFile opens a file below the root, and follows no link out of it.
func readFile(root *os.Root, name string, read func(io.Reader) error) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is no file", name))
	}
	if err := read(f); err != nil {
		return fmt.Errorf("%s: %w", path.Base(name), err)
	}
	return nil
}

// readOptional is [readFile] for a file that need not be there.
func readOptional(root *os.Root, name string, read func(io.Reader) error) error {
	if err := readFile(root, name, read); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
