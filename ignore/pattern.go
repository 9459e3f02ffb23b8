package ignore

import "runtime"

// kind says what one element of a pattern stands for.
type kind uint8

const (
	literal   kind = iota // the byte char
	anyByte               // ?
	anyString             // *, the empty string included
	oneOf                 // [...], a byte of class
)

// element is one step of a compiled pattern. All but anyString take exactly
// one byte of the name.
type element struct {
	kind  kind
	char  byte
	class *class
}

// class is a set of bytes, one bit each.
type class [4]uint64

func (c *class) add(b byte)      { c[b>>6] |= 1 << (b & 63) }
func (c *class) has(b byte) bool { return c[b>>6]&(1<<(b&63)) != 0 }

func (c *class) invert() {
	for i := range c {
		c[i] = ^c[i]
	}
}

// signedChar says whether C's char is signed here, because apr compares the
// ends of a range as char: on amd64 [a-ü] matches nothing and on arm64 it
// matches from "a" up to the first byte of "ü".
const signedChar = runtime.GOARCH == "amd64" || runtime.GOARCH == "386" ||
	runtime.GOARCH == "loong64" || runtime.GOARCH == "mips" || runtime.GOARCH == "mipsle" ||
	runtime.GOARCH == "mips64" || runtime.GOARCH == "mips64le"

// addRange adds lo to hi, both included, in the order of C's char.
func (c *class) addRange(lo, hi byte) {
	var flip byte // turns the order of signed bytes into that of unsigned ones
	if signedChar {
		flip = 0x80
	}
	for b := range 256 {
		if x := byte(b) ^ flip; lo^flip <= x && x <= hi^flip {
			c.add(byte(b))
		}
	}
}

// compile reads a pattern as fnmatch(3) without flags does, in the dialect of
// apr_fnmatch, which Subversion calls: bytes, no [:classes:], a backslash
// quotes inside brackets too, a backslash at the very end stands for itself,
// and so does a "[" that is never closed.
func compile(pattern string) []element {
	elements := make([]element, 0, len(pattern))
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*':
			if n := len(elements); n == 0 || elements[n-1].kind != anyString {
				elements = append(elements, element{kind: anyString})
			}
		case c == '?':
			elements = append(elements, element{kind: anyByte})
		case c == '[':
			set, size := bracket(pattern[i:])
			if set == nil {
				elements = append(elements, element{char: c})
				continue
			}
			elements = append(elements, element{kind: oneOf, class: set})
			i += size - 1
		case c == '\\' && i+1 < len(pattern):
			i++
			elements = append(elements, element{char: pattern[i]})
		default:
			elements = append(elements, element{char: c})
		}
	}
	return elements
}

// bracket reads a bracket expression from its "[" on and returns its length.
// The set is nil when the expression is never closed. Only a "]" right after
// the "[" (or "[!") is an ordinary character, and "x-]" is no range.
func bracket(p string) (set *class, size int) {
	set = new(class)
	i := 1
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(p); first = false {
		if p[i] == ']' && !first {
			if negated {
				set.invert()
			}
			return set, i + 1
		}
		if p[i] == '\\' {
			i++
		}
		if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
			lo := p[i]
			i += 2
			if p[i] == '\\' {
				i++
			}
			if i < len(p) {
				set.addRange(lo, p[i])
			}
		} else if i < len(p) {
			set.add(p[i])
		}
		i++
	}
	return nil, 0
}

// literals returns the ordinary characters that elements begin with, and what
// follows them.
func literals(elements []element) (text string, rest []element) {
	n := 0
	for n < len(elements) && elements[n].kind == literal {
		n++
	}
	if n == 0 {
		return "", elements
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = elements[i].char
	}
	return string(b), elements[n:]
}

// match compares a whole name. It goes back to the last star only: what an
// earlier star took can stay as it is, because the shortest choice leaves most
// of the name to the rest. So the cost is at most pattern times name.
func match(elements []element, name string) bool {
	p, n := 0, 0
	star, taken := -1, 0 // the last star, and the end of what it took
	for n < len(name) {
		switch {
		case p < len(elements) && elements[p].kind == anyString:
			star, taken = p, n
			p++
		case p < len(elements) && elements[p].matches(name[n]):
			p++
			n++
		case star >= 0:
			taken++
			p, n = star+1, taken
		default:
			return false
		}
	}
	for p < len(elements) && elements[p].kind == anyString {
		p++
	}
	return p == len(elements)
}

func (e *element) matches(b byte) bool {
	switch e.kind {
	case literal:
		return e.char == b
	case oneOf:
		return e.class.has(b)
	}
	return true
}
