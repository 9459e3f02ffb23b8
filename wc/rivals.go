package wc

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"strings"

	"rootwc/internal/fault"
	"rootwc/wc/metadata"
)

// Rivals are the files and symlinks of a first checkout that a fresh
// installation may know better. Whoever decides about them reads both sides
// through it; nothing is placed yet. Paths are relative to the machine's root, in
// the plan's order.
type Rivals struct {
	Paths []string // files in whose place are files with other content
	New   []string // files that come where nothing is
	Links []string // symlinks that come where nothing is, or another symlink

	tree *Tree
	plan *planner
	url  string // of the working copy
	peg  string
}

// Decision is what becomes of a rival. The zero Decision places what the
// repository has, as if nobody had been asked.
type Decision struct {
	Keep     bool   // what is there stays
	Drop     bool   // nothing comes where nothing is; a deletion to be committed
	Text     []byte // takes the place of both, when not nil
	Note     string // a few words for the plan
	Conflict *Sides // the file that is there stays, and this waits for [Work.Resolve]
}

// Sides are the texts of a conflict between a person's version of a file and a
// package's.
type Sides struct {
	What, Package      string // see [Conflict]
	Base, Mine, Theirs []byte // Base is nil when there is none
}

// Decider decides about rivals, by path. What it does not name is placed as the
// repository has it.
type Decider func(ctx context.Context, r *Rivals) (map[string]*Decision, error)

// Repository reads the repository's version of a path, be it a rival or not;
// os.ErrNotExist when it has none.
func (r *Rivals) Repository(path string, most int64) ([]byte, error) {
	return r.read(r.plan.stage.root, path, most)
}

// Live reads the file that is there.
func (r *Rivals) Live(path string, most int64) ([]byte, error) {
	return r.read(r.plan.live, path, most)
}

// History looks for a text in the path's history, see [Client.FindText].
func (r *Rivals) History(ctx context.Context, path string, want func([]byte) bool) ([]byte, error) {
	return r.tree.Client.FindText(ctx, r.plan.stage.user, r.url+"/"+EscapeURL(r.rel(path)), r.peg, want)
}

func (r *Rivals) rel(path string) string {
	if r.plan.path == "" {
		return path
	}
	return strings.TrimPrefix(path, r.plan.path+"/")
}

func (r *Rivals) read(root *os.Root, path string, most int64) (text []byte, err error) {
	if r.plan.path != "" && !strings.HasPrefix(path, r.plan.path+"/") {
		return nil, fs.ErrNotExist
	}
	err = as(r.plan.stage.user, func() error {
		text, err = readRegular(root, r.rel(path), most)
		return err
	})
	return text, err
}

// decide asks about the rivals of a planned checkout and changes the plan.
// Conflicts are stored before anything is placed. After a crash in between the
// next run decides again: what it finds of earlier ones is void.
func (w *Work) decide(ctx context.Context, p *planner, opt CheckoutOptions, rivals *Rivals, accounts map[string]*Decision, r *Result) error {
	for i := range p.steps {
		if list := p.rivals(&p.steps[i], rivals); list != nil {
			*list = append(*list, joinPath(p.path, p.steps[i].Rel))
		}
	}
	if len(rivals.Paths)+len(rivals.New)+len(rivals.Links) == 0 {
		return nil
	}
	decisions := map[string]*Decision{}
	if opt.Decide != nil {
		answer, err := opt.Decide(ctx, rivals)
		if err != nil {
			return err
		}
		maps.Copy(decisions, answer)
	}
	maps.Copy(decisions, accounts)
	if len(decisions) > 0 {
		if err := p.followAll(decisions, rivals, r); err != nil {
			return err
		}
	}
	if opt.DryRun {
		return nil
	}
	if len(p.dropped) > 0 {
		if err := p.stage.svnTargets(ctx, p.dropped, "delete", "--quiet", "--force"); err != nil {
			return err
		}
	}
	for _, path := range rivals.Paths {
		if err := w.tree.State.dropConflict(path); err != nil {
			return err
		}
	}
	for _, c := range r.Conflicts {
		if err := w.tree.State.storeConflict(c, c.sides); err != nil {
			return err
		}
		fault.At("conflict-stored")
	}
	return nil
}

// followAll changes the plan as it was decided.
func (p *planner) followAll(decisions map[string]*Decision, rivals *Rivals, r *Result) error {
	steps := p.steps
	p.steps, p.decided = nil, map[string]bool{}
	for _, s := range steps {
		d := decisions[joinPath(p.path, s.Rel)]
		if d == nil || p.rivals(&s, rivals) == nil {
			p.add(s)
			continue
		}
		if err := p.follow(s, d, r); err != nil {
			return err
		}
	}
	p.order()
	return nil
}

