package probes

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rootwc/internal/page"
)

// Change is one difference between two pages.
type Change struct {
	Node  Ref    // "" for what is of the page itself
	Words string // "lvm: vg0/home 40.0 GiB -> 60.0 GiB"
}

// Compare lists what differs, in the order of the text.
func Compare(old, now *Layout) []Change { return compareNodes(old, now) }

// compareNodes compares what is in the maps of two pages of one type.
func compareNodes(old, now any) []Change {
	was, is := map[Ref]node{}, map[Ref]node{}
	for n := range nodesOf(old) {
		was[n.ref] = n
	}
	var changes []Change
	for n := range nodesOf(now) {
		is[n.ref] = n
	}
	for n := range nodesOf(old) {
		m, there := is[n.ref]
		if !there {
			changes = append(changes, Change{n.ref, n.words("is gone")})
			continue
		}
		for _, what := range differences("", n.value, m.value) {
			changes = append(changes, Change{n.ref, m.words(what)})
		}
	}
	for n := range nodesOf(now) {
		if _, there := was[n.ref]; !there {
			changes = append(changes, Change{n.ref, n.words("is new")})
		}
	}
	return changes
}

// groups are the words for kinds whose name is none.
var groups = map[string]string{"entry": "boot entry", "pv": "lvm", "vg": "lvm", "lv": "lvm", "filesystem": "file system"}

func kindWord(kind string) string {
	if group := groups[kind]; group != "" {
		return group
	}
	return kind
}

// words is a sentence about the node.
func (n node) words(what string) string {
	return fmt.Sprintf("%s: %s %s", kindWord(n.kind), n.name(), what)
}

// name is what a reader knows the node by.
func (n node) name() string {
	for _, field := range []string{"Mapping", "Label", "Name"} {
		if f := n.value.FieldByName(field); f.IsValid() && f.String() != "" {
			return quoteIfOdd(f.String())
		}
	}
	return string(n.id)
}

func quoteIfOdd(s string) string {
	if q := page.Quote(s); q != `"`+s+`"` || strings.ContainsAny(s, " \t") {
		return q
	}
	return s
}

// differences words what differs between two structs of one type.
func differences(prefix string, old, now reflect.Value) (words []string) {
	for i := range old.NumField() {
		f := old.Type().Field(i)
		a, b := old.Field(i), now.Field(i)
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			continue
		}
		name := prefix + strings.ReplaceAll(page.Key(f), "-", " ")
		switch {
		case f.Type.Kind() == reflect.Map:
			words = append(words, mapDifferences(name, a, b)...)
		case f.Type.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
			words = append(words, differences("", a.Elem(), b.Elem())...)
		case f.Type.Kind() == reflect.Pointer:
			words = append(words, name+" appeared or is gone")
		case page.Key(f) == "size":
			words = append(words, prefix+change(f, a, b))
		default:
			words = append(words, name+" "+change(f, a, b))
		}
	}
	return words
}

// change words two values that differ: sizes in bytes where they look the same
// in larger units.
func change(f reflect.StructField, old, now reflect.Value) string {
	a, b := word(f, old), word(f, now)
	if a == b && f.Tag.Get("unit") == "bytes" {
		a, b = fmt.Sprintf("%d B", old.Uint()), fmt.Sprintf("%d B", now.Uint())
	}
	return a + " -> " + b
}

// mapDifferences words what differs between two maps of structs: keyslots.
func mapDifferences(name string, old, now reflect.Value) (words []string) {
	var ids []string
	for _, m := range []reflect.Value{old, now} {
		for _, id := range m.MapKeys() {
			ids = append(ids, id.String())
		}
	}
	slices.SortFunc(ids, page.CompareIDs)
	for _, id := range slices.Compact(ids) {
		k := reflect.ValueOf(ID(id))
		a, b := old.MapIndex(k), now.MapIndex(k)
		switch one := name + " " + id; {
		case !b.IsValid():
			words = append(words, one+" is gone")
		case !a.IsValid():
			words = append(words, one+" is new")
		default:
			words = append(words, differences(one+" ", a.Elem(), b.Elem())...)
		}
	}
	return words
}

// word is a value for a sentence.
func word(f reflect.StructField, v reflect.Value) string {
	switch {
	case f.Tag.Get("unit") == "bytes":
		return Size(v.Uint())
	case v.IsZero():
		return "none"
	case v.Kind() == reflect.String:
		return quoteIfOdd(v.String())
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = quoteIfOdd(v.Index(i).String())
		}
		return strings.Join(items, " ")
	}
	return fmt.Sprint(v.Interface())
}

// Size is a number of bytes for readers: exact below 1 KiB or when it is a
// whole number of units, with one decimal otherwise.
func Size(bytes uint64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, i := float64(bytes)/1024, 0
	for value >= 1024 && i < len(units)-1 {
		value, i = value/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[i])
}
