package main

import (
	"fmt"
	"strings"

	"rootwc/secrets"
	"rootwc/wc"
)

type secretsCmd struct {
	List    secretsListCmd    `cmd:"" default:"withargs" help:"List the files that others may not read, and whom they are encrypted for."`
	Restore secretsRestoreCmd `cmd:"" help:"Bring encrypted files back."`
	Trust   secretsTrustCmd   `cmd:"" help:"Agree to what the description says of secrets, on this machine."`
	Rekey   secretsRekeyCmd   `cmd:"" help:"Encrypt everything anew for the recipients of the description, and send it."`
}

type secretsListCmd struct {
	JSON bool `name:"json" help:"Answer in JSON."`
}

// secretDoc is one file in JSON.
type secretDoc struct {
	Path   string   `json:"path"`
	For    []string `json:"for"` // fingerprints
	Note   string   `json:"note,omitempty"`
	Absent bool     `json:"absent,omitempty"`
}

// Run lists the withheld files with whom they are encrypted for.
func (c *secretsListCmd) Run(a *app) error {
	t, err := a.open()
	if err != nil {
		return err
	}
	defer t.Close()
	list, err := t.Secrets()
	if err != nil {
		return err
	}
	if c.JSON {
		docs := []secretDoc{}
		for _, s := range list {
			docs = append(docs, secretDoc{s.Path, append([]string{}, s.For...), s.Note, s.Absent})
		}
		return a.json(struct {
			Format  string      `json:"format"`
			Root    string      `json:"root"`
			Secrets []secretDoc `json:"secrets"`
		}{jsonFormat, t.Root, docs})
	}
	known, err := recipientsOf(t)
	if err != nil {
		return err
	}
	for _, s := range list {
		fmt.Fprintf(a.out, "%s  %s\n", safe(s.Path), safe(secretWords(s, known)))
	}
	return nil
}

// recipientsOf are all recipients that have a name here.
func recipientsOf(t *wc.Tree) (secrets.Recipients, error) {
	agreed, err := t.Trusted()
	if err != nil {
		return nil, err
	}
	known, err := secrets.ParseRecipients(agreed.Recipients)
	return append(known, t.Recipients...), err
}

// secretWords says whom a file is encrypted for, and what is to be done with it.
func secretWords(s wc.Sealed, known secrets.Recipients) string {
	words := "withheld"
	if len(s.For) > 0 {
		names := make([]string, len(s.For))
		for i, fingerprint := range s.For {
			names[i] = fingerprint
			if r, found := known.Find(fingerprint); found {
				names[i] = r.String()
			}
		}
		words = "encrypted for " + strings.Join(names, ", ")
	}
	if s.Note != "" {
		words += "; " + s.Note
	}
	if s.Absent {
		words += "; never restored here"
	}
	return words
}

// sealedPaths are the files of which the repository has the content encrypted.
func sealedPaths(t *wc.Tree) (map[string]bool, error) {
	list, err := t.Secrets()
	found := map[string]bool{}
	for _, s := range list {
		found[s.Path] = len(s.For) > 0
	}
	return found, err
}

type secretsRestoreCmd struct {
	Paths  []string `arg:"" optional:"" help:"Only these and what is below them, and even where they were edited; what they replace is kept. Without any: what is not here, or was never here."`
	DryRun bool     `name:"dry-run" help:"Only say what would come back."`
	identityOptions
}

// Run brings encrypted files back, with owner and mode.
func (c *secretsRestoreCmd) Run(a *app) (err error) {
	if err := c.readIdentities(a); err != nil {
		return err
	}
	t, w, err := a.begin("secrets restore")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	rels, err := paths(t, c.Paths)
	if err != nil {
		return err
	}
	encrypted, err := sealedPaths(t)
	if err != nil {
		return err
	}
	for i, rel := range rels {
		if !anyWithin(encrypted, rel) {
			return fmt.Errorf("cannot restore %q: the repository has nothing encrypted there", c.Paths[i])
		}
	}
	r, err := w.Unseal(a.ctx, wc.UnsealOptions{Paths: rels, Identities: c.identities, Edited: len(rels) > 0, DryRun: c.DryRun})
	if r != nil {
		a.tellResult(r)
	}
	if err != nil {
		return err
	}
	err = incomplete("restore", []*wc.Result{r})
	if err != nil && len(c.identities) == 0 {
		err = wc.Hint(err, "rootwc secrets restore --identity FILE")
	}
	return err
}

// anyWithin says whether one of the encrypted files is at or below rel.
func anyWithin(encrypted map[string]bool, rel string) bool {
	for path, sealed := range encrypted {
		if sealed && (rel == "" || path == rel || strings.HasPrefix(path, rel+"/")) {
			return true
		}
	}
	return false
}

type secretsRekeyCmd struct {
	Message string `short:"m" help:"Log message." default:"rootwc secrets rekey" placeholder:"TEXT"`
	DryRun  bool   `name:"dry-run" help:"Only say what would be sent."`
}

// Run encrypts everything anew, also what has not changed.
func (c *secretsRekeyCmd) Run(a *app) (err error) {
	t, w, err := a.begin("secrets rekey")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	if !c.DryRun {
		if err := w.UnsureCommit(a.ctx); err != nil {
			return err
		}
		if err := a.deliver(w, true); err != nil { // what waits is encrypted for others
			return err
		}
	}
	if len(t.Recipients) == 0 {
		return wc.Hint(wc.Refuse("cannot rekey: the description encrypts nothing"), "policy = \"encrypt\" and recipients in [secrets] of %s", wc.DescriptionPath)
	}
	plan, err := w.PlanRekey(a.ctx)
	if err != nil {
		return err
	}
	commit := commitCmd{DryRun: c.DryRun, Message: &c.Message}
	if c.DryRun {
		return commit.tell(a, plan, nil)
	}
	done, err := plan.Run(a.ctx, c.Message)
	if err != nil {
		return err
	}
	if err := commit.tell(a, plan, done); err != nil {
		return err
	}
	if left := len(plan.Skipped); left > 0 {
		return wc.Hint(wc.Partial("cannot rekey everything: %d files were never restored here, and stay as they are", left), "rootwc secrets restore --identity FILE, then again")
	}
	return nil
}
