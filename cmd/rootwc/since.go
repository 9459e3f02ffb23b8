package main

import (
	"fmt"
	"time"

	"rootwc/hooks/watch"
	"rootwc/wc"
)

// sinceLayouts are the forms of a time; without a zone it is the local one.
var sinceLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly}

// parseSince reads a time, a date, a time of this day or a duration before now;
// the zero time for none.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range sinceLayouts {
		if when, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return when, nil
		}
	}
	if clock, err := time.Parse("15:04", text); err == nil {
		return time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location()), nil
	}
	return time.Time{}, fmt.Errorf("cannot understand time %q: write 2026-01-31, 2026-01-31 15:04, 15:04 or 2h", text)
}

// sinceOnly leaves out what has differed for longer, by the watcher's list.
func sinceOnly(t *wc.Tree, entries []*wc.Entry, since time.Time) ([]*wc.Entry, error) {
	if since.IsZero() {
		return entries, nil
	}
	drift, err := watch.LoadDrift(t)
	if err != nil {
		return nil, err
	}
	began := map[string]time.Time{}
	for _, e := range drift.Entries {
		began[e.Path] = e.Since
	}
	var kept []*wc.Entry
	for _, e := range entries {
		if when, known := began[e.Path]; !known || !when.Before(since) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}
