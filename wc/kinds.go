package wc

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rootwc/internal/run"
)

// Kinds asks a server what URLs, with their pegs, are: "file" or "dir". What
// is not there is left out. svn opens a connection for each URL that it is asked
// about, so neighbours are looked up in a list of their directory.
func (c *Client) Kinds(ctx context.Context, user *run.User, urls []string) (map[string]string, error) {
	kinds := map[string]string{}
	beside := map[string][]string{} // URLs by that of their directory
	for _, url := range urls {
		dir, _, peg := splitURL(url)
		beside[dir+"@"+peg] = append(beside[dir+"@"+peg], url)
	}
	var single []string
	for _, dir := range slices.Sorted(maps.Keys(beside)) {
		if len(beside[dir]) == 1 || c.kindsIn(ctx, user, dir, beside[dir], kinds) != nil { // it may be closed to the user
			single = append(single, beside[dir]...)
		}
	}
	return kinds, c.singleKinds(ctx, user, single, kinds)
}

// splitURL cuts a URL with peg into that of its directory, its name and the peg.
func splitURL(url string) (dir, name, peg string) {
	at := strings.LastIndexByte(url, '@')
	slash := strings.LastIndexByte(url[:at], '/')
	return url[:slash], UnescapeURL(url[slash+1 : at]), url[at+1:]
}

// kindsIn looks URLs up in the list of the directory that they are in.
func (c *Client) kindsIn(ctx context.Context, user *run.User, dir string, urls []string, kinds map[string]string) error {
	out, err := c.Run(ctx, Call{User: user, Args: []string{"list", "--xml", "--", dir}})
	if err != nil {
		return err
	}
	nodes, err := parseList(bytes.NewReader(out))
	if err != nil {
		return err
	}
	in := map[string]string{}
	for _, n := range nodes {
		in[n.Path] = "file"
		if n.Dir {
			in[n.Path] = "dir"
		}
	}
	for _, url := range urls {
		_, name, peg := splitURL(url)
		if kind := in[name]; kind != "" {
			kinds[strings.TrimSuffix(url, "@"+peg)] = kind
		}
	}
	return nil
}

// singleKinds asks about each URL by itself.
func (c *Client) singleKinds(ctx context.Context, user *run.User, urls []string, kinds map[string]string) error {
	if len(urls) == 0 {
		return nil
	}
	out, err := c.Run(ctx, Call{User: user, Args: append([]string{"info", "--xml", "--"}, urls...)})
	if err != nil && !HasCode(err, "200009", "170000", "160013") {
		return err
	}
	var doc struct {
		Entries []struct {
			Kind string `xml:"kind,attr"`
			URL  string `xml:"url"`
		} `xml:"entry"`
	}
	if err := decodeXML(bytes.NewReader(out), &doc); err != nil {
		return fmt.Errorf("cannot read the output of svn info: %w", err)
	}
	for _, e := range doc.Entries {
		kinds[e.URL] = e.Kind
	}
	return nil
}
