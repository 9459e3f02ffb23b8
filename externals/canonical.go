package externals

import "strings"

// canonicalURL returns an absolute URL the way svn_uri_canonicalize writes it:
// scheme and host in lower case, no default port, no empty or "." parts and
// no slash at the end, and in the path the one spelling that escapes what
// must be escaped and nothing else. An escaped slash separates like a plain
// one. Text without "://" is returned as it is.
func canonicalURL(url string) string {
	scheme, rest, found := strings.Cut(url, "://")
	if !found {
		return url
	}
	scheme = lower(scheme)
	authority, path, _ := strings.Cut(rest, "/")
	var b strings.Builder
	b.WriteString(scheme + "://" + canonicalAuthority(scheme, authority))
	for part := range strings.SplitSeq(slashes.Replace(path), "/") {
		if part == "" || part == "." || strings.EqualFold(part, "%2E") {
			continue
		}
		b.WriteByte('/')
		writeEscaped(&b, part)
	}
	return b.String()
}

var slashes = strings.NewReplacer("%2F", "/", "%2f", "/")

// defaultPorts are the ports that a canonical URL leaves out.
var defaultPorts = map[string]string{"http": "80", "https": "443", "svn": "3690"}

// canonicalAuthority writes [user@]host[:port]. The user keeps its case.
func canonicalAuthority(scheme, authority string) string {
	user, host, found := strings.Cut(authority, "@")
	if !found {
		user, host = "", authority
	} else {
		user += "@"
	}
	name, port, found := cutPort(lower(host))
	if found && port != "" && port != defaultPorts[scheme] {
		name += ":" + port
	}
	return user + name
}

// cutPort splits host and port, with an IPv6 address in brackets kept whole.
func cutPort(host string) (name, port string, found bool) {
	from := 0
	if strings.HasPrefix(host, "[") {
		from = max(strings.IndexByte(host, ']'), 0)
	}
	i := strings.IndexByte(host[from:], ':')
	if i < 0 {
		return host, "", false
	}
	return host[:from+i], host[from+i+1:], true
}

// lower changes A to Z only, as Subversion does.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

const upperHex = "0123456789ABCDEF"

// writeEscaped writes one part of a path: escapes of characters that need
// none are resolved, the others get upper-case digits, and a percent sign
// that begins no escape is escaped itself.
func writeEscaped(b *strings.Builder, part string) {
	for i := 0; i < len(part); i++ {
		c := part[i]
		if c == '%' {
			if v, ok := unhex(part, i); ok {
				c, i = v, i+2
			}
		}
		if isPathChar(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
}

// isPathChar reports whether Subversion leaves c unescaped in the path of a
// URL: the pchar of RFC 2396, and the slash.
func isPathChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!$&'()*+,-./:=@_~", c) >= 0
}

// unhex reads the escape at s[i], a percent sign.
func unhex(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high := strings.IndexByte(upperHex, upper(s[i+1]))
	low := strings.IndexByte(upperHex, upper(s[i+2]))
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'f' {
		return c - ('a' - 'A')
	}
	return c
}

// decodePercent resolves every escape in s.
func decodePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if v, ok := unhex(s, i); ok {
				c, i = v, i+2
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
