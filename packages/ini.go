package packages

import (
	"bufio"
	"io"
	"strings"
)

// section is a part of an INI file, as pacman.conf(5) and dnf.conf(5) have them.
type section struct {
	name   string
	values map[string][]string
}

// last is the value that counts where a key stands more than once.
func (s section) last(key string) string {
	all := s.values[key]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// uris are the values of keys, without what is secret in them.
func (s section) uris(keys ...string) []string {
	var all []string
	for _, key := range keys {
		for _, value := range s.values[key] {
			for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }) {
				all = union(all, withoutUser(word))
			}
		}
	}
	return all
}

// parseINI reads sections with keys and values; a line that begins with a blank
// goes on with the last value.
func parseINI(r io.Reader) (all []section, err error) {
	lines := bufio.NewScanner(r)
	last := ""
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && strings.HasSuffix(line, "]") {
			all = append(all, section{strings.Trim(line, "[]"), map[string][]string{}})
			last = ""
			continue
		}
		if len(all) == 0 {
			continue
		}
		values := all[len(all)-1].values
		if blank := lines.Text()[0]; (blank == ' ' || blank == '\t') && last != "" {
			values[last] = append(values[last], line)
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		last = strings.TrimSpace(key)
		values[last] = append(values[last], strings.TrimSpace(value))
	}
	return all, lines.Err()
}
