package probes

import (
	"regexp"
	"strings"
)

// assignment begins a line of a file that a shell reads: NAME= or NAME+=.
var assignment = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)(\+?)=`)

// assignments reads the variables that files of settings give values to, each
// file knowing those before it: /etc/default/grub, initramfs.conf,
// dracut.conf. Nothing is run; a value that a program would give is left as it
// is written.
func (r *bootReader) assignments(files ...string) map[string]string {
	vars := map[string]string{}
	room := 16 * maxText // values that double themselves, line by line, have an end
	for _, file := range files {
		text := r.text(file)
		for text != "" {
			m := assignment.FindStringSubmatchIndex(text)
			if m == nil {
				_, text, _ = strings.Cut(text, "\n")
				continue
			}
			name, more := text[m[2]:m[3]], m[4] != m[5]
			var value string
			value, text = shellWord(text[m[1]:], vars)
			if more {
				value = vars[name] + value
			}
			if room -= len(value); room < 0 {
				return vars
			}
			vars[name] = value
		}
	}
	return vars
}

// shellWord reads a value: quoted, escaped, with variables in it, in brackets
// as bash's arrays are. It returns what is left behind it.
func shellWord(text string, vars map[string]string) (value, rest string) {
	var b strings.Builder
	var quote byte
	array := strings.HasPrefix(text, "(")
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			if text[i] != '\n' {
				b.WriteByte(text[i])
			}
		case c == '$' && quote != '\'':
			v, n := variable(text[i:], vars)
			if b.Len()+len(v) <= maxText {
				b.WriteString(v)
			}
			i += n - 1
		case array && quote == 0 && c == '(' && i == 0:
		case array && quote == 0 && c == ')':
			return b.String(), text[i+1:]
		case array && quote == 0 && strings.IndexByte(" \t\n", c) >= 0:
			b.WriteByte(' ')
		case quote == 0 && strings.IndexByte(" \t\n;", c) >= 0:
			return b.String(), text[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

var reference = regexp.MustCompile(`^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)

// variable is the value of the variable that a text begins with, and how long
// its name is.
func variable(text string, vars map[string]string) (string, int) {
	m := reference.FindStringSubmatch(text)
	if m == nil {
		return "$", 1
	}
	return vars[m[1]+m[2]], len(m[0])
}
