package wc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rootwc/internal/fault"
)

// Promoted is what a promotion has made.
type Promoted struct {
	Revision int64 // of the other branch; 0 when there was nothing to send
	Recorded int64 // of this branch, which now says that it has that; 0 for none
}

// Run sends the promotion and records it on this branch. A promotion that was
// overtaken by another commit is worked out anew; it goes, or is refused.
func (pr *Promotion) Run(ctx context.Context, message string) (done Promoted, err error) {
	const attempts = 3
	for i := 1; len(pr.carry) > 0; i++ {
		done.Revision, err = pr.send(ctx, message)
		if err == nil {
			break
		}
		switch overtaken := HasCode(err, "155011", "160024", "160028", "170004", "160042", "160013", "160020"); {
		case overtaken && i == attempts:
			return done, Hint(Refuse("cannot promote: %s has changed %d times meanwhile", pr.To, attempts), "promote again")
		case !overtaken:
			return done, commitError(err, pr.copy)
		}
		again, err := pr.work.PlanPromotion(ctx, pr.opt)
		if err != nil {
			return done, err
		}
		*pr = *again
	}
	fault.At("promoted")
	revisions := slices.Clone(pr.unsure)
	if done.Revision > 0 {
		revisions = append(revisions, done.Revision)
	}
	if len(revisions) == 0 {
		return done, nil
	}
	if done.Recorded, err = pr.record(ctx, revisions); err != nil {
		return done, Hint(Partial("cannot record the promotion on %s: %w", pr.From, err), "rootwc update, then the same again: it only records")
	}
	return done, nil
}

// send commits the changes on the other branch, from a private working copy
// that holds just what changes.
func (pr *Promotion) send(ctx context.Context, message string) (revision int64, err error) {
	w := pr.work
	s, p, err := w.scratch(pr.copy, "")
	if err != nil {
		return 0, err
	}
	defer func() {
		s.live.Close()
		err = errors.Join(err, w.drop(p))
	}()
	if err := pr.fetch(ctx, s); err != nil {
		return 0, err
	}
	if err := pr.apply(ctx, s); err != nil {
		return 0, err
	}
	fault.At("fetched")
	text := filepath.Join(s.dir, "message")
	if err := as(s.user, func() error { return os.WriteFile(text, []byte(pr.words(message)), 0o600) }); err != nil {
		return 0, err
	}
	from := pr.copy.pathOf(pr.From) + "@" + strconv.FormatInt(pr.peg, 10)
	out, err := s.svn(ctx, nil, "commit", "--file", text, "--force-log", "--encoding", "UTF-8", "--with-revprop", promotionMark+"="+from)
	if err != nil {
		return 0, err
	}
	fault.At("committed")
	m := committedRevision.FindSubmatch(out)
	if m == nil { // they differed in mergeinfo alone, which is not carried
		return 0, nil
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}

// words is the log message: a person's own, then the branch and the revisions
// that come from it.
func (pr *Promotion) words(message string) string {
	var b strings.Builder
	if message = strings.TrimRight(message, "\n"); message != "" {
		b.WriteString(message + "\n\n")
	}
	fmt.Fprintf(&b, "Promoted from /%s:\n", pr.copy.pathOf(pr.From))
	for _, e := range pr.Revisions {
		first, _, _ := strings.Cut(strings.ReplaceAll(e.Message, "\r", "\n"), "\n") // svn takes no CR in a message
		fmt.Fprintf(&b, "r%d (%s): %s\n", e.Revision, e.Author, first)
	}
	return b.String()
}

// record commits on this branch that it has revisions of the other one.
func (pr *Promotion) record(ctx context.Context, revisions []int64) (int64, error) {
	c := pr.copy
	values, err := c.record().noteMerged(pr.copy.pathOf(pr.To), revisions)
	if err != nil {
		return 0, err
	}
	cp := &commitPart{copy: c, edits: map[string]edit{}, targets: map[string]bool{}, bump: map[string]bool{}, acks: acks{}}
	for rel, value := range values {
		cp.edits[rel] = edit{set: map[string]string{propMergeinfo: value}}
		cp.targets[rel] = true
		if c.record().node(rel).top().kind == kindDir {
			cp.bump[rel] = false
		} else {
			cp.keep = append(cp.keep, rel)
		}
	}
	words := make([]string, len(revisions))
	for i, r := range revisions {
		words[i] = fmt.Sprintf("r%d", r)
	}
	message := fmt.Sprintf("Record %s of /%s, which came from here, as merged.\n", strings.Join(words, ", "), pr.copy.pathOf(pr.To))
	done, err := pr.work.commitGroup(ctx, &Commit{work: pr.work, parts: []*commitPart{cp}}, []*commitPart{cp}, message)
	return done.Revision, err
}
