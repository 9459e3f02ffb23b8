package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"rootwc/externals"
	"rootwc/probes"
	"rootwc/wc"
)

type statusCmd struct {
	Paths    []string `arg:"" optional:"" help:"Only these and what is below them."`
	JSON     bool     `name:"json" help:"Answer in JSON."`
	ExitCode bool     `name:"exit-code" help:"Exit with 1 when there are differences."`
	NoIgnore bool     `name:"no-ignore" help:"List ignored paths too."`
	Quiet    bool     `short:"q" help:"Leave unversioned paths out."`
	Noise    bool     `help:"Tell as well what is no news, and which rule says so."`
	Bare     bool     `hidden:"" help:"For the watcher: files only, and what was interrupted is left alone."`
	Since    string   `help:"Only what differs since a time, a date or so long (2h), as far as rootwc watch knows; what it does not know of is listed." placeholder:"TIME"`
}

// Run lists what differs; it asks no server.
func (c *statusCmd) Run(a *app) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	a.witnessed = true
	open := a.open
	if c.Bare {
		open = a.look
	}
	t, err := open()
	if err != nil {
		return fmt.Errorf("cannot tell the status: %w", err)
	}
	defer t.Close()
	rels, err := known(t, c.Paths)
	if err != nil {
		return err
	}
	look := func() []*probes.Taken { return nil }
	if !c.Bare {
		look = a.startProbes(t, rels)
	}
	entries, err := t.Status(a.ctx, wc.StatusOptions{Paths: rels, NoIgnore: c.NoIgnore, Review: true, Noise: c.Noise})
	if err != nil {
		return fmt.Errorf("cannot tell the status: %w", err)
	}
	entries, hidden := hush(entries)
	if !c.Noise {
		hidden = nil
	}
	if c.Quiet {
		entries = versionedOnly(entries)
	}
	if entries, err = sinceOnly(t, entries, since); err != nil {
		return fmt.Errorf("cannot tell the status: %w", err)
	}
	wrong := a.wrongExternals(rels)
	sets := a.reviewDatasets(t, rels)
	queued := a.queuedDocs(t)
	taken := look()
	differences := len(wrong)+len(sets) > 0 || slices.ContainsFunc(taken, (*probes.Taken).Drifted)
	for _, e := range entries {
		differences = differences || e.Status != wc.Ignored && !e.Clean()
	}
	if c.JSON {
		err = a.statusJSON(t, entries, hidden, taken, sets, queued, !differences)
	} else {
		a.statusText(entries, wrong, taken)
		a.tellDatasets(sets)
		a.tellNoise(hidden)
		a.tellWaiting(queued)
	}
	if verb, _, _ := t.State.Interrupted(); verb != "" {
		a.warn("rootwc %s was interrupted, or is at work now", verb)
	}
	if err == nil && t.BadPage != nil {
		return t.BadPage // told with the safe defaults all the same
	}
	if err == nil && c.ExitCode && differences {
		return errDifferences
	}
	return err
}

func versionedOnly(entries []*wc.Entry) []*wc.Entry {
	var kept []*wc.Entry
	for _, e := range entries {
		if e.Status != wc.Unversioned {
			kept = append(kept, e)
		}
	}
	return kept
}

// wrongExternals are those that are not as their definitions want them.
func (a *app) wrongExternals(rels []string) []externals.External {
	var wrong []externals.External
	for _, e := range a.externals {
		if e.State != externals.OK && (len(rels) == 0 || within(rels, e.Path)) {
			wrong = append(wrong, e)
		}
	}
	return wrong
}

func within(rels []string, path string) bool {
	for _, r := range rels {
		if r == "" || r == path || strings.HasPrefix(path, r+"/") || strings.HasPrefix(r, path+"/") {
			return true
		}
	}
	return false
}

func (a *app) statusText(entries []*wc.Entry, wrong []externals.External, taken []*probes.Taken) {
	for _, e := range entries {
		a.line(e.Letter(), e.Path, e.Words())
	}
	if len(wrong) > 0 {
		fmt.Fprintln(a.out, "\nexternals:")
	}
	for _, e := range wrong {
		a.line(externalLetter(e.State), e.Path, externalWords(e))
	}
	if slices.ContainsFunc(taken, (*probes.Taken).Drifted) {
		fmt.Fprintln(a.out, "\nprobes:")
	}
	for _, p := range taken {
		a.tellProbe(p)
	}
}

