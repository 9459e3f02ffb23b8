package secrets

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Recipient is a public key to seal for.
type Recipient struct {
	Key         string // without a comment
	Fingerprint string // "SHA256:…"; of an SSH key the one that ssh-keygen -l prints
	Comment     string // what follows an SSH key

	age     age.Recipient
	quantum bool // safe from quantum computers
}

// ParseRecipient reads an age public key, "age1…" or the post-quantum
// "age1pq1…", or a line of an SSH public key of type ssh-ed25519 or ssh-rsa.
func ParseRecipient(text string) (Recipient, error) {
	switch {
	case strings.HasPrefix(text, "ssh-"):
		return parseSSH(text)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"), strings.HasPrefix(text, "-----BEGIN"):
		// not quoted: it would end up in logs
		return Recipient{}, errors.New("a recipient is a public key, this is a secret one; it has been seen by whoever sees this file: make another")
	}
	r := Recipient{Key: text, Fingerprint: fingerprint(text)}
	var err error
	switch plugin, _, _ := strings.Cut(strings.TrimPrefix(text, "age1"), "1"); {
	case strings.HasPrefix(text, "age1pq1"):
		r.age, err = age.ParseHybridRecipient(text)
		r.quantum = true
	case strings.HasPrefix(text, "age1") && strings.Count(text, "1") > 1 && plugin != "":
		return Recipient{}, fmt.Errorf("recipient %.60q is one of the plugin %q: rootwc runs no plugins", text, "age-plugin-"+plugin)
	default:
		r.age, err = age.ParseX25519Recipient(text)
	}
	if err != nil {
		return Recipient{}, fmt.Errorf("recipient %.60q is no public key of age (age1…) or SSH (ssh-ed25519 …, ssh-rsa …)", text)
	}
	return r, nil
}

func parseSSH(text string) (Recipient, error) {
	key, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return Recipient{}, fmt.Errorf("recipient %.60q is no SSH public key: it is damaged, or cut", text)
	}
	r := Recipient{Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), Fingerprint: ssh.FingerprintSHA256(key), Comment: comment}
	if r.age, err = agessh.ParseRecipient(r.Key); err != nil {
		return Recipient{}, fmt.Errorf("recipient %.60q: of the SSH keys only ssh-ed25519 and ssh-rsa (2048 bits and more) can be sealed for", text)
	}
	return r, nil
}

func fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// Recipients are all whom files are sealed for, each once, in the order of
// their fingerprints.
type Recipients []Recipient

// ParseRecipients reads a list. The error names the place of the recipient in
// it, from 0, and is an [*IndexError].
func ParseRecipients(list []string) (Recipients, error) {
	var all Recipients
	for i, text := range list {
		r, err := ParseRecipient(text)
		if err != nil {
			return nil, &IndexError{i, err}
		}
		if i > 0 && r.quantum != all[0].quantum {
			return nil, &IndexError{i, errors.New("post-quantum recipients (age1pq1…) and others cannot be mixed: the others would be the weak place of every file")}
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Recipient) int { return strings.Compare(a.Fingerprint, b.Fingerprint) })
	return slices.CompactFunc(all, func(a, b Recipient) bool { return a.Fingerprint == b.Fingerprint }), nil
}

// IndexError is a fault of one recipient in a list.
type IndexError struct {
	Index int
	Err   error
}

// Error is the fault; whoever has the list knows the line.
func (e *IndexError) Error() string { return e.Err.Error() }

// Unwrap is the fault.
func (e *IndexError) Unwrap() error { return e.Err }

// Fingerprints are those of all, sorted.
func (rs Recipients) Fingerprints() []string {
	list := make([]string, len(rs))
	for i, r := range rs {
		list[i] = r.Fingerprint
	}
	return list
}

// Find is the recipient with a fingerprint.
func (rs Recipients) Find(fingerprint string) (Recipient, bool) {
	i := slices.IndexFunc(rs, func(r Recipient) bool { return r.Fingerprint == fingerprint })
	if i < 0 {
		return Recipient{}, false
	}
	return rs[i], true
}

// String is how a recipient is shown: a short key as it is, a long one by its
// fingerprint, with the comment.
func (r Recipient) String() string {
	const short = 80
	words := r.Key
	if kind, _, found := strings.Cut(r.Key, " "); found {
		words = kind + " " + r.Fingerprint
	} else if len(words) > short {
		words = "age1pq " + r.Fingerprint
	}
	if r.Comment != "" {
		words += " " + r.Comment
	}
	return words
}
