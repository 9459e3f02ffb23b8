package datasets

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rootwc/system"
)

// Before each action both sides were equal in a=A, b=B and long/x=X, where the
// type brings things here. Then the repository got b=B2 and c=C, and here came
// a=A2 and m=M. What is beside the repository for an extension holds e=E.
const (
	scenePast  = "a=A b=B long/x=X"
	sceneThere = "b=B2 c=C"
	sceneHere  = "a=A2 m=M"
	there      = "a=A b=B2 c=C long/x=X"
	sent       = "a=A2 b=B2 c=C long/x=X m=M"
	beside     = "e=E"
)

// cell is what is to come of one action; empty fields are for what stays.
type cell struct {
	here, there, beside string
	status              int
}

const gone = "-" // nothing is left

// cells is the table of types and actions, in the order of Actions.
var cells = map[system.DatasetType][6]cell{
	system.Blob:   wholeCells,
	system.Copy:   wholeCells,
	system.Buffer: {{}, {}, awayCell, awayCell, awayCell, {}},
	system.Cache:  {{}, {}, {}, {here: gone}, {}, {}},
	system.Direct: {},
	system.Extension: {
		{}, {}, {}, {}, {beside: "e=E m=M"}, {here: "e=E m=M"},
	},
	system.Selection: {
		{here: "a=A2 b=B2 c=C m=M"}, {here: "a=A2 b=B2 c=C m=M"}, {}, {}, {}, {here: "a=A b=B2 c=C m=M"},
	},
}

var (
	wholeCells = [6]cell{
		{here: "a=A2 b=B2 c=C long/x=X m=M"}, {here: "a=A2 b=B2 c=C long/x=X m=M"}, {there: sent}, {}, {there: sent}, {here: "a=A b=B2 c=C long/x=X m=M"},
	}
	awayCell = cell{here: gone, there: there + " m=M"}
)

// wantCell is the cell for a kind of repository.
func wantCell(kind string, d system.DatasetType, action int) cell {
	c := cells[d][action]
	switch {
	case kind == "svn" && d == system.Selection && (Actions[action] == Commit || Actions[action] == Backup):
		c.there = sent
	case kind == "svn" && d == system.Extension && (Actions[action] == Update || Actions[action] == Backup):
		c.here = "e=E m=M" // it becomes a working copy of what is beside
	case kind == "ssh" && d == system.Direct && (Actions[action] == Checkout || Actions[action] == Update):
		c.status = 3 // nothing on another host can be used directly
	}
	return c
}

// TestCells carries out every action on every type with every kind of
// repository.
func TestCells(t *testing.T) {
	for _, kind := range []string{"local", "ssh", "svn"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			var r repository
			switch kind {
			case "local":
				r = vfs{w, ""}
			case "ssh":
				r = serveSSH(w)
			case "svn":
				r = serveSvn(w)
			}
			for _, typ := range system.DatasetTypes {
				for i := range Actions {
					t.Run(fmt.Sprintf("%s-%s", typ, Actions[i]), func(t *testing.T) {
						w.t = t
						testCell(w, r, typ, i, wantCell(kind, typ, i))
					})
				}
			}
		})
	}
}

func testCell(w *world, r repository, typ system.DatasetType, action int, want cell) {
	name := fmt.Sprintf("%s-%s", typ, Actions[action])
	d := system.Dataset{Path: name, Type: typ, Repository: r.address(name)}
	if typ == system.Selection {
		d.Include = []string{"[abcm]"}
	}
	r.put(name, scenePast)
	if typ == system.Direct {
		r.link(name, name)
		r.put(name, sceneThere)
	} else {
		w.must(os.Mkdir(w.path("root", name), 0o755))
		if _, status := w.do(Checkout, d, Options{}); status != 0 {
			w.t.Fatalf("checkout: status %d", status)
		}
		r.put(name, sceneThere)
		r.put(name+"-extension", beside)
		here := sceneHere
		if w.tree(w.path("root", name)) == "" {
			here = "m=M"
		}
		w.write(w.path("root", name), here+" .ddm=x")
	}
	before := w.tree(w.path("root", name))
	if _, status := w.do(Actions[action], d, Options{DryRun: true}); status != want.status {
		w.t.Errorf("dry run: status %d, want %d", status, want.status)
	}
	same := func(what, got, want string) {
		w.t.Helper()
		if got != want {
			w.t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	same("here after a dry run", w.tree(w.path("root", name)), before)
	same("there after a dry run", r.tree(name), there)
	if _, status := w.do(Actions[action], d, Options{}); status != want.status {
		w.t.Errorf("status %d, want %d", status, want.status)
	}
	got := strings.TrimPrefix(strings.ReplaceAll(" "+w.tree(w.path("root", name)), " .ddm=x", ""), " ")
	was := strings.TrimPrefix(strings.ReplaceAll(" "+before, " .ddm=x", ""), " ")
	same("here", got, orElse(want.here, was))
	same("there", r.tree(name), orElse(want.there, there))
	if typ != system.Direct {
		same("beside", r.tree(name+"-extension"), orElse(want.beside, beside))
		if _, err := os.Lstat(w.path("root", name, ".ddm")); err != nil {
			w.t.Errorf("the .ddm file here: %v", err)
		}
	}
	// once more: nothing is left to do
	if report, status := w.do(Actions[action], d, Options{}); status != want.status || len(report.Changes) > 0 {
		w.t.Errorf("again: status %d, changes %v", status, report.Changes)
	}
}

func orElse(want, otherwise string) string {
	switch want {
	case "":
		return otherwise
	case gone:
		return ""
	}
	return want
}