// line prints "X path  words".
func (a *app) line(letter byte, path, words string) {
	if words != "" {
		words = "  " + words
	}
	fmt.Fprintf(a.out, "%c %s%s\n", letter, shown(path), safe(words))
}

func externalLetter(s externals.State) byte {
	switch s {
	case externals.Missing:
		return '!'
	case externals.Switched:
		return 'S'
	}
	return '~'
}

func externalWords(e externals.External) string {
	words := string(e.State)
	if e.Err != nil {
		words += ": " + e.Err.Error()
	}
	if e.URL != "" {
		words += " (" + e.URL + ")"
	}
	return words
}

// The JSON of a status; the shape is part of rootwc's contract.
type (
	statusDoc struct {
		Format    string        `json:"format"`
		Root      string        `json:"root"`
		Clean     bool          `json:"clean"`
		Entries   []entryDoc    `json:"entries"`
		Externals []externalDoc `json:"externals"`
		Probes    []probeDoc    `json:"probes"`
		Datasets  []datasetDoc  `json:"datasets"`
		Queued    []queuedDoc   `json:"queued,omitempty"`
		Noise     []noiseDoc    `json:"noise,omitempty"` // with --noise
	}
	entryDoc struct {
		Path        string      `json:"path"`
		PathBytes   []byte      `json:"pathBytes,omitempty"` // base64, where the name is not UTF-8
		WorkingCopy string      `json:"workingCopy"`
		Status      string      `json:"status"`
		Kind        string      `json:"kind"`
		Metadata    []changeDoc `json:"metadata,omitempty"`
		Properties  []string    `json:"properties,omitempty"`
		Withheld    bool        `json:"withheld,omitempty"`
		Encrypted   bool        `json:"encrypted,omitempty"`
		Copied      bool        `json:"copied,omitempty"`
		Switched    string      `json:"switched,omitempty"` // to that path in the repository
		LockToken   bool        `json:"lockToken,omitempty"`
		Changelist  string      `json:"changelist,omitempty"`
		Note        string      `json:"note,omitempty"`
	}
	changeDoc struct {
		Name    string `json:"name"`
		Base    string `json:"base"`
		Working string `json:"working"`
	}
	externalDoc struct {
		Path     string `json:"path"`
		URL      string `json:"url"`
		Revision int64  `json:"revision"`
		Peg      string `json:"peg,omitempty"`
		State    string `json:"state"`
		Error    string `json:"error,omitempty"`
	}
)

const jsonFormat = "1.0.0"

func (a *app) statusJSON(t *wc.Tree, entries, hidden []*wc.Entry, taken []*probes.Taken, sets []datasetDoc, queued []queuedDoc, clean bool) error {
	doc := statusDoc{Format: jsonFormat, Root: t.Root, Clean: clean, Entries: []entryDoc{}, Externals: a.externalDocs(), Probes: probeDocs(taken), Datasets: sets, Queued: queued, Noise: noiseDocs(hidden)}
	for _, e := range entries {
		doc.Entries = append(doc.Entries, entryJSON(e))
	}
	return a.json(doc)
}

func entryJSON(e *wc.Entry) entryDoc {
	d := entryDoc{Path: e.Path, WorkingCopy: e.WorkingCopy(), Status: string(e.Status), Kind: e.Kind.String(),
		Properties: e.Properties, Withheld: e.Withheld, Encrypted: e.Encrypted, Note: e.Note,
		Copied: e.Copied, Switched: e.From, LockToken: e.Token, Changelist: e.Changelist}
	if e.Status == wc.Unstorable {
		d.Path, d.PathBytes = safe(e.Path), []byte(e.Path)
	}
	for _, c := range e.Metadata {
		d.Metadata = append(d.Metadata, changeDoc{c.Name, c.Base, c.Working})
	}
	return d
}

func (a *app) externalDocs() []externalDoc {
	docs := []externalDoc{}
	for _, e := range a.externals {
		d := externalDoc{Path: e.Path, URL: e.URL, Revision: e.Revision, State: string(e.State)}
		if peg, _ := e.Definition.Revisions(); !peg.IsHead() {
			d.Peg = peg.String()
		}
		if e.Err != nil {
			d.Error = e.Err.Error()
		}
		docs = append(docs, d)
	}
	return docs
}
