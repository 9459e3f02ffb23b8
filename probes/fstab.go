package probes

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// FstabLine is a line of /etc/fstab, see fstab(5).
type FstabLine struct {
	Line    int // its number
	Source  string
	Target  string // "none" for swap
	Type    string
	Options []string
}

// CrypttabLine is a line of /etc/crypttab, see crypttab(5).
type CrypttabLine struct {
	Line    int // its number
	Name    string
	Source  string
	Key     string // a file, "none" or "-" for a passphrase that is asked for
	Options []string
}

// What a backslash begins in a field: in fstab three octal digits, in crypttab
// a zero and up to three.
var (
	fstabEscape    = regexp.MustCompile(`\\[0-3][0-7]{2}`)
	crypttabEscape = regexp.MustCompile(`\\0[0-3]?[0-7]{1,2}`)
)

// ParseFstab reads /etc/fstab. Lines with fewer than three fields, which mount
// passes over as well, are left out.
func ParseFstab(text string) (lines []FstabLine) {
	for number, f := range tableLines(text, fstabEscape) {
		if len(f) < 3 {
			continue
		}
		l := FstabLine{Line: number, Source: f[0], Target: f[1], Type: f[2]}
		if len(f) > 3 {
			l.Options = strings.Split(f[3], ",")
		}
		lines = append(lines, l)
	}
	return lines
}

// ParseCrypttab reads /etc/crypttab. Lines with fewer than two fields are left
// out.
func ParseCrypttab(text string) (lines []CrypttabLine) {
	for number, f := range tableLines(text, crypttabEscape) {
		if len(f) < 2 {
			continue
		}
		l := CrypttabLine{Line: number, Name: f[0], Source: f[1]}
		if len(f) > 2 {
			l.Key = f[2]
		}
		if len(f) > 3 {
			l.Options = strings.Split(f[3], ",")
		}
		lines = append(lines, l)
	}
	return lines
}

// tableLines goes over the lines that are no comments, with their numbers, and
// splits them into fields.
func tableLines(text string, escape *regexp.Regexp) func(yield func(int, []string) bool) {
	return func(yield func(int, []string) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n", r) })
			if len(fields) == 0 || fields[0][0] == '#' {
				continue
			}
			for i, f := range fields {
				fields[i] = escape.ReplaceAllStringFunc(f, func(digits string) string {
					n, _ := strconv.ParseUint(digits[1:], 8, 8)
					return string([]byte{byte(n)})
				})
			}
			if !yield(number, fields) {
				return
			}
		}
	}
}

// option is the value of an option, "subvol=@" has "@".
func option(options []string, name string) (value string, there bool) {
	for _, o := range options {
		if key, v, _ := strings.Cut(o, "="); key == name {
			value, there = v, true
		}
	}
	return value, there
}

// aDevice tells whether the line's source is a block device, in one of the ways
// to name it, and not a path, a server or a word.
func aDevice(source string) bool {
	tag, _, tagged := strings.Cut(source, "=")
	return strings.HasPrefix(source, "/dev/") || tagged && slices.Contains(tags, tag)
}

// swapping tells whether the line is for swap.
func (l FstabLine) swapping() bool { return l.Type == "swap" }

// optional tells whether the machine starts without the line, because nothing
// mounts it by itself: a CD, a stick.
func (l FstabLine) optional() bool {
	return slices.Contains(l.Options, "noauto") && !slices.Contains(l.Options, "x-systemd.automount")
}
