package main

import (
	"bytes"
	"context"
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
	tables := func(from func(string, int64) ([]byte, error)) accounts.Tables {
		return accounts.Tables{Passwd: read(from, "etc/passwd"), Group: read(from, "etc/group"), Shadow: read(from, "etc/shadow"), GShadow: read(from, "etc/gshadow")}
	}
	mine, theirs := tables(r.Repository), tables(r.Live)
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
	}{{"etc/passwd", mine.Passwd, theirs.Passwd, merged.Passwd}, {"etc/group", mine.Group, theirs.Group, merged.Group}, {"etc/shadow", mine.Shadow, theirs.Shadow, merged.Shadow}, {"etc/gshadow", mine.GShadow, theirs.GShadow, merged.GShadow}} {
		switch {
		case t.mine == nil || t.theirs == nil || bytes.Equal(t.text, t.mine):
		case bytes.Equal(t.text, t.theirs):
			decided[t.path] = &wc.Decision{Keep: true, Note: "the accounts of this installation hold all of the machine's"}
		default:
			decided[t.path] = &wc.Decision{Text: t.text, Note: "merged with the accounts of this installation"}
		}
	}
	return decided, nil
}

// mergePasswords brings encrypted tables of passwords together with those of the
// installation, which may have users of its own.
func mergePasswords(t *wc.Tree) map[string]wc.SealedDecider {
	merge := func(table func(*accounts.Tables) *[]byte) wc.SealedDecider {
		return func(_ context.Context, sealed, here []byte) (*wc.Decision, error) {
			passwd, err := t.ReadFile("etc/passwd")
			if err != nil {
				return nil, err
			}
			group, err := t.ReadFile("etc/group")
			if err != nil {
				return nil, err
			}
			mine := accounts.Tables{Passwd: passwd, Group: group}
			theirs := mine
			*table(&mine), *table(&theirs) = sealed, here
			merged, _ := accounts.Merge(mine, theirs)
			text := *table(&merged)
			if bytes.Equal(text, sealed) {
				return nil, nil
			}
			return &wc.Decision{Text: text, Note: "merged with the accounts of this installation"}, nil
		}
	}
	return map[string]wc.SealedDecider{
		"etc/shadow":  merge(func(t *accounts.Tables) *[]byte { return &t.Shadow }),
		"etc/gshadow": merge(func(t *accounts.Tables) *[]byte { return &t.GShadow }),
	}
}
