package system

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// maxSize bounds the file, which is a page for people.
const maxSize = 1 << 20

// Error is a fault of a description. Its text is "FILE:LINE: REASON", where
// the reason says what to write instead.
type Error struct {
	File   string // as given to Load; empty for a description that is no file
	Line   int    // from 1; 0 when the fault is in no single line
	Reason string
}

// Error gives "FILE:LINE: REASON", without what is not known of it.
func (e *Error) Error() string {
	switch {
	case e.File == "":
		return e.Reason
	case e.Line == 0:
		return e.File + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Load reads a description; filename is for messages. A policy that is not
// given is [Withhold]. Errors are those of r, or an [*Error]: TOML that cannot
// be parsed, a format that is missing or of another major version, an unknown
// key, a value of the wrong type, and what [Description.Check] refuses.
func Load(r io.Reader, filename string) (*Description, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filename, err)
	}
	if len(text) > maxSize {
		return nil, &Error{File: filename, Reason: "is larger than 1 MiB"}
	}
	d, err := parse(text)
	var fault *Error
	if errors.As(err, &fault) {
		fault.File = filename
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parse goes from what makes the rest meaningless to what is only wrong in
// itself: syntax, format, keys and types, values.
func parse(text []byte) (*Description, error) {
	doc, err := indexLines(text)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(doc.format); err != nil {
		return nil, doc.fault("format", err)
	}
	if err := doc.checkKeys(); err != nil {
		return nil, err
	}
	d := &Description{Secrets: Secrets{Policy: Withhold}}
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(d); err != nil {
		return nil, decodeError(err)
	}
	if err := d.check(doc.fault); err != nil {
		return nil, err
	}
	for i := range d.Noise {
		d.Noise[i].Line = doc.at[fmt.Sprintf("noise[%d]", i)]
	}
	return d, nil
}

// decodeError turns a decoder's error into ours.
func decodeError(err error) *Error {
	fault := &Error{Reason: strings.TrimPrefix(err.Error(), "toml: ")}
	var at *toml.DecodeError
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		fault.Reason = "unknown key"
	}
	if errors.As(err, &at) {
		fault.Line, _ = at.Position()
	}
	return fault
}
