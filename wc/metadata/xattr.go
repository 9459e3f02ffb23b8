package metadata

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of extended attributes with a meaning of their own.
const (
	xattrACL        = "system.posix_acl_access"
	xattrDefaultACL = "system.posix_acl_default"
	xattrCapability = "security.capability"
)

// Limits of xattr(7) for one name and one value, and ours for a whole file:
// XFS and Btrfs would take hundreds of megabytes, a property should not.
const (
	maxXattrName  = 255
	maxXattrValue = 64 << 10
	maxXattrs     = 1 << 20
)

// ErrTooLarge says that the attributes of one file exceed 1 MiB in all.
var ErrTooLarge = errors.New("extended attributes exceed 1 MiB")

// Xattr is one extended attribute, with the name as xattr(7) has it, namespace
// included, and the value as the kernel holds it.
type Xattr struct {
	Name  string
	Value []byte
}

// Versioned reports whether the attribute with this name is recorded in
// rootwc:xattr. The package comment says why others are not.
func Versioned(name string) bool {
	return name == xattrCapability ||
		strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.")
}

// Capability returns the value of security.capability, nil for none.
func (v *Values) Capability() []byte {
	i, ok := findXattr(v.Xattrs, xattrCapability)
	if !ok {
		return nil
	}
	return v.Xattrs[i].Value
}

func findXattr(list []Xattr, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(x Xattr, name string) int {
		return cmp.Compare(x.Name, name)
	})
}

func sortXattrs(list []Xattr) {
	slices.SortFunc(list, func(x, y Xattr) int { return cmp.Compare(x.Name, y.Name) })
}

// FormatXattrs writes attributes for the property rootwc:xattr, one per line
// and sorted, in the encoding of getfattr(1): NAME="text" where the value is
// printable UTF-8, NAME=0sBASE64 otherwise. Odd bytes of a name become \ooo.
// setfattr --restore reads these lines too.
func FormatXattrs(list []Xattr) string {
	if !slices.IsSortedFunc(list, func(x, y Xattr) int { return cmp.Compare(x.Name, y.Name) }) {
		list = slices.Clone(list)
		sortXattrs(list)
	}
	var b strings.Builder
	for _, x := range list {
		b.WriteString(quoteXattrName(x.Name))
		b.WriteByte('=')
		b.WriteString(quoteXattrValue(x.Value))
		b.WriteByte('\n')
	}
	return b.String()
}

// printable reports whether text can stand in a line as it is. Blanks other
// than the space, and the invisible characters that reorder text, cannot.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func quoteXattrValue(value []byte) string {
	if text := string(value); printable(text) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return "0s" + base64.StdEncoding.EncodeToString(value)
}

// quoteXattrName escapes what would end the name or the line, and what is not
// printable. A printable name without = and \ stands for itself.
func quoteXattrName(name string) string {
	if printable(name) && !strings.ContainsAny(name, `=\`) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if unicode.IsPrint(r) && r != '=' && r != '\\' && (r != utf8.RuneError || n > 1) {
			b.WriteString(name[:n])
		} else {
			for _, c := range []byte(name[:n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		}
		name = name[n:]
	}
	return b.String()
}

// ParseXattrs reads what [FormatXattrs] wrote, and values in setfattr(1)'s
// hexadecimal form 0x…. The result is sorted. Errors name the line: one that
// cannot be read, a name twice, an attribute that is not [Versioned], sizes
// beyond what the kernel takes.
func ParseXattrs(text string) ([]Xattr, error) {
	var list []Xattr
	total, n := 0, 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		if line == "" {
			continue
		}
		x, err := parseXattr(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if total += len(x.Name) + len(x.Value); total > maxXattrs {
			return nil, fmt.Errorf("line %d: %w", n, ErrTooLarge)
		}
		list = append(list, x)
	}
	sortXattrs(list)
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, fmt.Errorf("attribute %s is given twice", quoteXattrName(list[i].Name))
		}
	}
	return list, nil
}

func parseXattr(line string) (Xattr, error) {
	quoted, value, ok := strings.Cut(line, "=")
	if !ok {
		return Xattr{}, fmt.Errorf("%.40q has no =", line)
	}
	name, err := unescape(quoted, false)
	if err != nil {
		return Xattr{}, fmt.Errorf("attribute name %.40q: %w", quoted, err)
	}
	namespace, rest, _ := strings.Cut(string(name), ".")
	switch {
	case len(name) > maxXattrName:
		return Xattr{}, fmt.Errorf("attribute name of %d bytes is too long", len(name))
	case namespace == "" || rest == "" || bytes.IndexByte(name, 0) >= 0:
		return Xattr{}, fmt.Errorf("%.40q is no attribute name", name)
	case !Versioned(string(name)):
		return Xattr{}, fmt.Errorf("attribute %s is not versioned, only user.*, trusted.* and security.capability are", quoteXattrName(string(name)))
	}
	data, err := parseXattrValue(value)
	if err != nil {
		return Xattr{}, fmt.Errorf("attribute %s: %w", quoted, err)
	}
	if len(data) > maxXattrValue {
		return Xattr{}, fmt.Errorf("attribute %s: value of %d bytes is too long", quoted, len(data))
	}
	return Xattr{Name: string(name), Value: data}, nil
}

// parseXattrValue never returns nil without an error: an attribute may be
// empty.
func parseXattrValue(s string) ([]byte, error) {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return unescape(s[1:len(s)-1], true)
	}
	switch {
	case strings.HasPrefix(s, "0s"):
		return base64.StdEncoding.Strict().AppendDecode([]byte{}, []byte(s[2:]))
	case strings.HasPrefix(s, "0x"):
		return hex.AppendDecode([]byte{}, []byte(s[2:]))
	}
	return nil, errors.New(`value is neither "text" nor 0s… nor 0x…`)
}

// unescape undoes the backslashes of getfattr(1): \ooo anywhere, and \\ and
// \" within quotes, where a bare quote is an error.
func unescape(s string, quoted bool) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"' && quoted:
			return nil, errors.New(`" inside the quotes needs a backslash`)
		case s[i] != '\\':
			b = append(b, s[i])
		case quoted && i+1 < len(s) && (s[i+1] == '\\' || s[i+1] == '"'):
			i++
			b = append(b, s[i])
		case i+3 < len(s) && isOctal(s[i+1:i+4]):
			b = append(b, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 3
		default:
			return nil, errors.New(`backslash is not followed by three octal digits`)
		}
	}
	return b, nil
}

// isOctal takes three digits of at most \377.
func isOctal(s string) bool {
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7'
}
