package packages

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// rpmPlaces are where rpm's database is: Fedora's, openSUSE's and today's
// distributions', then the one of old.
var rpmPlaces = []string{"usr/lib/sysimage/rpm", "var/lib/rpm"}

// readRPM asks rpm, which alone knows its databases, with one process; and dnf's
// files for what was pulled in.
func readRPM(ctx context.Context, root *os.Root) (*Installed, error) {
	place := ""
	for _, dir := range rpmPlaces {
		if len(glob(root, dir+"/rpmdb.sqlite", dir+"/Packages", dir+"/Packages.db")) > 0 && place == "" {
			place = dir
		}
	}
	if place == "" {
		return nil, fs.ErrNotExist
	}
	if _, found := run.Look("rpm"); !found {
		return nil, fmt.Errorf("%s: reading it needs the program rpm", place)
	}
	args := []string{"rpm", "--dbpath", "/" + place, "--query", "--all", "--configfiles", "--dump", "--queryformat", rpmFormat}
	if dir, err := filepath.Abs(root.Name()); err == nil && dir != "/" {
		args = append(args, "--root", dir)
	}
	out, _, err := run.Output(ctx, run.Command{Args: args})
	if err != nil {
		return nil, err
	}
	in := &Installed{Manager: Dnf}
	if in.Packages, err = parseRPM(bytes.NewReader(out)); err != nil {
		return nil, err
	}
	native := nativeRPM(in.Packages)
	var foreign []string
	for _, p := range in.Packages {
		if p.Foreign = p.Architecture != "noarch" && p.Architecture != native; p.Foreign {
			foreign = union(foreign, p.Architecture)
		}
	}
	in.Architectures = append([]string{native}, foreign...)
	return in, readDnfReasons(in, root)
}

// rpmFormat begins the lines of a package with one that no file's begins with.
const rpmFormat = `package\t%{NAME}\t%{ARCH}\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\n`

// parseRPM reads what rpm answers: a line for a package, then one for each of
// its configuration files: "PATH SIZE TIME DIGEST MODE OWNER GROUP CONFIG DOC
// RDEV LINK". Keys that rpm keeps as packages are none.
func parseRPM(r io.Reader) (all []*Package, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		line := lines.Text()
		if fields := strings.Split(line, "\t"); fields[0] == "package" && len(fields) == 4 {
			p := &Package{Name: fields[1], Architecture: fields[2], Version: fields[3], Wanted: true, marked: true}
			if p.Name != "gpg-pubkey" && (!validName(p.Name) || !validName(p.Architecture) || !validVersion(p.Version)) {
				return nil, fmt.Errorf("package %.60q of architecture %.60q has version %.60q, which no package has", p.Name, p.Architecture, p.Version)
			}
			all = append(all, p)
			continue
		}
		words := strings.Split(line, " ")
		if len(all) == 0 || len(words) < 11 {
			continue // "(contains no files)"
		}
		name, sum := strings.Join(words[:len(words)-10], " "), words[len(words)-8]
		digest := map[int]string{32: "md5:", 64: "sha256:"}[len(sum)] + sum
		if name = strings.TrimPrefix(name, "/"); validPath(name) && validDigest(digest) {
			p := all[len(all)-1]
			if p.Conffiles == nil {
				p.Conffiles = map[string]string{}
			}
			p.Conffiles[name] = digest
		}
	}
	return slices.DeleteFunc(all, func(p *Package) bool { return p.Name == "gpg-pubkey" }), lines.Err()
}

// nativeRPM is the architecture of most packages: others are there for a few
// programs.
func nativeRPM(all []*Package) string {
	number := map[string]int{}
	native := "noarch"
	for _, p := range all {
		if p.Architecture == "noarch" {
			continue
		}
		number[p.Architecture]++
		if number[p.Architecture] > number[native] {
			native = p.Architecture
		}
	}
	return native
}
