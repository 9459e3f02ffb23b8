package system

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Encode writes the description as a commented page for people. One
// description always gives the same bytes; comments that a person wrote into
// the file it came from are not among them. A description that does not pass
// [Description.Check] is refused, and nothing is written.
func (d *Description) Encode(w io.Writer) error {
	if err := d.Check(); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, page, quote(d.Format),
		quote(d.System.Hostname), quote(d.System.OS), quote(d.System.Release),
		quote(d.Packages.Manager), d.Packages.Dirty.line(),
		quote(string(d.Secrets.Policy)), quoteList(d.Secrets.Recipients))
	if d.Hooks.Timeout != 0 {
		fmt.Fprintf(&b, "\n[hooks]\n# Seconds that each program in /etc/rootwc/hooks.d may take.\ntimeout = %d\n", d.Hooks.Timeout)
	}
	b.WriteString(noiseComment)
	for _, n := range d.Noise {
		n.encode(&b)
	}
	b.WriteString(commitComment)
	if len(d.Commit.Auto) > 0 {
		fmt.Fprintf(&b, "\n[commit]\nauto = %s\n", quoteList(d.Commit.Auto))
	}
	b.WriteString(datasetComment)
	for _, s := range d.Datasets {
		s.encode(&b)
	}
	b.WriteString(rebuildComment)
	for _, n := range d.Rebuild {
		fmt.Fprintf(&b, "\n[[rebuild]]\nnode = %s\nsize = %s\n", quote(n.Node), quote(string(n.Size)))
		if n.Minimum != "" {
			fmt.Fprintf(&b, "minimum = %s\n", quote(string(n.Minimum)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const (
	page = `# How this machine looks, beyond what Subversion itself holds.
# rootwc reads this page; edit it, and commit it like any other file.

format = %s

[system]
hostname = %s
# ID and VERSION_ID of os-release(5)
os = %s
release = %s

[packages]
manager = %s
%s
[secrets]
# What happens to content that others may not read on this machine:
#   withhold  it stays out of the repository
#   encrypt   it is committed encrypted, for the recipients (public keys of age or SSH)
#   clear     it is committed as it is
policy = %s
recipients = %s
`
	noiseComment = `
# Changes that are no news: every line that differs matches one of the regular
# expressions; without lines, all changes of the content. Patterns of paths know
# * ? ** [abc] {a,b}, and cover what is below a directory.
#   [[noise]]
#   path = "etc/cups/printers.conf"
#   lines = ['^StateTime ']
#   revert = true             # commit and update put such a change back
#   [[noise]]
#   path = "etc/mail"
#   defaults = false          # the rules that rootwc has by itself do not hold there
`
	commitComment = `
# Paths that rootwc commit --auto, run by a timer, may commit without a person.
#   [commit]
#   auto = ["home/anna/notes"]
`
	datasetComment = `
# Directories that a transfer tool fills, never svn.
# Types: blob, buffer, cache, copy, direct, extension, selection.
# Repositories: vfs:/path, vfs:host:path (by ssh), svn:URL, git-annex:URL, ddm:
#   [[dataset]]
#   path = "home/anna/audio-selection"
#   type = "selection"
#   repository = "vfs:/net/server/audio"
#   include = ["albums/**"]   # a selection's files: everything without it,
#   newest = 50               # the newest of that,
#   budget = "20 GiB"         # as far as the budget goes
#   exclude = ["*.part"]      # never transferred (vfs)
#   limit = "2 MiB"           # in a second (vfs)
`
	rebuildComment = `
# What may have another size when the storage is set up again on other disks.
# Size is grow (takes all that is left), share (divides it with others that
# share) or keep; minimum is how small it may become on smaller disks.
#   [[rebuild]]
#   node = "lv.vg0/home"
#   size = "grow"
#   minimum = "10 GiB"
`
)

// line is the key's line; none for the usual.
func (d Dirty) line() string {
	if d == "" {
		return ""
	}
	return "dirty = " + quote(string(d)) + "\n"
}

// encode writes one table of noise.
func (n Noise) encode(b *strings.Builder) {
	fmt.Fprintf(b, "\n[[noise]]\npath = %s\n", quote(n.Path))
	if len(n.Lines) > 0 {
		fmt.Fprintf(b, "lines = %s\n", quoteList(n.Lines))
	}
	if n.Revert {
		b.WriteString("revert = true\n")
	}
	if n.Defaults != nil {
		fmt.Fprintf(b, "defaults = %t\n", *n.Defaults)
	}
}

// quote writes a TOML string: literal where backslashes would have to be
// doubled, which keeps regular expressions readable, basic otherwise.
func quote(s string) string {
	if strings.Contains(s, `\`) && !strings.ContainsFunc(s, func(r rune) bool { return r == '\'' || !unicode.IsPrint(r) }) {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\U%08X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteList writes an array, in one line when it is short.
func quoteList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	if line := "[" + strings.Join(quoted, ", ") + "]"; len(line) <= 80 {
		return line
	}
	return "[\n  " + strings.Join(quoted, ",\n  ") + ",\n]"
}
