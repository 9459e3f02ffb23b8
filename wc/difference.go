package wc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"rootwc/internal/run"
)

// difference is how one path differs between two branches.
type difference struct {
	deleted, added bool // both for another kind
	modified       bool // content
	properties     bool
	dir            bool // what it is now, or was before it was deleted
}

// differences asks the server how the branch at one URL differs from that at
// another, both at revision peg, by path relative to both; "" is their root.
func (c *Client) differences(ctx context.Context, user *run.User, from, to string, peg int64) (map[string]*difference, error) {
	out, err := c.Run(ctx, Call{User: user, Args: []string{"diff", "--summarize", "--xml", "--old", fmt.Sprintf("%s@%d", from, peg), "--new", fmt.Sprintf("%s@%d", to, peg)}})
	if err != nil {
		return nil, err
	}
	return parseSummary(bytes.NewReader(out), from)
}

func parseSummary(r io.Reader, from string) (map[string]*difference, error) {
	var doc struct {
		Paths []struct {
			Item  string `xml:"item,attr"`
			Props string `xml:"props,attr"`
			Kind  string `xml:"kind,attr"`
			URL   string `xml:",chardata"`
		} `xml:"paths>path"`
	}
	if err := decodeXML(r, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn diff: %w", err)
	}
	found := map[string]*difference{}
	for _, p := range doc.Paths {
		below, ok := strings.CutPrefix(p.URL, from)
		if !ok || below != "" && below[0] != '/' {
			return nil, errors.New("cannot read the output of svn diff: a path outside of what was asked for")
		}
		rel := UnescapeURL(strings.TrimPrefix(below, "/"))
		d := found[rel]
		if d == nil {
			d = &difference{}
			found[rel] = d
		}
		d.deleted = d.deleted || p.Item == "deleted"
		d.added = d.added || p.Item == "added"
		d.modified = d.modified || p.Item == "modified"
		d.properties = d.properties || p.Props == "modified"
		if p.Item != "deleted" || !d.added {
			d.dir = p.Kind == "dir"
		}
	}
	return found, nil
}
