package externals

import "strings"

// String returns the property value: what [Parse] read, byte for byte, apart
// from the lines that an edit changed.
func (d Definitions) String() string {
	var b strings.Builder
	for _, l := range d.lines {
		b.WriteString(l.raw)
	}
	return b.String()
}

// String returns the definition as one line without its end. A definition
// that Parse returned and nobody changed gives its line back byte for byte;
// any other is written anew in its format. The old format cannot say
// everything; where it cannot, the new one is used.
func (d Definition) String() string {
	if d.text != "" {
		if read, found, err := parseLine(d.text); found && err == nil {
			read.Dir, read.Line = d.Dir, d.Line
			if read == d {
				return d.text
			}
		}
	}
	if d.Format == Old && d.fitsOld() {
		return d.formatOld()
	}
	return d.formatNew()
}

// formatNew writes "[-rREV] URL[@PEG] TARGET".
func (d Definition) formatNew() string {
	url := d.URL
	switch {
	case !d.Peg.IsHead():
		url += "@" + d.Peg.String()
	case strings.ContainsRune(url[strings.LastIndexByte(url, '/')+1:], '@'), strings.HasSuffix(url, `\`):
		// An empty peg revision: the "@" before it is part of the name, and
		// the backslash is not the last character, which quote cannot write.
		url += "@"
	}
	return d.operative() + quote(url) + " " + quote(targetWord(d.Target))
}

// fitsOld reports whether the old format can express d: without -r Subversion
// would read a relative URL as the target.
func (d Definition) fitsOld() bool {
	return d.Peg == d.Revision && !strings.HasSuffix(d.URL, `\`) &&
		(!d.Revision.IsHead() || isAbsoluteURL(d.URL))
}

// formatOld writes "TARGET [-rREV] URL".
func (d Definition) formatOld() string {
	return quote(targetWord(d.Target)) + " " + d.operative() + quote(d.URL)
}

// operative writes "-rREV " or nothing.
func (d Definition) operative() string {
	if d.Revision.IsHead() {
		return ""
	}
	return quote("-r"+d.Revision.String()) + " "
}

// targetWord guards a target that would be read as something else: "-r…" as a
// revision. A backslash at the end would escape the closing quote.
// Subversion takes both additions off again.
func targetWord(target string) string {
	if strings.HasPrefix(target, "-r") {
		target = "./" + target
	}
	if strings.HasSuffix(target, `\`) {
		target += "/"
	}
	return target
}
