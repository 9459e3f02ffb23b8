package system

import (
	"fmt"
	"sort"
	"strings"
)

// shape is what a key holds.
type shape string

const (
	text   shape = "a string in quotes"
	texts  shape = "a list of strings, as [\"a\", \"b\"]"
	table  shape = "a table, as [system]"
	tables shape = "tables, each under a [[ ]] header"
	amount shape = "a number of bytes, or a string as \"10 GiB\""
	number shape = "a number"
	flag   shape = "true or false"
)

// schema is every key of the format, with its tables before it.
var schema = map[string]shape{
	"format":             text,
	"system":             table,
	"system.hostname":    text,
	"system.os":          text,
	"system.release":     text,
	"packages":           table,
	"packages.manager":   text,
	"packages.dirty":     text,
	"secrets":            table,
	"secrets.policy":     text,
	"secrets.recipients": texts,
	"hooks":              table,
	"hooks.timeout":      number,
	"noise":              tables,
	"noise.path":         text,
	"noise.lines":        texts,
	"noise.revert":       flag,
	"noise.defaults":     flag,
	"commit":             table,
	"commit.auto":        texts,
	"dataset":            tables,
	"dataset.path":       text,
	"dataset.type":       text,
	"dataset.repository": text,
	"dataset.include":    texts,
	"dataset.exclude":    texts,
	"dataset.newest":     number,
	"dataset.budget":     amount,
	"dataset.limit":      amount,
	"rebuild":            tables,
	"rebuild.node":       text,
	"rebuild.size":       text,
	"rebuild.minimum":    amount,
}

// checkKeys refuses the first key that is not in the schema or of another
// type. go-toml's strict mode would do so too, but it takes FORMAT for format,
// and builds an excerpt of the file for every unknown key there is.
func (d *document) checkKeys() error {
	for _, k := range d.keys {
		want, known := schema[k.name]
		if known && (want == k.got || want == amount && (k.got == text || k.got == number)) {
			continue
		}
		if known {
			return &Error{Line: k.line, Reason: fmt.Sprintf("%s must be %s", k.name, want)}
		}
		return &Error{Line: k.line, Reason: unknownKey(k.name, d.format)}
	}
	return nil
}

// unknownKey says what could be meant, or that a newer rootwc would know.
func unknownKey(name string, format any) string {
	above, last := "", name
	if i := strings.LastIndexByte(name, '.'); i >= 0 && schema[name[:i]] != "" {
		above, last = name[:i], name[i+1:]
	}
	where := map[shape]string{table: " in [" + above + "]", tables: " in [[" + above + "]]"}[schema[above]]
	reason := fmt.Sprintf("unknown key %.60q%s; known are %s", last, where, strings.Join(knownBelow(above), ", "))
	if newer(format) {
		reason += fmt.Sprintf("; the file has format %s, this rootwc knows %s: update rootwc, or remove the key", format, FormatVersion)
	}
	return reason
}

// knownBelow lists the keys of a table, of the whole file for "".
func knownBelow(above string) []string {
	var known []string
	for name := range schema {
		if dir, last, ok := strings.Cut(name, "."); ok && dir == above {
			known = append(known, last)
		} else if !ok && above == "" {
			known = append(known, name)
		}
	}
	sort.Strings(known)
	return known
}