// rivals is the list of rivals that a step belongs to, nil for none.
func (p *planner) rivals(s *step, all *Rivals) *[]string {
	is := stateOf(p.new, s.Rel)
	if s.Act != actPut || is == nil {
		return nil
	}
	switch {
	case is.kind == metadata.File && !s.Expect.Exists:
		return &all.New
	case is.kind == metadata.File && s.Expect.regular():
		return &all.Paths
	case is.kind == metadata.Symlink && (!s.Expect.Exists || s.Expect.symlink()):
		return &all.Links
	}
	return nil
}

// follow changes one step as it was decided. A file that has changed since it
// was planned keeps its step, which then finds that out.
func (p *planner) follow(s step, d *Decision, r *Result) error {
	l, err := p.lstat(s.Rel)
	if err != nil {
		return err
	}
	path := joinPath(p.path, s.Rel)
	switch {
	case l.identity() != s.Expect:
	case d.Drop && !l.exists:
		p.dropped = append(p.dropped, s.Rel)
		r.Kept = append(r.Kept, Change{Letter: 'D', Path: path, Note: d.Note})
		return nil
	case d.Keep && s.Expect.symlink():
		p.unreplace(s.Rel)
		r.Kept = append(r.Kept, Change{Letter: 'E', Path: path, Note: d.Note})
		return nil
	case d.Text != nil && !l.exists:
		return p.instead(s, d, *s.Want)
	case s.Expect.regular() && (d.Keep || d.Text != nil || d.Conflict != nil):
		return p.besides(s, d, &l, r)
	}
	s.Note = d.Note
	p.add(s)
	return nil
}

// instead plans the text that was decided.
func (p *planner) instead(s step, d *Decision, want metadata.Values) error {
	err := as(p.stage.user, func() error { return p.stage.root.WriteFile(s.Rel, d.Text, 0o600) })
	s.Want, s.Note = &want, d.Note
	p.decided[s.Rel] = true
	p.add(s)
	return err
}

// besides follows a decision about two files.
func (p *planner) besides(s step, d *Decision, l *live, r *Result) error {
	want := p.beside(s.Rel, l, *s.Want)
	if d.Text != nil && d.Conflict == nil {
		return p.instead(s, d, want)
	}
	path := joinPath(p.path, s.Rel)
	p.unreplace(s.Rel)
	if changes := metadata.Compare(l.values, want, p.names); len(changes) > 0 {
		p.add(step{Act: actMeta, Rel: s.Rel, Expect: s.Expect, Want: &want, Note: metadata.Words(changes)})
	}
	if c := d.Conflict; c != nil {
		r.Conflicts = append(r.Conflicts, &Conflict{Path: path, What: c.What, Package: c.Package, From: r.Revision, To: r.Revision, Recorded: true, sides: c.texts()})
		return nil
	}
	r.Kept = append(r.Kept, Change{Letter: 'E', Path: path, Note: d.Note})
	return nil
}

// texts are the sides by the names that they are stored under.
func (s *Sides) texts() map[string][]byte {
	return map[string][]byte{"base": s.Base, "mine": s.Mine, "theirs": s.Theirs}
}

// beside is the metadata of a file of which both sides have a version: what the
// repository records, and for the rest what the installed file has. A package
// may have closed its file in the newer version.
func (p *planner) beside(rel string, l *live, want metadata.Values) metadata.Values {
	props := stateOf(p.new, rel).props
	if !hasKey(props, metadata.PropOwner) {
		want.UID = l.values.UID
	}
	if !hasKey(props, metadata.PropGroup) {
		want.GID = l.values.GID
	}
	if !hasKey(props, metadata.PropMode) && !hasKey(props, metadata.PropACL) && !hasKey(props, metadata.PropExecutable) {
		want.Mode, want.ACL, want.DefaultACL = l.values.Mode, l.values.ACL, l.values.DefaultACL
	}
	if !hasKey(props, metadata.PropXattr) {
		want.Xattrs = l.values.Xattrs
	}
	return want
}

// unreplace takes a file out of those that are to be kept a copy of.
func (p *planner) unreplace(rel string) {
	kept := p.replaced[:0]
	for _, r := range p.replaced {
		if r != rel {
			kept = append(kept, r)
		}
	}
	p.replaced = kept
}
