package main

import (
	"fmt"
	"strings"

	"rootwc/noise"
	"rootwc/system"
	"rootwc/wc"
)

// applyNoise applies the rules of the description, and rootwc's own. A
// description that cannot be read, which may have switched those off, leaves
// everything to be told.
func applyNoise(t *wc.Tree, d *system.Description, err error) {
	if t.Noise = nil; err != nil {
		return
	}
	family, _ := osRelease(t)
	var own []*noise.Rule
	var without []string
	if d != nil {
		own, without = noiseRules(d)
	}
	t.Noise = noise.New(own, noise.Defaults(family), without)
}

// noiseRules are the tables of a description as rules, and the paths for which
// it wants none of rootwc's own.
func noiseRules(d *system.Description) (own []*noise.Rule, without []string) {
	for _, n := range d.Noise {
		if n.Defaults != nil {
			without = append(without, n.Path)
			continue
		}
		own = append(own, &noise.Rule{Path: n.Path, Lines: n.Lines, Revert: n.Revert, Origin: wc.DescriptionPath, Line: n.Line})
	}
	return own, without
}

// hush takes what is no news out of the entries of a status, but for their
// changes beside the content, and returns it.
func hush(entries []*wc.Entry) (told, hidden []*wc.Entry) {
	for _, e := range entries {
		if e.Quiet() {
			hidden = append(hidden, e)
		}
		if !e.Quiet() || !e.Clean() || e.Switched || e.Token || e.Changelist != "" {
			told = append(told, e)
		}
	}
	return told, hidden
}

// tellNoise lists what is no news, with the rules that say so.
func (a *app) tellNoise(hidden []*wc.Entry) {
	if len(hidden) > 0 {
		fmt.Fprintln(a.out, "\nnoise:")
	}
	for _, e := range hidden {
		a.line('M', e.Path, noiseWords(e.Noise))
	}
}

func noiseWords(v noise.Verdict) string {
	var words []string
	for _, r := range v.Rules {
		words = append(words, ruleWords(r))
	}
	if v.Revert {
		words = append(words, "to be put back")
	}
	return strings.Join(words, "; ")
}

// ruleWords says where a rule stands: in the description, or in rootwc.
func ruleWords(r *noise.Rule) string {
	if r.Line > 0 {
		return fmt.Sprintf("%s:%d", r.Origin, r.Line)
	}
	return "rootwc's own rule for " + r.Path + ": " + r.Origin
}

// The JSON of what is no news.
type (
	noiseDoc struct {
		Path        string    `json:"path"`
		WorkingCopy string    `json:"workingCopy"`
		Revert      bool      `json:"revert"`
		Rules       []ruleDoc `json:"rules"`
	}
	ruleDoc struct {
		Path   string   `json:"path"`
		Lines  []string `json:"lines,omitempty"`
		Origin string   `json:"origin"`
		Line   int      `json:"line,omitempty"` // in the file that origin names
	}
)

func noiseDocs(hidden []*wc.Entry) []noiseDoc {
	docs := []noiseDoc{}
	for _, e := range hidden {
		d := noiseDoc{Path: e.Path, WorkingCopy: e.WorkingCopy(), Revert: e.Noise.Revert}
		for _, r := range e.Noise.Rules {
			d.Rules = append(d.Rules, ruleDoc{r.Path, r.Lines, r.Origin, r.Line})
		}
		docs = append(docs, d)
	}
	return docs
}

// quieten puts back what the rules want put back, and tells it in one line.
func (a *app) quieten(w *wc.Work, rels []string) error {
	results, err := w.Quieten(a.ctx, rels)
	var back []string
	for _, r := range results {
		for _, c := range r.Changes {
			back = append(back, shown(c.Path))
		}
		for _, u := range r.Unset {
			a.warn("%s", u)
		}
	}
	if len(back) > 0 {
		fmt.Fprintf(a.out, "Put back what is no news: %s\n", strings.Join(back, ", "))
	}
	return err
}
