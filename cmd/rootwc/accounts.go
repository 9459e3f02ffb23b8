package main

import (
	"bytes"
	"errors"
	"io/fs"

	"rootwc/accounts"
	"rootwc/wc"
)

// maxAccounts bounds a table of accounts that is merged, in bytes.
const maxAccounts = 64 << 20

// deciding has a checkout ask about what a fresh installation has in its place.
func (a *app) deciding(opt wc.CheckoutOptions) wc.CheckoutOptions {
	opt.Decide, opt.Accounts = a.decide, a.mergeAccounts
	return opt
}

// mergeAccounts decides about the users and groups of a machine that comes back
// onto a fresh installation, which has its own.
func (a *app) mergeAccounts(r *wc.Rivals) (map[string]*wc.Decision, error) {
	var err error
	read := func(from func(string, int64) ([]byte, error), path string) []byte {
		text, rerr := from(path, maxAccounts)
		if !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return text
	}
	mine := accounts.Tables{Passwd: read(r.Repository, "etc/passwd"), Group: read(r.Repository, "etc/group")}
	theirs := accounts.Tables{Passwd: read(r.Live, "etc/passwd"), Group: read(r.Live, "etc/group")}
	if err != nil || mine.Passwd == nil || mine.Group == nil || theirs.Passwd == nil || theirs.Group == nil {
		return nil, err
	}
	merged, notes := accounts.Merge(mine, theirs)
	for _, note := range notes {
		a.warn("%s", note)
	}
	decided := map[string]*wc.Decision{}
	for _, t := range []struct {
		path               string
		mine, theirs, text []byte
	}{{"etc/passwd", mine.Passwd, theirs.Passwd, merged.Passwd}, {"etc/group", mine.Group, theirs.Group, merged.Group}} {
		switch {
		case bytes.Equal(t.text, t.mine):
		case bytes.Equal(t.text, t.theirs):
			decided[t.path] = &wc.Decision{Keep: true, Note: "the accounts of this installation hold all of the machine's"}
		default:
			decided[t.path] = &wc.Decision{Text: t.text, Note: "merged with the accounts of this installation"}
		}
	}
	return decided, nil
}
