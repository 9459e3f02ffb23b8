package externals

import "strings"

// special are the characters that separate or quote the words of a line. A
// backslash takes their meaning away.
const special = " \t\"'"

// words splits a line as apr_tokenize_to_argv of APR 1.7 does, which is what
// Subversion uses: words end at a blank or tab; a word that begins with a
// quote ends at the next one of its kind, or with the line; a backslash before
// a blank or quote keeps it in the word; and at last one backslash is taken
// off before any character. A quote ends its word even without a blank after
// it, so `"a"b` is two words.
func words(s string) []string {
	var list []string
	for i := skipBlanks(s, 0); i < len(s); i = skipBlanks(s, i) {
		ends := " \t"
		if s[i] == '"' || s[i] == '\'' {
			ends = s[i : i+1]
			i++
		}
		end := wordEnd(s, i, ends)
		list = append(list, unescape(s[i:end]))
		i = end + 1
	}
	return list
}

// skipBlanks returns the index of the first byte at or after i that is no
// blank.
func skipBlanks(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

// wordEnd returns the index of the first byte at or after i that is in ends
// and not escaped, or the length of s.
func wordEnd(s string, i int, ends string) int {
	for ; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(special, s[i+1]) >= 0:
			i++
		case strings.IndexByte(ends, s[i]) >= 0:
			return i
		}
	}
	return len(s)
}

// unescape takes the backslash off each escaped character. A backslash at the
// end escapes nothing and disappears.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			if i++; i == len(s) {
				break
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// quote writes word so that words reads it back, also as the first word of a
// line, where a bare "#" would begin a comment. The word must not end with a
// backslash: before the closing quote that would be an escape, whatever
// stands before it.
func quote(word string) string {
	if word != "" && word[0] != '#' && !strings.ContainsAny(word, special+`\`) {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(word); i++ {
		if c := word[i]; c == '"' || c == '\'' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(word[i])
	}
	b.WriteByte('"')
	return b.String()
}
