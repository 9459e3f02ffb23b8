package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// Identities are secret keys, in memory only.
type Identities []age.Identity

// maxIdentities bounds a file of identities that is encrypted.
const maxIdentities = 1 << 20

const (
	ageMagic   = "age-encryption.org/" // begins an age file
	sshMagic   = "-----BEGIN"          // begins an SSH private key
	armorMagic = armor.Header
)

// ParseIdentities reads a file of secret keys: of age, one in each line, as
// age-keygen writes it; the same encrypted with a passphrase; or an SSH private
// key. name is for messages, which never hold any of the text. ask is called
// for a passphrase when one is needed, with what it is for: that of an SSH key
// only when a file is sealed for it.
func ParseIdentities(name string, text []byte, ask func(what string) ([]byte, error)) (Identities, error) {
	trimmed := bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(trimmed, []byte(armorMagic)):
		return unlock(name, armor.NewReader(bytes.NewReader(trimmed)), ask)
	case bytes.HasPrefix(text, []byte(ageMagic)):
		return unlock(name, bytes.NewReader(text), ask)
	case bytes.HasPrefix(trimmed, []byte(sshMagic)):
		id, err := sshIdentity(name, trimmed, ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return Identities{id}, nil
	}
	return parseLines(name, text)
}

// parseLines reads identities of age. An error of that package may quote.
func parseLines(name string, text []byte) (Identities, error) {
	var all Identities
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var id age.Identity
		var err error
		switch {
		case strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1"):
			id, err = age.ParseHybridIdentity(line)
		case strings.HasPrefix(line, "AGE-SECRET-KEY-1"):
			id, err = age.ParseX25519Identity(line)
		case strings.HasPrefix(line, "AGE-PLUGIN-"):
			return nil, fmt.Errorf("%s:%d: an identity of a plugin: rootwc runs no plugins", name, i+1)
		case strings.HasPrefix(line, "age1"), strings.HasPrefix(line, "ssh-"):
			return nil, fmt.Errorf("%s:%d: a public key: an identity is a secret one", name, i+1)
		default:
			err = errors.New("no identity")
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: no identity of age (AGE-SECRET-KEY-…) and no SSH private key", name, i+1)
		}
		all = append(all, id)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no identity in it", name)
	}
	return all, nil
}

// unlock reads identities that a passphrase protects.
func unlock(name string, sealed io.Reader, ask func(string) ([]byte, error)) (Identities, error) {
	passphrase, err := ask(name)
	if err != nil {
		return nil, err
	}
	key, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("%s: the passphrase is empty", name)
	}
	clear, err := age.Decrypt(sealed, key)
	if err != nil {
		return nil, fmt.Errorf("%s: the passphrase does not open it, or it is no file of identities", name)
	}
	text, err := io.ReadAll(io.LimitReader(clear, maxIdentities))
	if err != nil {
		return nil, fmt.Errorf("%s: it is damaged", name)
	}
	return parseLines(name, text)
}

// sshIdentity reads an SSH private key.
func sshIdentity(name string, pem []byte, ask func(string) ([]byte, error)) (age.Identity, error) {
	pem = append(bytes.Clone(pem), '\n')
	id, err := agessh.ParseIdentity(pem)
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return id, nil
	case !errors.As(err, &locked):
		return nil, errors.New("no SSH private key of type ed25519 or RSA")
	case locked.PublicKey == nil:
		return nil, errors.New("an SSH private key in an old format, with a passphrase: \"ssh-keygen -p -f FILE\" writes it in the format of today")
	}
	return agessh.NewEncryptedSSHIdentity(locked.PublicKey, pem, func() ([]byte, error) { return ask(name) })
}
