package wc

import (
	"context"
	"fmt"

	"rootwc/internal/run"
)

// historyLimit bounds how many revisions of one path are looked at: each is a
// question to the server.
const historyLimit = 100

// FindText looks in the history of a file for a text, newest revision first;
// nil when none of the last hundred revisions that changed the file has it. An
// empty text is not nil.
func (c *Client) FindText(ctx context.Context, user *run.User, url, peg string, want func([]byte) bool) ([]byte, error) {
	entries, err := c.Log(ctx, user, "--quiet", "--limit", fmt.Sprint(historyLimit), "--", url+"@"+peg)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := c.Run(ctx, Call{User: user, Args: []string{"cat", "--revision", fmt.Sprint(e.Revision), "--", url + "@" + peg}})
		if err != nil {
			return nil, err
		}
		if want(text) {
			return append([]byte{}, text...), nil
		}
	}
	return nil, nil
}

// FindText looks in the history of a versioned path, see [Client.FindText]. What
// was never committed has no history.
func (t *Tree) FindText(ctx context.Context, path string, want func([]byte) bool) ([]byte, error) {
	c, rel := t.CopyOf(path)
	if c == nil || stateOf(c.record(), rel) == nil {
		return nil, nil
	}
	return t.Client.FindText(ctx, c.user, c.DirURL(rel), c.pegOf(rel), want)
}
