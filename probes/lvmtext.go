package probes

import (
	"fmt"
	"slices"
	"strings"
)

// lvmNode is a key of LVM's text format with a value or a section, see
// lvm.conf(5). Keys come in any order and keep it.
type lvmNode struct {
	key     string
	values  []lvmValue
	array   bool // the values stand in brackets
	section bool
	nodes   []*lvmNode
}

// lvmValue is a string, or a number as it was written.
type lvmValue struct {
	text   string
	number bool
}

// find returns the node of a key, nil when there is none. With keys twice the
// first counts; LVM writes none twice.
func (n *lvmNode) find(key string) *lvmNode {
	if n == nil {
		return nil
	}
	i := slices.IndexFunc(n.nodes, func(c *lvmNode) bool { return c.key == key })
	if i < 0 {
		return nil
	}
	return n.nodes[i]
}

// sections are the sections of a section that has nothing but those.
func (n *lvmNode) sections(key string) []*lvmNode {
	n = n.find(key)
	if n == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.nodes), func(c *lvmNode) bool { return !c.section })
}

// text is the first value of a key, "" when there is none.
func (n *lvmNode) text(key string) string {
	if c := n.find(key); c != nil && len(c.values) > 0 {
		return c.values[0].text
	}
	return ""
}

// texts are the strings in the list of a key, nil when there are none.
func (n *lvmNode) texts(key string) (all []string) {
	if c := n.find(key); c != nil {
		for _, v := range c.values {
			all = append(all, v.text)
		}
	}
	return all
}

// lvmDepth bounds how deep sections may stand in sections; LVM writes four.
const lvmDepth = 32

// parseLVM reads LVM's text format wholly: sections, numbers, lists, strings in
// either quotes or none, comments. Source: libdm-config.c of LVM.
func parseLVM(text string) (*lvmNode, error) {
	p := &lvmParser{rest: text, line: 1}
	root := &lvmNode{section: true}
	if err := p.nodes(root, 0); err != nil {
		return nil, fmt.Errorf("line %d: %w", p.line, err)
	}
	return root, nil
}

type lvmParser struct {
	rest string
	line int
}

// space skips blanks and comments.
func (p *lvmParser) space() {
	for p.rest != "" {
		switch c := p.rest[0]; {
		case c == '#':
			i := strings.IndexByte(p.rest, '\n')
			if i < 0 {
				i = len(p.rest)
			}
			p.rest = p.rest[i:]
		case isLVMSpace(c):
			p.take(1)
		default:
			return
		}
	}
}

func isLVMSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// take cuts n bytes off what is left.
func (p *lvmParser) take(n int) string {
	s := p.rest[:n]
	p.line += strings.Count(s, "\n")
	p.rest = p.rest[n:]
	return s
}

// next tells whether a character follows, and skips it.
func (p *lvmParser) next(c byte) bool {
	p.space()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.take(1)
	return true
}

// nodes reads what is in a section, up to its end.
func (p *lvmParser) nodes(parent *lvmNode, depth int) error {
	if depth > lvmDepth {
		return fmt.Errorf("more than %d sections in each other", lvmDepth)
	}
	for {
		p.space()
		switch {
		case p.rest == "" && depth > 0:
			return fmt.Errorf("section %q has no end", parent.key)
		case p.rest == "":
			return nil
		case depth > 0 && p.next('}'):
			return nil
		}
		if err := p.node(parent, depth); err != nil {
			return err
		}
	}
}

// node reads a key with its value or section.
func (p *lvmParser) node(parent *lvmNode, depth int) error {
	key, err := p.key()
	if err != nil {
		return err
	}
	n := &lvmNode{key: key}
	parent.nodes = append(parent.nodes, n)
	if p.next('{') {
		n.section = true
		return p.nodes(n, depth+1)
	}
	if !p.next('=') {
		return fmt.Errorf("%q has neither a value nor a section", key)
	}
	if !p.next('[') {
		return p.value(n)
	}
	n.array = true
	for !p.next(']') {
		if err := p.value(n); err != nil {
			return err
		}
		p.next(',')
	}
	return nil
}

