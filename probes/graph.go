package probes

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"rootwc/internal/page"
)

// node is a node of any kind.
type node struct {
	ref   Ref
	kind  string
	id    ID
	value reflect.Value // the struct
}

// nodes goes over all nodes, kind by kind, by ID.
func (l *Layout) nodes() iter.Seq[node] { return nodesOf(l) }

// nodesOf goes over the maps of a page.
func nodesOf(of any) iter.Seq[node] {
	return func(yield func(node) bool) {
		v := reflect.ValueOf(of).Elem()
		for i := range v.NumField() {
			if v.Field(i).Kind() != reflect.Map {
				continue
			}
			kind := page.Key(v.Type().Field(i))
			ids := v.Field(i).MapKeys()
			slices.SortFunc(ids, func(a, b reflect.Value) int { return page.CompareIDs(a.String(), b.String()) })
			for _, id := range ids {
				n := node{Ref(kind + "." + id.String()), kind, ID(id.String()), v.Field(i).MapIndex(id).Elem()}
				if !yield(n) {
					return
				}
			}
		}
	}
}

// on are the nodes that a node stands on.
func (n node) on() []Ref {
	f := n.value.FieldByName("On")
	switch {
	case !f.IsValid():
		return nil
	case f.Kind() == reflect.Slice:
		return f.Interface().([]Ref)
	case f.String() == "":
		return nil
	}
	return []Ref{Ref(f.String())}
}

// check says what makes the graph no graph: a node that stands on one that is
// not there, or by way of others on itself.
func (l *Layout) check() error {
	known := map[Ref][]Ref{}
	for n := range l.nodes() {
		known[n.ref] = n.on()
	}
	var wrong []error
	for n := range l.nodes() {
		for _, ref := range n.on() {
			if _, ok := known[ref]; !ok {
				wrong = append(wrong, fmt.Errorf("%s stands on %s, which is not there", n.ref, ref))
			}
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	done := map[Ref]int{} // 1: being looked at, 2: good
	var visit func(Ref, []Ref) error
	visit = func(ref Ref, way []Ref) error {
		switch done[ref] {
		case 1:
			return fmt.Errorf("%s stands on itself: %s", ref, joinRefs(append(way, ref)))
		case 2:
			return nil
		}
		done[ref] = 1
		for _, below := range known[ref] {
			if err := visit(below, append(way, ref)); err != nil {
				return err
			}
		}
		done[ref] = 2
		return nil
	}
	for n := range l.nodes() {
		if err := visit(n.ref, nil); err != nil {
			return err
		}
	}
	return nil
}

func joinRefs(refs []Ref) string {
	words := make([]string, len(refs))
	for i, r := range refs {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// put puts a node into a layout.
func (l *Layout) put(n node) {
	v := reflect.ValueOf(l).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Map && page.Key(v.Type().Field(i)) == n.kind {
			v.Field(i).SetMapIndex(reflect.ValueOf(n.id), n.value.Addr())
		}
	}
}

// Nodes are all nodes of the layout, in the order of its text.
func (l *Layout) Nodes() (refs []Ref) {
	for n := range l.nodes() {
		refs = append(refs, n.ref)
	}
	return refs
}

// On are the nodes that one stands on.
func (l *Layout) On(ref Ref) []Ref {
	for n := range l.nodes() {
		if n.ref == ref {
			return n.on()
		}
	}
	return nil
}

// Name is what a reader knows a node by: its label or name, or its ID.
func (l *Layout) Name(ref Ref) string {
	for n := range l.nodes() {
		if n.ref == ref {
			return n.name()
		}
	}
	return string(ref)
}

// Without is the layout without some of its nodes.
func (l *Layout) Without(left map[Ref]bool) *Layout {
	some := newLayout()
	some.Format = l.Format
	for n := range l.nodes() {
		if !left[n.ref] {
			some.put(n)
		}
	}
	return some
}

// Bare is the layout without what comes with the files of the machine: mounts,
// swap files, boot code, and subvolumes that are read-only in the end.
func (l *Layout) Bare() *Layout {
	left := map[Ref]bool{}
	for id := range l.Mount {
		left[Ref("mount."+id)] = true
	}
	for id, s := range l.Swap {
		left[Ref("swap."+id)] = s.File != ""
	}
	bare := l.Without(left)
	for id, d := range bare.Disk {
		without := *d
		without.BootCode = ""
		bare.Disk[id] = &without
	}
	for id, fs := range bare.FileSystem {
		if fs.Btrfs != nil {
			bare.FileSystem[id] = fs.writable()
		}
	}
	return bare
}

// writable is a btrfs of which no subvolume is read-only.
func (fs *FileSystem) writable() *FileSystem {
	w, b := *fs, *fs.Btrfs
	b.Subvolume = map[ID]*BtrfsSubvolume{}
	for id, s := range fs.Btrfs.Subvolume {
		one := *s
		one.ReadOnly = false
		b.Subvolume[id] = &one
	}
	w.Btrfs = &b
	return &w
}
