package main

import (
	"fmt"
	"rootwc/system"
	"rootwc/wc"
	"strings"
)

// check prints every blocker.
func (c *materializeCmd) check(a *app, t *wc.Tree) error {
	url := strings.TrimSuffix(c.URL, "/")
	if url == "" {
		cp, err := t.Attach("")
		if err != nil {
			return err
		}
		url = cp.URL()
	}
	blockers := []wc.Blocker{}
	surveys := surveyAll(a, t, url, c.Revision)
	for _, one := range surveys {
		if one.survey == nil {
			continue
		}
		if err := t.Foresee(one.survey); err != nil {
			blockers = append(blockers, wc.Blocker{Path: one.external.Path, Why: err.Error()})
		}
	}
	for _, one := range surveys {
		if one.err != nil {
			why := one.err.Error()
			if url := one.external.URL; url != "" && !strings.Contains(why, url) {
				why = url + ": " + why
			}
			blockers = append(blockers, wc.Blocker{Path: one.external.Path, Why: why})
			continue
		}
		found, err := t.Blockers(one.external.Path, one.survey)
		if err != nil {
			return err
		}
		blockers = append(blockers, found...)
		if one.external.Path == "" {
			if _, err := described(one.survey); err != nil {
				blockers = append(blockers, wc.Blocker{Path: wc.DescriptionPath, Why: err.Error()})
			}
			found, err := t.SealedBlockers(a.ctx, one.survey, c.Revision, c.identities)
			if err != nil {
				return err
			}
			blockers = append(blockers, found...)
		}
	}
	if c.JSON {
		if err := a.json(struct {
			Format   string       `json:"format"`
			Root     string       `json:"root"`
			Blockers []blockerDoc `json:"blockers"`
		}{jsonFormat, t.Root, blockerDocs(blockers)}); err != nil {
			return err
		}
	} else {
		for _, b := range blockers {
			a.line('!', b.Path, b.Why)
		}
	}
	if len(blockers) > 0 {
		return errDifferences
	}
	return nil
}

type blockerDoc struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

func blockerDocs(blockers []wc.Blocker) []blockerDoc {
	docs := []blockerDoc{}
	for _, b := range blockers {
		docs = append(docs, blockerDoc{b.Path, b.Why})
	}
	return docs
}

// planRest prints what would happen after the root's own working copy.
func (m *materializer) planRest(c *materializeCmd) error {
	url := strings.TrimSuffix(c.URL, "/")
	if cp, _ := m.tree.CopyOf(""); cp != nil {
		url = cp.URL()
	}
	surveys := surveyAll(m.app, m.tree, url, c.Revision)
	for _, one := range surveys[1:] {
		e := one.external
		if one.err != nil {
			m.failed = append(m.failed, fmt.Errorf("external %q: %w", e.Path, one.err))
			m.app.warn("external %s: %v", e.Path, one.err)
			continue
		}
		if _, err := m.tree.Attach(e.Path); err == nil {
			continue
		}
		r, err := m.work.PlanCheckout(m.app.ctx, m.app.deciding(checkoutOptions(e)))
		if err != nil {
			m.failed = append(m.failed, err)
			m.app.warn("%v", err)
			continue
		}
		m.took(r)
	}
	if err := surveys[0].err; err != nil {
		m.failed = append(m.failed, err)
		m.app.warn("%v", err)
	} else if d, err := described(surveys[0].survey); err != nil {
		m.failed = append(m.failed, err)
		m.app.warn("%v", err)
	} else if d != nil {
		for _, one := range d.Datasets {
			fmt.Fprintf(m.app.out, "Then the dataset %s, a %s of %s.\n", safe(one.Path), one.Type, safe(one.Repository))
		}
	}
	if c.Packages {
		fmt.Fprintln(m.app.out, "Then packages that are recorded and missing: with the files in place, rootwc packages install --plan tells which.")
	}
	if len(m.failed) > 0 {
		return wc.Partial("cannot plan everything: %w", joined(m.failed))
	}
	return nil
}

// described is the description that a survey of the root has found; nil without
// one.
func described(s *wc.Survey) (*system.Description, error) {
	if s.Description == "" {
		return nil, nil
	}
	return system.Load(strings.NewReader(s.Description), wc.DescriptionPath)
}
