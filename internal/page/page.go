// Package page writes a struct as TOML that is made to be reviewed and
// versioned, and reads it again: keys in the order of their definition, tables
// by name, one fact a line, nothing that is zero. Equal values give equal bytes.
package page

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
	"github.com/pelletier/go-toml/v2"
)

// Write writes a struct as a text of its own. Its fields are strings, numbers,
// truths, lists of strings, pointers to structs, and maps from strings to
// strings, to such pointers or to such maps.
func Write(w io.Writer, page any) error {
	e := &emitter{}
	e.body("", reflect.ValueOf(page).Elem())
	_, err := w.Write(e.Bytes())
	return err
}

// emitter writes the subset of TOML that a page needs. go-toml sorts keys,
// and knows no list with an item a line for single lists.
type emitter struct{ bytes.Buffer }

func (e *emitter) line(format string, args ...any) { fmt.Fprintf(e, format+"\n", args...) }

// Key is the name of a field in the text.
func Key(f reflect.StructField) string { return f.Tag.Get("toml") }

// tables writes the entries of a map below a name: strings as lines of one
// table, anything else as a table each.
func (e *emitter) tables(name string, m reflect.Value) {
	ids := m.MapKeys()
	slices.SortFunc(ids, func(a, b reflect.Value) int { return CompareIDs(a.String(), b.String()) })
	if len(ids) > 0 && m.Type().Elem().Kind() == reflect.String {
		e.line("\n[%s]", name)
	}
	for _, id := range ids {
		switch v := m.MapIndex(id); v.Kind() {
		case reflect.String:
			e.line("%s = %s", bare(id.String()), Quote(v.String()))
		case reflect.Map:
			e.tables(name+"."+bare(id.String()), v)
		default:
			e.table(name+"."+bare(id.String()), v.Elem())
		}
	}
}

// CompareIDs puts numbers in their order, before everything else.
func CompareIDs(a, b string) int {
	n, aerr := strconv.Atoi(a)
	m, berr := strconv.Atoi(b)
	switch {
	case aerr == nil && berr == nil:
		return cmp.Compare(n, m)
	case aerr == nil:
		return -1
	case berr == nil:
		return 1
	}
	return strings.Compare(a, b)
}

func (e *emitter) table(name string, v reflect.Value) {
	e.line("\n[%s]", name)
	e.body(name+".", v)
}

// body writes a struct: its values, then what needs a table of its own, below
// a prefix.
func (e *emitter) body(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			e.value(Key(v.Type().Field(i)), f)
		}
	}
	for i := range v.NumField() {
		sub := prefix + Key(v.Type().Field(i))
		switch f := v.Field(i); {
		case f.Kind() == reflect.Map:
			e.tables(sub, f)
		case f.Kind() == reflect.Pointer && !f.IsNil():
			e.table(sub, f.Elem())
		}
	}
}

func (e *emitter) value(key string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		e.line("%s = %s", key, Quote(v.String()))
	case reflect.Bool:
		e.line("%s = %t", key, v.Bool())
	case reflect.Int:
		e.line("%s = %d", key, v.Int())
	case reflect.Uint64:
		e.line("%s = %d", key, v.Uint())
	case reflect.Slice:
		e.list(key, v)
	}
}

// list writes one item in the line, more an item a line.
func (e *emitter) list(key string, v reflect.Value) {
	if v.Len() == 1 {
		e.line("%s = [%s]", key, Quote(v.Index(0).String()))
		return
	}
	e.line("%s = [", key)
	for i := range v.Len() {
		e.line("  %s,", Quote(v.Index(i).String()))
	}
	e.line("]")
}

// bare writes a key, quoted where TOML wants that.
func bare(s string) string {
	plain := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) < 0
	if plain {
		return s
	}
	return Quote(s)
}

// Quote writes a basic string. Bytes that are no UTF-8, which labels may hold,
// become U+FFFD: whoever captures them says so in a field of its own.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || unprintable(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unprintable are the characters that change how a line reads: those that turn
// the direction of text, and line ends.
func unprintable(r rune) bool {
	return r >= 0x200e && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff
}

// Read reads what [Write] wrote in a format (semver). An unknown key is an error
// with its line, and so is another major format.
func Read[Page any](text []byte, format string) (*Page, error) {
	var head struct {
		Format string `toml:"format"`
	}
	if err := toml.Unmarshal(text, &head); err != nil {
		return nil, syntaxError(err)
	}
	v, err := semver.NewVersion(head.Format)
	if err != nil {
		return nil, fmt.Errorf("format %q is no version", head.Format)
	}
	if v.Major() != semver.MustParse(format).Major() {
		return nil, fmt.Errorf("format %s is not one that this rootwc reads, %s is", v, format)
	}
	page := new(Page)
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(page); err != nil {
		return nil, syntaxError(err)
	}
	return page, nil
}

// syntaxError puts go-toml's line into the error.
func syntaxError(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		line, _ := strict.Errors[0].Position()
		return fmt.Errorf("line %d: unknown key %q", line, strings.Join(strict.Errors[0].Key(), "."))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		line, _ := bad.Position()
		return fmt.Errorf("line %d: %w", line, err)
	}
	return err
}
