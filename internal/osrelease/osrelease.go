// Package osrelease reads which operating system a root holds: os-release(5).
package osrelease

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Parse reads /etc/os-release: shell-compatible assignments, one a
// line, with single or double quotes, backslashes and # comments, but without
// any expansion. As in a shell, the last assignment to a name wins. Source:
// os-release(5).
//
// A line that is no such assignment is an error that names the line. The map
// holds all the other lines even then, so that a caller can go on with a
// warning. The file's absence is the caller's business: os-release(5) sends
// them to /usr/lib/os-release next.
func Parse(r io.Reader) (map[string]string, error) {
	fields := make(map[string]string)
	var problems []error
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, found := strings.Cut(line, "=")
		if !found || !isVariable(name) {
			problems = append(problems, fmt.Errorf("line %d: %q is no assignment", n, line))
			continue
		}
		value, err := unquote(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
			continue
		}
		fields[name] = value
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return fields, fmt.Errorf("cannot read os-release: %w", err)
	}
	return fields, nil
}

// Read reads the os-release of a root by a function that reads its files; nothing
// where there is none.
func Read(file func(path string) ([]byte, error)) map[string]string {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		if text, err := file(path); err == nil {
			fields, _ := Parse(bytes.NewReader(text))
			return fields
		}
	}
	return nil
}

func isVariable(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c < '0' || '9' < c) {
			return false
		}
	}
	return name != ""
}

// unquote reads the right side of an assignment as a shell does, up to a blank
// outside quotes. Only a comment may follow the blank: a further word would
// make the line a command to a shell.
func unquote(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ', '\t':
			if rest := strings.TrimLeft(text[i:], " \t"); rest[0] != '#' {
				return "", fmt.Errorf("%q follows the value", rest)
			}
			return b.String(), nil
		case '\'', '"':
			size, err := unquotePart(&b, text[i:])
			if err != nil {
				return "", err
			}
			i += size - 1
		case '\\':
			if i++; i == len(text) {
				return "", errors.New("the line ends with a backslash")
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// unquotePart appends a quoted string, from its opening quote on, and returns
// its length with both quotes. In double quotes a backslash is an ordinary
// character except before the four that are special there (POSIX shell, 2.2.3).
func unquotePart(b *strings.Builder, text string) (size int, err error) {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i + 1, nil
		case quote == '"' && text[i] == '\\' && i+1 < len(text) && strings.IndexByte("$`\"\\", text[i+1]) >= 0:
			i++
		}
		b.WriteByte(text[i])
	}
	return 0, fmt.Errorf("quote %c is never closed", quote)
}
