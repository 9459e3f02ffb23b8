package wc

import (
	"errors"
	"strconv"
)

// skel is Subversion's list syntax, in which wc.db keeps properties and
// conflicts: "(" items ")", an item being a list, a bare word or
// "LENGTH BYTES". Source: subversion/libsvn_subr/skel.h.
type skel struct {
	atom   []byte
	list   []skel
	isList bool
}

var errSkel = errors.New("malformed property list in wc.db")

// maxSkelDepth bounds nesting; svn itself needs five levels.
const maxSkelDepth = 64

func parseSkel(b []byte) (skel, error) {
	s, rest, err := parseSkelAt(b, 0)
	if err == nil && len(rest) > 0 {
		err = errSkel
	}
	return s, err
}

func parseSkelAt(b []byte, depth int) (skel, []byte, error) {
	if len(b) == 0 || depth > maxSkelDepth {
		return skel{}, nil, errSkel
	}
	switch c := b[0]; {
	case c == '(':
		return parseSkelList(b[1:], depth)
	case c >= '0' && c <= '9':
		i := 0
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(string(b[:i]))
		if err != nil || i >= len(b) || !skelSpace(b[i]) || n > len(b)-i-1 {
			return skel{}, nil, errSkel
		}
		return skel{atom: b[i+1 : i+1+n]}, b[i+1+n:], nil
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		i := 0
		for i < len(b) && !skelSpace(b[i]) && b[i] != '(' && b[i] != ')' {
			i++
		}
		return skel{atom: b[:i]}, b[i:], nil
	}
	return skel{}, nil, errSkel
}

func parseSkelList(b []byte, depth int) (skel, []byte, error) {
	s := skel{isList: true}
	for {
		for len(b) > 0 && skelSpace(b[0]) {
			b = b[1:]
		}
		if len(b) == 0 {
			return skel{}, nil, errSkel
		}
		if b[0] == ')' {
			return s, b[1:], nil
		}
		item, rest, err := parseSkelAt(b, depth+1)
		if err != nil {
			return skel{}, nil, err
		}
		s.list, b = append(s.list, item), rest
	}
}

func skelSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// parseProps reads a property list, "(name value name value …)". "" or "()"
// has none.
func parseProps(text string) (map[string]string, error) {
	if text == "" || text == "()" {
		return nil, nil
	}
	s, err := parseSkel([]byte(text))
	if err != nil {
		return nil, err
	}
	return s.props()
}

func (s skel) props() (map[string]string, error) {
	if !s.isList || len(s.list)%2 != 0 {
		return nil, errSkel
	}
	props := make(map[string]string, len(s.list)/2)
	for i := 0; i < len(s.list); i += 2 {
		if s.list[i].isList || s.list[i+1].isList {
			return nil, errSkel
		}
		props[string(s.list[i].atom)] = string(s.list[i+1].atom)
	}
	return props, nil
}

// inherited is the property list of one parent in the repository.
type inherited struct {
	path  string
	props map[string]string
}

// parseInherited reads the cache of properties inherited from above a working
// copy's root, "(path (name value …) path (…) …)".
func parseInherited(text string) ([]inherited, error) {
	if text == "" || text == "()" {
		return nil, nil
	}
	s, err := parseSkel([]byte(text))
	if err != nil || !s.isList || len(s.list)%2 != 0 {
		return nil, errSkel
	}
	var out []inherited
	for i := 0; i < len(s.list); i += 2 {
		props, err := s.list[i+1].props()
		if err != nil {
			return nil, err
		}
		out = append(out, inherited{string(s.list[i].atom), props})
	}
	return out, nil
}
