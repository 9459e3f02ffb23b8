package packages

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// paragraph is a set of fields as deb822(5) has them. Further lines of a value
// follow after "\n", without the blanks around them.
type paragraph map[string]string

// longestLine bounds a line: descriptions and dependencies of real packages
// have some ten thousand bytes.
const longestLine = 1 << 20

// readControl hands on each paragraph of a file, with those fields whose names,
// in lower case, are wanted; no name means all. A line with "#" at its
// beginning is a comment.
func readControl(r io.Reader, each func(paragraph) error, wanted ...string) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	p, last, number := paragraph{}, "", 0
	end := func() (err error) {
		if len(p) > 0 {
			err = each(p)
		}
		p, last = paragraph{}, ""
		return err
	}
	for lines.Scan() {
		number++
		line := lines.Bytes()
		value := bytes.TrimSpace(line)
		switch {
		case len(line) > 0 && line[0] == '#':
		case len(value) == 0:
			if err := end(); err != nil {
				return err
			}
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				p[last] += "\n" + string(value)
			}
		default:
			name, value, ok := bytes.Cut(line, []byte(":"))
			if !ok {
				return fmt.Errorf("line %d is no field: %.60q", number, line)
			}
			last = strings.ToLower(string(name))
			if len(wanted) > 0 && !slices.Contains(wanted, last) {
				last = ""
				continue
			}
			p[last] = string(bytes.TrimSpace(value))
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return end()
}
