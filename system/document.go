package system

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// key is one mention of a key in the file.
type key struct {
	name string // as in schema: "noise.path"
	line int
	got  shape // "" for another type
}

// document knows where each value of a TOML file stands. It goes no deeper
// than the first part of a key that is not known: a hostile file may have keys
// of a hundred thousand parts.
type document struct {
	lines []int          // offset at which each line ends
	keys  []key          // in the order of the file
	at    map[string]int // line by place: "noise[1].lines[0]"
	count map[string]int // tables so far under each [[ ]] header

	format any // value of the key format; nil for none, false for no string
}

// indexLines reads a file. The error is one of syntax, with its line; what
// makes no sense, such as a key twice, is left to go-toml's decoder, which gets
// slow on files with many keys and therefore must not see any that are unknown.
func indexLines(text []byte) (*document, error) {
	d := &document{at: map[string]int{}, count: map[string]int{}}
	for i, c := range text {
		if c == '\n' {
			d.lines = append(d.lines, i)
		}
	}
	var p unstable.Parser
	p.Reset(text)
	name, place := "", "" // of the table that is open
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			name, place = d.header(e, table)
		case unstable.ArrayTable:
			name, place = d.header(e, tables)
		case unstable.KeyValue:
			d.keyValue(e, name, place)
		}
	}
	var fault *unstable.ParserError
	switch err := p.Error(); {
	case err == nil:
		return d, nil
	case errors.As(err, &fault):
		return nil, &Error{Line: d.line(p.Range(fault.Highlight).Offset), Reason: fault.Message}
	default:
		return nil, &Error{Reason: err.Error()}
	}
}

// line is the line of an offset, from 1.
func (d *document) line(offset uint32) int {
	return sort.SearchInts(d.lines, int(offset)) + 1
}

// header enters [a.b] or [[a.b]] and returns its name and place.
func (d *document) header(e *unstable.Node, got shape) (name, place string) {
	line := 0
	for it := e.Key(); it.Next(); {
		part := it.Node()
		line = d.line(part.Raw.Offset)
		name, place = join(name, part), join(place, part)
		if it.IsLast() && got == tables {
			d.count[place]++
		}
		if n := d.count[place]; n > 0 {
			place = fmt.Sprintf("%s[%d]", place, n-1)
		}
		if schema[name] == "" {
			break
		}
	}
	d.add(key{name, line, got}, place)
	return name, place
}

// keyValue enters a key, and the values below it.
func (d *document) keyValue(e *unstable.Node, name, place string) {
	line := 0
	for it := e.Key(); it.Next(); {
		part := it.Node()
		line = d.line(part.Raw.Offset)
		name, place = join(name, part), join(place, part)
		if schema[name] == "" {
			d.add(key{name, line, ""}, place)
			return
		}
		if !it.IsLast() {
			d.add(key{name, line, table}, place)
		}
	}
	if name == "format" && d.format == nil {
		d.format = false
		if v := e.Value(); v.Kind == unstable.String {
			d.format = string(v.Data)
		}
	}
	d.value(e.Value(), name, place, line)
}

// value enters one value at a place.
func (d *document) value(v *unstable.Node, name, place string, line int) {
	switch v.Kind {
	case unstable.String:
		d.add(key{name, line, text}, place)
	case unstable.Integer:
		d.add(key{name, line, number}, place)
	case unstable.Bool:
		d.add(key{name, line, flag}, place)
	case unstable.InlineTable:
		d.add(key{name, line, table}, place)
		for it := v.Children(); it.Next(); {
			d.keyValue(it.Node(), name, place)
		}
	case unstable.Array:
		d.array(v, name, place, line)
	default:
		d.add(key{name, line, ""}, place)
	}
}

// array enters a list of strings, or of inline tables.
func (d *document) array(v *unstable.Node, name, place string, line int) {
	got, i := texts, 0
	if schema[name] == tables {
		got = tables
	}
	d.add(key{name, line, got}, place)
	for it := v.Children(); it.Next(); i++ {
		item, below := it.Node(), fmt.Sprintf("%s[%d]", place, i)
		switch {
		case item.Kind == unstable.String && got == texts:
			line = d.line(item.Raw.Offset)
			d.at[below] = line
		case item.Kind == unstable.InlineTable && got == tables:
			d.at[below] = line
			for fields := item.Children(); fields.Next(); {
				d.keyValue(fields.Node(), name, below)
			}
		case item.Kind != unstable.Comment:
			d.keys = append(d.keys, key{name, line, ""})
		}
	}
}

func (d *document) add(k key, place string) {
	d.keys = append(d.keys, k)
	if d.at[place] == 0 {
		d.at[place] = k.line
	}
}

// join appends a part of a dotted key. A part that has a dot in itself is
// quoted, so that it equals no key of the schema.
func join(name string, part *unstable.Node) string {
	last := string(part.Data)
	if last == "" || strings.ContainsAny(last, ".[\"") {
		last = strconv.Quote(last)
	}
	if name == "" {
		return last
	}
	return name + "." + last
}

// fault makes an error of the value at a place.
func (d *document) fault(place string, err error) *Error {
	return &Error{Line: d.at[place], Reason: err.Error()}
}
