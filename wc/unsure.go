package wc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"
)

// unsureFile holds the commit of which it is not known whether the repository
// took it.
const unsureFile = "unsure-commit"

type unsureCommit struct {
	Mark string `json:"mark"`
	UUID string `json:"uuid"` // of the repository
	Acks acks   `json:"acks,omitempty"`
}

// commitMark is the revision property by which an interrupted commit is found
// again.
const commitMark = "rootwc:commit"

// markCommit notes in the journal that a commit is about to be sent, and
// under which mark (a revision property) the repository will know it.
func (w *Work) markCommit(cm *Commit, group []*commitPart) (string, error) {
	if cm.intent != nil {
		cm.intent.Sent = true
		return cm.intent.ID, w.tree.State.writeIntent(cm.intent)
	}
	mark := rand.Text()
	for _, cp := range group {
		cp.part.Commit = mark
	}
	if err := w.journal.write(); err != nil {
		return "", err
	}
	// Until every working copy records the revision, nobody can be sure: the
	// answer may get lost, this process be killed, the disk be full.
	seen := acks{}
	for _, cp := range group {
		maps.Copy(seen, cp.acks)
	}
	text, err := json.Marshal(unsureCommit{mark, group[0].copy.UUID(), seen})
	if err != nil {
		return "", err
	}
	return mark, w.tree.State.writeDurable(unsureFile, text)
}

// sure forgets the commit that was unsure.
func (s *State) sure() error {
	err := os.Remove(s.path(unsureFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unmarkCommit forgets a commit that surely made no revision.
func (w *Work) unmarkCommit(cm *Commit) error {
	if cm.intent == nil {
		return w.tree.State.sure()
	}
	cm.intent.Sent = false
	return w.tree.State.writeIntent(cm.intent)
}

// UnsureCommit looks for a commit that was cut off while it was sent. When the
// repository has it, the working copies are brought up to it; the caller holds
// the lock.
func (w *Work) UnsureCommit(ctx context.Context) error {
	text, err := os.ReadFile(w.tree.State.path(unsureFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var unsure unsureCommit
	if err == nil {
		err = json.Unmarshal(text, &unsure)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s of an interrupted commit: %w", w.tree.State.path(unsureFile), cause(err))
	}
	told := false
	for _, c := range w.tree.Copies {
		if c.UUID() != unsure.UUID {
			continue
		}
		revision, err := w.findMark(ctx, c, unsure.Mark)
		if err != nil {
			return err
		}
		if revision == 0 {
			continue
		}
		if !told {
			told = true
			w.tree.Warn("the interrupted commit did reach the repository as revision %d", revision)
		}
		if _, err := w.Update(ctx, c, UpdateOptions{Revision: strconv.FormatInt(revision, 10)}); err != nil {
			return err
		}
	}
	if told {
		if err := w.tree.acknowledge(unsure.Acks); err != nil {
			return err
		}
	}
	return w.tree.State.sure()
}

// findMark returns the revision that a commit with a mark has become, as far as
// it changes what a working copy has; 0 when there is none.
func (w *Work) findMark(ctx context.Context, c *Copy, mark string) (int64, error) {
	low, _, _ := c.revisions()
	found, err := w.tree.Client.Log(ctx, c.user, "--with-revprop", commitMark, "--revision", fmt.Sprintf("HEAD:%d", max(low, 1)), "--", c.URL()+"@HEAD")
	if err != nil {
		return 0, fmt.Errorf("cannot tell whether an interrupted commit reached the repository: %w", err)
	}
	for _, e := range found {
		if e.Properties[commitMark] == mark {
			return e.Revision, nil
		}
	}
	return 0, nil
}
