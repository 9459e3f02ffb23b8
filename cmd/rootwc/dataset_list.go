package main

import (
	"fmt"
	"time"

	"rootwc/datasets"
	"rootwc/system"
	"rootwc/wc"
)

type datasetListCmd struct {
	Paths []string `arg:"" optional:"" help:"Datasets, or directories that hold some; all without any."`
	JSON  bool     `name:"json" help:"Answer in JSON."`
}

// Run lists datasets with how they are; it asks no server.
func (c *datasetListCmd) Run(a *app) error {
	t, all, err := a.openDatasets()
	if err != nil {
		return err
	}
	defer t.Close()
	chosen, err := chooseDatasets(t, all, c.Paths)
	if err != nil {
		return err
	}
	docs := a.datasetDocs(t, chosen)
	if c.JSON {
		return a.json(struct {
			Format   string       `json:"format"`
			Root     string       `json:"root"`
			Datasets []datasetDoc `json:"datasets"`
		}{jsonFormat, t.Root, docs})
	}
	for _, d := range docs {
		fmt.Fprintf(a.out, "%s  %s %s  %s\n", safe(d.Path), d.Type, safe(d.Repository), safe(d.words()))
	}
	return nil
}

// datasetDoc is a dataset in JSON; path, type, state, files and bytes are part
// of rootwc's contract.
type datasetDoc struct {
	Path       string `json:"path"`
	Type       string `json:"type"`
	Repository string `json:"repository,omitempty"`
	State      string `json:"state"`
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Counted    string `json:"counted,omitempty"` // when, if not now
	Note       string `json:"note,omitempty"`
}

// datasetDocs tells how datasets are.
func (a *app) datasetDocs(t *wc.Tree, chosen []system.Dataset) []datasetDoc {
	room := a.datasetRoomAt(t, t.State.Path(datasetState))
	docs := []datasetDoc{}
	for _, d := range chosen {
		s, err := room.Standing(d)
		if err != nil {
			s = datasets.Standing{State: datasets.Incomplete, Words: err.Error()}
		}
		doc := datasetDoc{Path: d.Path, Type: string(d.Type), Repository: d.Repository, State: s.State, Files: s.Files, Bytes: s.Bytes, Note: s.Words}
		if !s.Counted.IsZero() {
			doc.Counted = s.Counted.Format(time.RFC3339)
		}
		docs = append(docs, doc)
	}
	return docs
}

// words is a dataset's state for people.
func (d datasetDoc) words() string {
	words := d.State
	if d.Files > 0 {
		words += fmt.Sprintf(", %s, %s", datasets.Files(d.Files), sizeWords(d.Bytes))
	}
	if d.Note != "" {
		words += " (" + d.Note + ")"
	}
	if at, err := time.Parse(time.RFC3339, d.Counted); err == nil {
		words += ", counted " + ageWords(time.Since(at)) + " ago"
	}
	return words
}

// sizeWords is a number of bytes for people.
func sizeWords(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < 1<<10 {
			break
		}
		value, unit = value/(1<<10), next
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}

// ageWords is a time for people.
func ageWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "moments"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
