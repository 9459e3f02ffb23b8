package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"rootwc/secrets"
)

// identityOptions are those of verbs that open encrypted files.
type identityOptions struct {
	Identity               []string `sep:"none" help:"Bring encrypted files back with the secret keys in FILE: of age, or an SSH private key; - is standard input." placeholder:"FILE"`
	IdentityPassphraseFile string   `name:"identity-passphrase-file" help:"The first line of FILE is the passphrase of the identities; without it, they ask at the terminal." placeholder:"FILE"`

	identities secrets.Identities
}

// readIdentities reads the files that the options name. An SSH key asks for its
// passphrase when it is needed.
func (o *identityOptions) readIdentities(a *app) error {
	if len(o.identities) > 0 {
		return nil // by a verb that this one is a part of
	}
	if slices.Contains(o.Identity, "-") && a.global.PasswordFromStdin {
		return errors.New("cannot read both a password and identities from standard input")
	}
	for _, name := range o.Identity {
		ids, err := o.readIdentity(a, name)
		if err != nil {
			return fmt.Errorf("cannot read an identity: %w", err)
		}
		o.identities = append(o.identities, ids...)
	}
	return nil
}

func (o *identityOptions) readIdentity(a *app, name string) (secrets.Identities, error) {
	var text []byte
	var err error
	if name == "-" {
		name = "standard input"
		text, err = io.ReadAll(a.stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, err
	}
	return secrets.ParseIdentities(name, text, func(what string) ([]byte, error) { return o.passphrase(a, what) })
}

// passphrase takes the passphrase of an identity from its file, or asks.
func (o *identityOptions) passphrase(a *app, what string) ([]byte, error) {
	if o.IdentityPassphraseFile != "" {
		text, err := os.ReadFile(o.IdentityPassphraseFile)
		if err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		return line, nil
	}
	in, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return nil, fmt.Errorf("%s has a passphrase, and standard input is no terminal to ask at; --identity-passphrase-file FILE gives it", what)
	}
	return a.readSecret(in, fmt.Sprintf("Passphrase of %s: ", safe(what)))
}
