package wc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"rootwc/secrets"
	"rootwc/wc/metadata"
)

// sealing is a file that a commit is going to seal.
type sealing struct {
	copy *Copy
	rel  string
	path string // relative to the machine's root
	to   string // the sealed file, relative to the machine's root
	file *withheldFile
}

// leaves says whether a commit leaves a file alone of which the repository has
// a content that has never been here: who names it means it.
func (cm *Commit) leaves(e *Entry, opt CommitOptions) bool {
	waits := cm.kept.waits(e.Path) || e.Status == Missing && cm.kept.absent(e.Path)
	if !waits || slices.Contains(opt.Paths, e.Path) {
		return false
	}
	why := "the repository has another content, encrypted; rootwc secrets restore brings it, naming the path commits what is here"
	if e.Status == Missing {
		why = "it was never restored here; rootwc secrets restore brings it, naming the path commits that it is gone"
	}
	cm.Skipped = append(cm.Skipped, Refused{e.Path, why})
	return true
}

// seal plans to seal a file; false when it has to be withheld after all.
func (cm *Commit) seal(cp *commitPart, path, rel string, f *withheldFile) bool {
	if !cm.work.tree.seals() {
		return false
	}
	to, err := secrets.SealedPath(path)
	if err != nil {
		cm.Skipped = append(cm.Skipped, Refused{path, "not encrypted, only withheld: " + err.Error()})
		return false
	}
	if old := cm.kept.files[path]; old != nil {
		f.Sealed, f.For = old.Sealed, old.For
	}
	cm.list = true
	cm.sealing = append(cm.sealing, sealing{cp.copy, rel, path, to, f})
	return true
}

// unseal plans to take a sealed file out of the repository; the revisions until
// now keep it.
func (cm *Commit) unseal(path string) {
	f := cm.kept.files[path]
	to, err := secrets.SealedPath(path)
	if f == nil || f.Sealed == "" || err != nil {
		return
	}
	cm.list = true
	cm.unsealing = append(cm.unsealing, to)
}

// rootPart is the share of the machine's own working copy, which is sent first.
func (cm *Commit) rootPart() *commitPart {
	root := cm.work.tree.Copies[0]
	i := slices.IndexFunc(cm.parts, func(cp *commitPart) bool { return cp.copy == root })
	if i < 0 {
		cm.parts = slices.Insert(cm.parts, 0, newCommitPart(root))
		return cm.parts[0]
	}
	slices.SortStableFunc(cm.parts, func(a, b *commitPart) int { return cmp.Compare(a.copy.Path, b.copy.Path) })
	return cm.parts[0]
}

// targetSealed adds what the root's part sends of sealed files.
func (cm *Commit) targetSealed(cp *commitPart) {
	target := func(rel string, letter byte) {
		cp.targets[rel] = true
		for dir := parentOf(rel); dir != "" && !cp.copy.Versioned(dir); dir = parentOf(dir) {
			cp.targets[dir] = true
		}
		cm.Changes = append(slices.DeleteFunc(cm.Changes, func(c Change) bool { return c.Path == rel }), Change{Letter: letter, Path: rel})
	}
	for _, one := range cm.sealing {
		letter := byte('M')
		if !cp.copy.Versioned(one.to) {
			letter = 'A'
		}
		target(one.to, letter)
	}
	for _, rel := range cm.unsealing {
		if cp.copy.Versioned(rel) {
			cp.delete = append(cp.delete, rel)
			target(rel, 'D')
		}
	}
}

