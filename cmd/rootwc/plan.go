package main

import (
	"fmt"
	"slices"
	"strings"

	"rootwc/probes"
	"rootwc/rebuild"
)

func (a *app) tellRefusals(p *rebuild.Plan) {
	for _, r := range p.Refusals {
		a.warn("%s", r.Text)
		if r.Hint != "" {
			a.hint("%s", r.Hint)
		}
	}
}

// tellPlan prints a plan for readers.
func (a *app) tellPlan(p *rebuild.Plan) {
	fmt.Fprintln(a.out, "disks:")
	for _, t := range p.Disks {
		words := []string{probes.Size(t.Size)}
		if t.Serial != "" {
			words = append(words, "serial "+t.Serial)
		}
		switch {
		case t.Device == "":
			words = []string{"not there"}
		case t.Begun:
			words = append(words, "a rebuild was begun")
		case len(t.Holds) > 0:
			words = append(words, "holds "+strings.Join(t.Holds, ", "))
		default:
			words = append(words, "blank")
		}
		fmt.Fprintf(a.out, "  %s  %s: %s\n", t.Disk, t.Device, safe(strings.Join(words, ", ")))
	}
	number := 0
	for _, stage := range stages(p) {
		if len(stage.steps) == 0 {
			continue
		}
		fmt.Fprintf(a.out, "\n%s:\n", stage.title)
		for _, s := range stage.steps {
			number++
			a.tellStep(number, s)
		}
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(a.out, "\nnot as it was:")
	}
	for _, note := range p.Notes {
		fmt.Fprintf(a.out, "  %s\n", safe(note))
	}
	a.tellRefusals(p)
}

func (a *app) tellStep(number int, s rebuild.Step) {
	fmt.Fprintf(a.out, "%3d. %s\n     (%s)\n", number, safe(s.Title), safe(s.Why))
	if s.Destroys != "" {
		fmt.Fprintf(a.out, "     destroys %s\n", safe(s.Destroys))
	}
	for _, action := range slices.Concat(s.Make, s.Open) {
		mark := "$"
		if action.Args == nil {
			mark = "#" // rootwc itself
		}
		fmt.Fprintf(a.out, "     %s %s\n", mark, safe(action.String()))
	}
}

type stage struct {
	name, title string
	steps       []rebuild.Step
}

func stages(p *rebuild.Plan) []stage {
	return []stage{{"storage", "storage", p.Storage}, {"mount", "mounts", p.Mounts}, {"finish", "when the files are back", p.Finish}}
}

// The JSON of a plan.
type (
	planDoc struct {
		Format   string       `json:"format"`
		Plan     string       `json:"plan"`
		Disks    []targetDoc  `json:"disks"`
		Steps    []stepDoc    `json:"steps"`
		Done     int          `json:"done"`
		Notes    []string     `json:"notes"`
		Refusals []refusalDoc `json:"refusals"`
	}
	targetDoc struct {
		Disk   string   `json:"disk"`
		Device string   `json:"device"`
		Serial string   `json:"serial,omitempty"`
		WWN    string   `json:"wwn,omitempty"`
		Size   uint64   `json:"size"`
		Holds  []string `json:"holds"`
		Begun  bool     `json:"begun,omitempty"`
	}
	stepDoc struct {
		Stage    string      `json:"stage"`
		Node     string      `json:"node,omitempty"`
		Title    string      `json:"title"`
		Why      string      `json:"why"`
		Destroys string      `json:"destroys,omitempty"`
		Actions  []actionDoc `json:"actions"`
	}
	actionDoc struct {
		Args  []string `json:"args,omitempty"`
		Env   []string `json:"env,omitempty"`
		Stdin string   `json:"stdin,omitempty"`
		Keys  []string `json:"keys,omitempty"` // "LUKS:SLOT": passphrases on standard input, descriptor 3, …
		File  string   `json:"file,omitempty"`
		Text  string   `json:"text,omitempty"`
		Words string   `json:"words,omitempty"` // what rootwc does itself
	}
	refusalDoc struct {
		Node string `json:"node,omitempty"`
		Text string `json:"text"`
		Hint string `json:"hint,omitempty"`
	}
)

func planJSON(p *rebuild.Plan) planDoc {
	d := planDoc{Format: jsonFormat, Plan: p.Hash, Disks: []targetDoc{}, Steps: []stepDoc{}, Done: p.Done, Notes: p.Notes, Refusals: []refusalDoc{}}
	for _, t := range p.Disks {
		d.Disks = append(d.Disks, targetDoc{string(t.Disk), t.Device, t.Serial, t.WWN, t.Size, append([]string{}, t.Holds...), t.Begun})
	}
	for _, stage := range stages(p) {
		for _, s := range stage.steps {
			one := stepDoc{Stage: stage.name, Node: string(s.Node), Title: s.Title, Why: s.Why, Destroys: s.Destroys, Actions: []actionDoc{}}
			for _, action := range slices.Concat(s.Make, s.Open) {
				one.Actions = append(one.Actions, actionJSON(action))
			}
			d.Steps = append(d.Steps, one)
		}
	}
	for _, r := range p.Refusals {
		d.Refusals = append(d.Refusals, refusalDoc{string(r.Node), r.Text, r.Hint})
	}
	return d
}

func actionJSON(a rebuild.Action) actionDoc {
	d := actionDoc{Args: a.Args, Env: a.Env, Stdin: a.Stdin, File: a.File, Text: a.Content, Words: a.Words}
	for _, k := range a.Keys {
		d.Keys = append(d.Keys, string(k.LUKS)+":"+string(k.Slot))
	}
	return d
}