func (p *lvmParser) key() (string, error) {
	if c := p.rest[0]; c == '"' || c == '\'' {
		return p.quoted(c)
	}
	n := strings.IndexAny(p.rest, "#={} \t\n\v\f\r")
	if n < 0 {
		n = len(p.rest)
	}
	if n == 0 {
		return "", fmt.Errorf("%q where a key should be", p.rest[0])
	}
	return p.take(n), nil
}

// value reads a string or a number.
func (p *lvmParser) value(n *lvmNode) error {
	p.space()
	if p.rest == "" {
		return fmt.Errorf("%q has no value", n.key)
	}
	v := lvmValue{}
	switch c := p.rest[0]; {
	case c == '"' || c == '\'':
		text, err := p.quoted(c)
		if err != nil {
			return err
		}
		v.text = text
	case c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.':
		end := 1 + len(p.rest[1:]) - len(strings.TrimLeft(p.rest[1:], "0123456789."))
		v = lvmValue{p.take(end), true}
	default:
		end := strings.IndexAny(p.rest, "#={}[], \t\n\v\f\r")
		if end == 0 {
			return fmt.Errorf("%q where the value of %q should be", c, n.key)
		}
		if end < 0 {
			end = len(p.rest)
		}
		v.text = p.take(end)
	}
	n.values = append(n.values, v)
	return nil
}

// quoted reads a string. In double quotes, a backslash stands before a quote or
// a backslash; in single ones nothing is special.
func (p *lvmParser) quoted(quote byte) (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.take(i + 1)
			return b.String(), nil
		case c == '\\' && quote == '"' && i+1 < len(p.rest) && (p.rest[i+1] == '"' || p.rest[i+1] == '\\'):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("a string has no end")
}

// write writes a section's content as vgcfgbackup does, without comments and
// blank lines.
func (n *lvmNode) write(b *strings.Builder, depth int) {
	indent := strings.Repeat("\t", depth)
	for _, c := range n.nodes {
		if c.section {
			fmt.Fprintf(b, "%s%s {\n", indent, lvmKey(c.key))
			c.write(b, depth+1)
			fmt.Fprintf(b, "%s}\n", indent)
			continue
		}
		fmt.Fprintf(b, "%s%s = ", indent, lvmKey(c.key))
		switch {
		case !c.array:
			b.WriteString(c.values[0].String() + "\n")
		case len(c.values) > 0 && lvmPerLine[c.key] > 0:
			b.WriteString("[\n")
			for part := range slices.Chunk(c.values, lvmPerLine[c.key]) {
				comma := ","
				if &part[len(part)-1] == &c.values[len(c.values)-1] {
					comma = ""
				}
				fmt.Fprintf(b, "%s\t%s%s\n", indent, joinLVM(part), comma)
			}
			b.WriteString(indent + "]\n")
		default:
			fmt.Fprintf(b, "[%s]\n", joinLVM(c.values))
		}
	}
}

// lvmPerLine are the lists that vgcfgbackup writes over several lines: a volume
// and an extent in each, or two volumes, or one.
var lvmPerLine = map[string]int{"stripes": 2, "mirrors": 2, "raids": 2, "raid0_lvs": 1}

func joinLVM(values []lvmValue) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	return strings.Join(words, ", ")
}

// String writes the value.
func (v lvmValue) String() string {
	if v.number {
		return v.text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v.text) + `"`
}

// lvmKey writes a key, in quotes when LVM would not read it without.
func lvmKey(key string) string {
	if key == "" || strings.ContainsAny(key, "#={}\"'[], \t\n\v\f\r") {
		return lvmValue{text: key}.String()
	}
	return key
}
