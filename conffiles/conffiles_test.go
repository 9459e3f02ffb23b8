package conffiles

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func md5Of(text string) Digest {
	sum := md5.Sum([]byte(text))
	return MD5(strings.ToUpper(hex.EncodeToString(sum[:])))
}

func TestDigest(t *testing.T) {
	sum := sha256.Sum256([]byte("a"))
	for d, want := range map[Digest]bool{
		md5Of("a"): true, md5Of("b"): false, Digest("sha256:" + hex.EncodeToString(sum[:])): true,
		"": false, "md5:": false, "crc32:e8b7be43": false, "newconffile": false,
	} {
		if d.Matches([]byte("a")) != want {
			t.Errorf("%q matches: %v, want %v", d, !want, want)
		}
	}
}

// TestJudge: v1 is what the package shipped before, v2 what it ships now.
func TestJudge(t *testing.T) {
	needsDiff3(t)
	v1, v2 := numbered(9), strings.Replace(numbered(9), "line 8\n", "new\n", 1)
	edit := func(text string) string { return strings.Replace(text, "line 1\n", "mine\n", 1) }
	old := []Digest{md5Of(v1)}
	lost := errors.New("away")
	for name, c := range map[string]struct {
		mine, theirs string
		old          []Digest
		base         string // "" for none, "empty" for an empty one
		baseErr      error
		want         Verdict
		text         string
	}{
		"equal":                            {v2, v2, old, "", nil, Same, ""},
		"changed by the package alone":     {v1, v2, old, "", nil, Theirs, ""},
		"changed by the person alone":      {edit(v1), v1, old, "", nil, Mine, ""},
		"changed by both, apart":           {edit(v1), v2, old, v1, nil, Merged, edit(v2)},
		"changed by both, in one line":     {strings.Replace(v1, "line 8\n", "mine\n", 1), v2, old, v1, nil, Conflict, ""},
		"changed by both, no base":         {edit(v1), v2, old, "", nil, Conflict, ""},
		"nothing known of old versions":    {edit(v1), v2, nil, v1, nil, Conflict, ""},
		"the package has taken it over":    {v2, "more\n" + v2, old, v1, nil, Theirs, ""},
		"the person has taken it over":     {edit(v2), v2, old, v1, nil, Mine, ""},
		"the person has gone to old":       {v1, v2, []Digest{md5Of("older"), md5Of(v1)}, "", nil, Theirs, ""},
		"the package has gone back":        {edit(v2), v1, old, v1, nil, Mine, ""},
		"binary":                           {edit(v1) + "\x00", v2, old, v1, nil, Conflict, ""},
		"emptied here, changed there":      {"", v2, old, v1, nil, Conflict, ""},
		"the base cannot be looked up":     {edit(v1), v2, old, "", lost, "", ""},
		"shipped empty, both the same":     {"both\n", "both\ntheirs\n", []Digest{md5Of("")}, "empty", nil, Conflict, ""},
		"merged to nothing":                {"b\n", "a\n", []Digest{md5Of("a\nx\ny\nz\nb\n")}, "a\nx\ny\nz\nb\n", nil, Conflict, ""},
		"shipped empty, written by hand":   {"mine\n", "", []Digest{md5Of("")}, "", nil, Mine, ""},
		"shipped empty, both have written": {"mine\n", "theirs\n", []Digest{md5Of("")}, "", nil, Conflict, ""},
	} {
		got, err := Judge(t.Context(), Case{
			Mine: []byte(c.mine), Theirs: []byte(c.theirs), Old: c.old,
			Base: func(context.Context, []Digest) ([]byte, error) {
				if c.base == "" {
					return nil, c.baseErr
				}
				return []byte(strings.TrimPrefix(c.base, "empty")), nil
			},
		})
		if !errors.Is(err, c.baseErr) || got.Verdict != c.want || string(got.Text) != c.text {
			t.Errorf("%s: %s %q %v, want %s %q", name, got.Verdict, got.Text, err, c.want, c.text)
		}
		if (got.Verdict == Conflict) != (got.Why != "") {
			t.Errorf("%s: %s because of %q", name, got.Verdict, got.Why)
		}
	}
}

func TestParseLeftover(t *testing.T) {
	for path, want := range map[string]Leftover{
		"etc/a.dpkg-dist":   {Path: "etc/a.dpkg-dist", Of: "etc/a"},
		"etc/a.dpkg-new":    {Path: "etc/a.dpkg-new", Of: "etc/a"},
		"etc/a.dpkg-old":    {Path: "etc/a.dpkg-old", Of: "etc/a", Saved: true},
		"etc/a.ucf-dist":    {Path: "etc/a.ucf-dist", Of: "etc/a"},
		"etc/a.ucf-old":     {Path: "etc/a.ucf-old", Of: "etc/a", Saved: true},
		"etc/a.rpmnew":      {Path: "etc/a.rpmnew", Of: "etc/a"},
		"etc/a.rpmsave":     {Path: "etc/a.rpmsave", Of: "etc/a", Saved: true},
		"etc/a.pacnew":      {Path: "etc/a.pacnew", Of: "etc/a"},
		"etc/a.pacsave.12":  {Path: "etc/a.pacsave.12", Of: "etc/a", Saved: true},
		"etc/a.b.dpkg-dist": {Path: "etc/a.b.dpkg-dist", Of: "etc/a.b"},
		"etc/a":             {}, "etc/.dpkg-new": {}, ".rpmnew": {}, "etc/a.dpkg-tmp": {}, "etc/a.pacnew.1": {}, "etc/dpkg-dist": {},
	} {
		got, ok := ParseLeftover(path)
		if got != want || ok != (want.Of != "") {
			t.Errorf("%s: %+v, %v", path, got, ok)
		}
	}
}

// TestWordsQuoteNothing: a validator's complaint may quote a secret.
func TestWordsQuoteNothing(t *testing.T) {
	d := Decision{Path: "etc/a", Package: "tool", Verdict: Conflict, Why: "the two can be merged: tool: line 1: password hunter2"}
	if words := d.Words(); strings.Contains(words, "hunter2") || !strings.Contains(words, "tool") {
		t.Errorf("got %q", words)
	}
}
