package wc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"rootwc/secrets"
)

// trustFile, in the state directory, holds what a person has agreed to on this
// machine. The description comes from the repository: whoever can write there
// could otherwise have the machine's secrets sent to them with its next commit.
const trustFile = "trust.json"

// Trust is what this machine may do with content that others may not read.
type Trust struct {
	Clear      bool     `json:"clear,omitempty"`      // send it as it is
	Recipients []string `json:"recipients,omitempty"` // send it encrypted for these keys
}

// Trusted reads what was agreed to; nothing when nobody has.
func (t *Tree) Trusted() (*Trust, error) {
	trust := &Trust{}
	text, err := os.ReadFile(t.State.path(trustFile))
	if errors.Is(err, fs.ErrNotExist) {
		return trust, nil
	}
	if err == nil {
		err = json.Unmarshal(text, trust)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", t.State.path(trustFile), cause(err))
	}
	return trust, nil
}

// Trust notes what was agreed to.
func (w *Work) Trust(trust *Trust) error {
	text, err := json.MarshalIndent(trust, "", " ")
	if err != nil {
		return err
	}
	return w.tree.State.writeDurable(trustFile, text)
}

// Changes are the recipients that are added and removed when others take the place of
// those agreed to.
func (t *Trust) Changes(to secrets.Recipients) (added, removed secrets.Recipients, err error) {
	old, err := secrets.ParseRecipients(t.Recipients)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range to {
		if _, found := old.Find(r.Fingerprint); !found {
			added = append(added, r)
		}
	}
	for _, r := range old {
		if _, found := to.Find(r.Fingerprint); !found {
			removed = append(removed, r)
		}
	}
	return added, removed, nil
}