// sealAll seals into the stage of the root's part. Clear text is read from the
// live files and is nowhere else.
func (cm *Commit) sealAll(ctx context.Context, cp *commitPart) error {
	if cp.copy != cm.work.tree.Copies[0] {
		return nil
	}
	var added []string
	for i := range cm.sealing {
		one := &cm.sealing[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, err := cm.sealOne(cp.stage, one)
		if err != nil {
			return fmt.Errorf("cannot encrypt %q: %w", one.path, cause(err))
		}
		one.file.For = cm.work.tree.Recipients.Fingerprints()
		cp.acks[one.path] = &ack{SHA256: sum, Quiet: one.copy.quietSum(one.rel, sum), Sealed: one.file.Sealed}
		if !cp.copy.Versioned(one.to) {
			added = append(added, one.to)
		}
	}
	return cp.stage.svnTargets(ctx, added, "add", "--quiet", "--force", "--parents", "--no-ignore", "--no-auto-props")
}

// sealOne seals a file, again when it changed meanwhile, and returns the
// SHA-256 of its content.
func (cm *Commit) sealOne(s *stage, one *sealing) (sum string, err error) {
	var in *os.File
	if err := as(one.copy.user, func() (err error) { in, err = one.copy.openFile(one.rel); return err }); err != nil {
		return "", err
	}
	defer in.Close()
	if err := s.mkdirs(parentOf(one.to)); err != nil {
		return "", err
	}
	if err := s.root.Remove(one.to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	out, err := s.root.OpenFile(one.to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer out.Close()
	const attempts = 5
	for range attempts {
		var before, after unix.Stat_t
		if err := unix.Fstat(int(in.Fd()), &before); err != nil {
			return "", err
		}
		if sum, err = cm.sealOnce(in, out, one); err != nil {
			return "", err
		}
		if err := unix.Fstat(int(in.Fd()), &after); err != nil {
			return "", err
		}
		if before.Size == after.Size && before.Mtim == after.Mtim && before.Ctim == after.Ctim {
			return sum, out.Close()
		}
	}
	return "", fmt.Errorf("it changes all the time: it was read %d times and never the same", attempts)
}

// sealOnce writes the sealed form of in to out, both from their beginning, and
// notes its digest.
func (cm *Commit) sealOnce(in, out *os.File, one *sealing) (sum string, err error) {
	for _, f := range []*os.File{in, out} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return "", err
		}
	}
	if err := out.Truncate(0); err != nil {
		return "", err
	}
	clear, sealed := sha256.New(), sha256.New()
	w, err := cm.work.tree.Recipients.Seal(io.MultiWriter(out, sealed), one.path, one.file.Properties)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.MultiWriter(w, clear), in); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	one.file.Sealed = hex.EncodeToString(sealed.Sum(nil))
	return hex.EncodeToString(clear.Sum(nil)), nil
}

// noteOld tells of what stays readable in the revisions until now.
func (cm *Commit) noteOld() {
	others := len(cm.unsealing) > 0
	for _, one := range cm.sealing {
		old := cm.kept.files[one.path]
		others = others || old != nil && old.Sealed != "" && !slices.Equal(old.For, cm.work.tree.Recipients.Fingerprints())
	}
	if others {
		cm.Notes = append(cm.Notes, "Revisions until now stay readable to those whom they were encrypted for: a secret that somebody should not know any more has to be changed.")
	}
	if cm.wasClear {
		cm.Notes = append(cm.Notes, "Revisions until now keep content in clear that is encrypted from now on: a secret that somebody should not know has to be changed.")
	}
}

// placeSealed adds the steps that bring the live files in line with what was
// committed of sealed ones: they hold no clear text, so anybody may read them.
func (w *Work) placeSealed(cp *commitPart) error {
	c := cp.copy
	if c != w.tree.Copies[0] {
		return nil
	}
	own, err := c.fs.Stat(".")
	if err != nil {
		return err
	}
	st := own.Sys().(*unixStat)
	rec, err := cp.stage.record()
	if err != nil {
		return err
	}
	for _, rel := range keys(cp.targets) {
		if !isSealed(rel) {
			continue
		}
		l, err := w.tree.look(c, rel)
		if err != nil {
			return err
		}
		is := stateOf(rec, rel)
		switch {
		case is == nil && l.exists:
			cp.part.Steps = append(cp.part.Steps, step{Act: actRemove, Rel: rel, Expect: l.identity()})
		case is == nil, is.kind == metadata.Dir && l.exists:
		case is.kind == metadata.Dir:
			want := metadata.Values{Kind: metadata.Dir, Mode: 0o755, UID: st.Uid, GID: st.Gid}
			cp.part.Steps = append(cp.part.Steps, step{Act: actMkdir, Rel: rel, Want: &want})
		case is.kind == metadata.File:
			want := metadata.Values{Kind: metadata.File, Mode: 0o644, UID: st.Uid, GID: st.Gid}
			if l.exists && l.values.Kind == metadata.File {
				want = l.values
			}
			cp.part.Steps = append(cp.part.Steps, step{Act: actPut, Rel: rel, Expect: l.identity(), Want: &want})
		}
	}
	return nil
}

// PlanRekey works out a commit that seals everything anew for the recipients of
// the description, whether it has changed or not; edits of them and of the
// description go with it.
func (w *Work) PlanRekey(ctx context.Context) (*Commit, error) {
	kept, err := w.tree.loadWithheld()
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for path := range kept.files {
		found[path] = true
	}
	if len(found) == 0 {
		return &Commit{work: w, files: kept.files, kept: kept}, nil
	}
	entries, err := w.tree.Status(ctx, StatusOptions{Paths: append(keys(found), DescriptionPath), All: true, commit: true})
	if err != nil {
		return nil, err
	}
	return w.planCommit(entries, nil, CommitOptions{}, true)
}
