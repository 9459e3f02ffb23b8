package secrets

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Header is what a sealed file says of itself, before its content.
type Header struct {
	Format     string            `json:"format"` // semver
	Path       string            `json:"path"`   // relative to the machine's root
	Properties map[string]string `json:"properties,omitempty"`
}

// Format is the format that this package writes. A file of the same major
// version can be read.
const Format = "1.0.0"

// maxHeader bounds the line of JSON: extended attributes may have 1 MiB, in
// base64.
const maxHeader = 4 << 20

// Seal encrypts: what is written to the result goes to w, sealed. It is
// complete when Close has returned nil.
func (rs Recipients) Seal(w io.Writer, path string, properties map[string]string) (io.WriteCloser, error) {
	if len(rs) == 0 {
		return nil, errors.New("there is nobody to seal for")
	}
	to := make([]age.Recipient, len(rs))
	for i, r := range rs {
		to[i] = r.age
	}
	line, err := json.Marshal(Header{Format, path, properties})
	if err != nil {
		return nil, err
	}
	if len(line) >= maxHeader {
		return nil, fmt.Errorf("its metadata has more than %d MiB", maxHeader>>20)
	}
	out, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	return out, nil
}

// ErrNoIdentity is the error for a file that is sealed for others.
var ErrNoIdentity = errors.New("no identity that was given opens it")

// Opened is a sealed file with an identity that opens it. Reading it gives the
// content; only at its end (io.EOF) it is certain to be whole.
type Opened struct {
	Header
	io.Reader
}

// Open opens the sealed form of a path.
func Open(r io.Reader, path string, with Identities) (*Opened, error) {
	clear, err := age.Decrypt(r, with...)
	if err != nil {
		return nil, opening(err)
	}
	text := bufio.NewReader(clear)
	line, err := readLine(text)
	if err != nil {
		return nil, fmt.Errorf("it is no sealed file of rootwc, or damaged: %w", err)
	}
	o := &Opened{Reader: text}
	if err := json.Unmarshal(line, &o.Header); err != nil {
		return nil, errors.New("it is no sealed file of rootwc: its first line is no header") // the JSON error may quote a secret
	}
	if major, _, _ := strings.Cut(o.Format, "."); major != "1" {
		return nil, fmt.Errorf("it has format %.20q, this rootwc knows %s: update rootwc", o.Format, Format)
	}
	if o.Path != path {
		return nil, fmt.Errorf("it was sealed as %q: somebody has put it in this place", o.Path)
	}
	return o, nil
}

// readLine reads the header without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line, []byte("\n")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxHeader:
			return nil, errors.New("its header is too long")
		}
	}
}

// Opens says whether one of the identities opens a sealed file, of which it
// reads the beginning only: nil, [ErrNoIdentity], or what is wrong with it.
func Opens(r io.Reader, with Identities) error {
	header, err := age.ExtractHeader(r)
	if err != nil {
		return fmt.Errorf("it is no age file, or damaged: %w", err)
	}
	_, err = age.DecryptHeader(header, with...)
	return opening(err)
}

// opening words an error of age.
func opening(err error) error {
	var others *age.NoIdentityMatchError
	if errors.As(err, &others) {
		return ErrNoIdentity
	}
	return err
}
