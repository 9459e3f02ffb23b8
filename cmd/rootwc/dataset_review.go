package main

import (
	"fmt"

	"rootwc/datasets"
	"rootwc/system"
	"rootwc/wc"
)

// reviewDatasets are the datasets of the description that there is something
// to say of. It takes bounded time, whatever they hold.
func (a *app) reviewDatasets(t *wc.Tree, rels []string) []datasetDoc {
	docs := []datasetDoc{}
	if a.description == nil {
		return docs
	}
	var asked []system.Dataset
	for _, one := range a.description.Datasets {
		if len(rels) == 0 || within(rels, one.Path) {
			asked = append(asked, one)
		}
	}
	for _, doc := range a.datasetDocs(t, asked) {
		if doc.State != datasets.OK {
			doc.Repository = ""
			docs = append(docs, doc)
		}
	}
	return docs
}

// tellDatasets prints the section of a status.
func (a *app) tellDatasets(docs []datasetDoc) {
	if len(docs) > 0 {
		fmt.Fprintln(a.out, "\ndatasets:")
	}
	for _, d := range docs {
		letter := byte('M')
		if d.State == datasets.Absent {
			letter = '!'
		}
		a.line(letter, d.Path, d.Type+": "+d.words())
	}
}

// bringDatasets sets up the datasets that are not yet as the description has
// them.
func (m *materializer) bringDatasets() error {
	a, t := m.app, m.tree
	a.describe(t) // which has just come
	all := allDatasets(t, a.description)
	if len(all) == 0 {
		return nil
	}
	room, err := a.datasetRoom(t)
	if err != nil {
		return err
	}
	for _, one := range all {
		s, err := room.Standing(one)
		if err == nil && (s.State == datasets.OK || s.State == datasets.Unflushed) && one.Type != system.Direct {
			continue // an earlier run has brought it
		}
		if one.Type != system.Direct {
			err = t.MakeDirectory(one.Path)
		}
		if err == nil {
			err = a.doDataset(room, datasets.Checkout, one, datasets.Options{})
		}
		if err != nil {
			if a.ctx.Err() != nil {
				return err
			}
			m.failed = append(m.failed, fmt.Errorf("dataset %w", err))
			a.warn("dataset %v", err)
		}
	}
	return nil
}
