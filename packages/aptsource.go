package packages

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

// readAptSources reads where apt gets its packages from, and whose signatures
// it trusts: sources.list(5), apt-secure(8).
func readAptSources(in *Installed, root *os.Root) error {
	in.Repositories, in.Keys = map[string]*Repository{}, map[string]string{}
	files := append([]string{"etc/apt/sources.list"}, glob(root, "etc/apt/sources.list.d/*.list", "etc/apt/sources.list.d/*.sources")...)
	for _, name := range files {
		parse := parseSourceLines
		if path.Ext(name) == ".sources" {
			parse = parseSourceParagraphs
		}
		closed := isClosed(root, name)
		err := readOptional(root, name, func(r io.Reader) error {
			sources, err := parse(r)
			for _, s := range sources {
				if closed {
					s.uris, s.suites = []string{name}, []string{""}
				}
				in.source(s, name)
			}
			if err != nil { // apt complains as well, and the packages are there
				in.Findings = append(in.Findings, fmt.Sprintf("%s: %v", name, err))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	keys := glob(root, "etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d/*.gpg", "etc/apt/trusted.gpg.d/*.asc")
	for _, r := range in.Repositories {
		for _, key := range r.SignedBy {
			if validPath(key) && strings.Contains(key, "/") {
				keys = append(keys, key)
			}
		}
	}
	return in.readKeys(root, keys)
}

// source is an entry of a file of sources.
type source struct {
	types, uris, suites, components []string
	signedBy                        string
	trusted                         bool
}

// source takes an entry into the repositories: one each for URI and suite.
func (in *Installed) source(s source, file string) {
	for _, uri := range s.uris {
		for _, suite := range s.suites {
			id := strings.TrimSpace(withoutUser(uri) + " " + suite)
			r := in.Repositories[id]
			if r == nil {
				r = &Repository{}
				in.Repositories[id] = r
			}
			r.Files = union(r.Files, file)
			r.Types = union(r.Types, s.types...)
			r.Components = union(r.Components, s.components...)
			r.SignedBy = union(r.SignedBy, signers(s.signedBy)...)
			r.Unsigned = r.Unsigned || s.trusted
		}
	}
}

// signers are the key files and fingerprints of a Signed-By; a key that stands
// in the entry itself has no name.
func signers(value string) []string {
	if strings.Contains(value, "BEGIN PGP") {
		return nil
	}
	var all []string
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		all = append(all, strings.TrimPrefix(word, "/"))
	}
	return all
}

// parseSourceLines reads the one-line format: "deb [option=value …] URI SUITE
// COMPONENT…".
func parseSourceLines(r io.Reader) (all []source, err error) {
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s := source{types: words[:1]}
		rest := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), words[0]))
		if options, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]"); ok && strings.HasPrefix(rest, "[") {
			rest = after
			for _, option := range strings.Fields(options) {
				name, value, _ := strings.Cut(option, "=")
				switch strings.ToLower(name) {
				case "signed-by":
					s.signedBy = value
				case "trusted":
					s.trusted = isYes(value)
				}
			}
		}
		words = sourceWords(rest)
		if len(words) < 2 || s.types[0] != "deb" && s.types[0] != "deb-src" {
			return all, fmt.Errorf("line %d is no source of packages", number)
		}
		s.uris, s.suites, s.components = words[:1], words[1:2], words[2:]
		all = append(all, s)
	}
	return all, lines.Err()
}

// sourceWords splits a line at blanks, but for those in brackets: "cdrom:[Debian
// 12]/ bookworm main".
func sourceWords(line string) []string {
	depth := 0
	return strings.FieldsFunc(line, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		return depth <= 0 && (r == ' ' || r == '\t')
	})
}

// parseSourceParagraphs reads the deb822 format.
func parseSourceParagraphs(r io.Reader) (all []source, err error) {
	return all, readControl(r, func(f paragraph) error {
		if enabled, said := f["enabled"]; said && !isYes(enabled) {
			return nil
		}
		all = append(all, source{
			types: strings.Fields(f["types"]), uris: strings.Fields(f["uris"]), suites: strings.Fields(f["suites"]),
			components: strings.Fields(f["components"]), signedBy: f["signed-by"], trusted: isYes(f["trusted"]),
		})
		return nil
	})
}

// isYes reads a truth as apt does.
func isYes(s string) bool {
	return slices.Contains([]string{"yes", "true", "with", "on", "enable", "1"}, strings.ToLower(s))
}

// isClosed tells whether others may not read a file: then nothing of it goes into
// the text but its name.
func isClosed(root *os.Root, name string) bool {
	info, err := root.Stat(name)
	return err == nil && info.Mode()&0o004 == 0
}

// withoutUser leaves a name and a password out of a URI: the file that has them
// may be closed to others, the text is not.
func withoutUser(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	host, _, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); ok && at >= 0 {
		rest = rest[at+1:]
	}
	if !ok {
		return uri
	}
	if u, err := url.Parse(scheme + "://" + rest); err == nil && u.RawQuery != "" {
		u.RawQuery = "" // a token, where one is needed at all
		return u.String()
	}
	return scheme + "://" + rest
}

// union adds what is not there yet, and sorts.
func union(all []string, more ...string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}
