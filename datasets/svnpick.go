package datasets

import (
	"context"
	"encoding/xml"
	"fmt"
	"maps"
	"path"
	"slices"
)

// pick makes the working copy hold the chosen part and nothing else. svn lets
// go only of files that are as they were committed.
func (s *subversion) pick(ctx context.Context, takeBack bool) error {
	there, err := s.list(ctx)
	if err != nil {
		return err
	}
	chosen := s.choose(there)
	copied, err := s.isCopy(ctx)
	if err == nil && !copied && !s.DryRun {
		copied, err = s.ready(ctx)
	}
	if err != nil {
		return err
	}
	if takeBack && copied {
		if err := s.revert(ctx); err != nil {
			return err
		}
	}
	here := picture{}
	if copied {
		if here, err = s.picture(ctx); err != nil {
			return err
		}
	}
	fetch, drop := s.difference(chosen, here)
	if s.DryRun {
		s.report.add('A', fetch, "")
		s.report.add('D', drop, "")
		return nil
	}
	for batch := range slices.Chunk(drop, batchSize) {
		if _, err := s.svn(ctx, append([]string{"update", "--quiet", "--set-depth", "exclude", "--"}, targets(batch)...)...); err != nil {
			return err
		}
	}
	s.report.add('D', drop, "here")
	return s.update(ctx, fetch, "--set-depth", "infinity")
}

// picture is what a working copy holds, by path.
type picture struct {
	here     map[string]bool
	changed  map[string]bool // here
	incoming map[string]bool // the repository has something newer
}

func (s *subversion) picture(ctx context.Context) (picture, error) {
	p := picture{changed: map[string]bool{}, incoming: map[string]bool{}}
	var err error
	if p.here, err = s.present(ctx); err != nil {
		return p, err
	}
	entries, err := s.status(ctx, true)
	for _, e := range entries {
		p.changed[e.path] = e.changed()
		p.incoming[e.path] = e.incoming
	}
	return p, err
}

// difference tells what is to come and what is to go. Conflicts stay.
func (s *subversion) difference(chosen listing, now picture) (fetch, drop []string) {
	for _, p := range chosen.paths() {
		switch {
		case now.changed[p] && (now.incoming[p] || !now.here[p]):
			s.report.add('C', []string{p}, "changed here and in the repository")
		case !now.here[p] || now.incoming[p]:
			fetch = append(fetch, p)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(now.here)) {
		if _, in := chosen[p]; !in && now.changed[p] {
			s.report.add('C', []string{p}, "no longer chosen, but changed here")
		} else if !in {
			drop = append(drop, p)
		}
	}
	return fetch, drop
}

// present are the files that the working copy holds.
func (s *subversion) present(ctx context.Context) (map[string]bool, error) {
	out, err := s.svn(ctx, "info", "--xml", "--recursive", "--", ".")
	if err != nil {
		return nil, err
	}
	var doc struct {
		Entries []struct {
			Path string `xml:"path,attr"`
			Kind string `xml:"kind,attr"`
			Copy struct {
				Depth    string `xml:"depth"`
				Schedule string `xml:"schedule"`
			} `xml:"wc-info"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn info: %w", err)
	}
	here := map[string]bool{}
	for _, e := range doc.Entries {
		if e.Kind == "file" && e.Copy.Depth != "exclude" && e.Copy.Schedule != "add" {
			if _, err := s.dir.Lstat(path.Clean(e.Path)); err == nil {
				here[path.Clean(e.Path)] = true
			}
		}
	}
	return here, nil
}
