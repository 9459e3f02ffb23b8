package wc

import (
	"bytes"
	"crypto/sha1"
	"hash"
	"io"
	"strings"
	"sync"
)

// Subversion stores a file in normal form: line ends as svn:eol-style says
// and keywords contracted. The checksum in wc.db is that form's, so a working
// file is compared by hashing its normal form (libsvn_subr/subst.c).

// keywordNames lists the spellings that one word of svn:keywords stands for.
// Those words are compared without regard to case.
var keywordNames = map[string][]string{
	"lastchangedrevision": {"LastChangedRevision", "Revision", "Rev"},
	"revision":            {"LastChangedRevision", "Revision", "Rev"},
	"rev":                 {"LastChangedRevision", "Revision", "Rev"},
	"lastchangeddate":     {"LastChangedDate", "Date"},
	"date":                {"LastChangedDate", "Date"},
	"lastchangedby":       {"LastChangedBy", "Author"},
	"author":              {"LastChangedBy", "Author"},
	"headurl":             {"HeadURL", "URL"},
	"url":                 {"HeadURL", "URL"},
	"id":                  {"Id"},
	"header":              {"Header"},
}

// maxKeyword is SVN_KEYWORD_MAX_LEN: longer than that, dollars included, is
// no keyword.
const maxKeyword = 255

// linkSum is the checksum of a versioned symlink's text, "link TARGET".
func linkSum(target string) sha1Sum { return sha1.Sum([]byte("link " + target)) }

// hashers keep what hashing needs: a status may hash many thousands of files.
var hashers = sync.Pool{New: func() any { return &hasher{Hash: sha1.New()} }}

type hasher struct {
	hash.Hash
	buf [64 << 10]byte
}

// normalSum hashes the normal form of r under the node's properties. size is
// how much there is to read, in bytes; -1 when that is not known.
func normalSum(r io.Reader, size int64, props map[string]string) (sum sha1Sum, err error) {
	if props["svn:eol-style"] != "" || props["svn:keywords"] != "" {
		text, err := io.ReadAll(r)
		if err != nil {
			return sum, err
		}
		return sha1.Sum(normalForm(text, props["svn:eol-style"], props["svn:keywords"])), nil
	}
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.Reset()
	for done := int64(0); done != size; { // no read for the end alone
		n, err := r.Read(h.buf[:])
		h.Write(h.buf[:n])
		done += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return sum, err
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}

// normalForm converts a working text to what the repository stores. svn keeps
// "native" as LF on this platform, and repairs mixed line ends.
func normalForm(text []byte, eolStyle, keywords string) []byte {
	if eol := map[string]string{"native": "\n", "LF": "\n", "CRLF": "\r\n", "CR": "\r"}[eolStyle]; eol != "" {
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
		text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
		if eol != "\n" {
			text = bytes.ReplaceAll(text, []byte("\n"), []byte(eol))
		}
	}
	if keywords == "" {
		return text
	}
	return contractKeywords(text, keywordSet(keywords))
}

func keywordSet(prop string) map[string]bool {
	names := map[string]bool{}
	for _, word := range strings.Fields(prop) {
		if custom, _, ok := strings.Cut(word, "="); ok { // svn 1.8: Name=format
			names[custom] = true
			continue
		}
		for _, n := range keywordNames[strings.ToLower(word)] {
			names[n] = true
		}
	}
	return names
}

func contractKeywords(text []byte, names map[string]bool) []byte {
	out := make([]byte, 0, len(text))
	for {
		i := bytes.IndexByte(text, '$')
		if i < 0 {
			return append(out, text...)
		}
		out, text = append(out, text[:i]...), text[i:]
		end := bytes.IndexAny(text[1:min(len(text), maxKeyword)], "$\r\n")
		if end < 0 || text[1+end] != '$' {
			out, text = append(out, '$'), text[1:]
			continue
		}
		if short, ok := contract(string(text[1:1+end]), names); ok {
			out, text = append(out, short...), text[end+2:]
			continue
		}
		out, text = append(out, '$'), text[1:]
	}
}

// contract turns "Name: value " into "$Name$", and the fixed-width form
// "Name:: value " into the same width of blanks.
func contract(s string, names map[string]bool) (string, bool) {
	name, value, ok := strings.Cut(s, ":")
	if !ok || !names[name] {
		return "", false
	}
	if fixed, ok := strings.CutPrefix(value, ":"); ok {
		if len(fixed) < 2 || fixed[0] != ' ' || fixed[len(fixed)-1] != ' ' && fixed[len(fixed)-1] != '#' {
			return "", false
		}
		return "$" + name + "::" + strings.Repeat(" ", len(fixed)) + "$", true
	}
	if len(value) < 2 || value[0] != ' ' || value[len(value)-1] != ' ' {
		return "", false
	}
	return "$" + name + "$", true
}
