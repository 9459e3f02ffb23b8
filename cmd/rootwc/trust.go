package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"rootwc/conffiles"
	"rootwc/secrets"
	"rootwc/system"
	"rootwc/wc"
)

// applySecrets applies what the description says of secrets, as far as somebody
// has agreed to it on this machine: the description comes from the repository.
func applySecrets(t *wc.Tree, d *system.Description) {
	t.Withhold, t.Recipients, t.Distrusted = true, nil, nil
	if d == nil {
		return
	}
	if d.Secrets.Policy == system.Encrypt {
		t.Recipients, _ = secrets.ParseRecipients(d.Secrets.Recipients) // checked when it was loaded
	}
	agreed, err := t.Trusted()
	switch {
	case errors.Is(err, fs.ErrPermission): // an ordinary user, who can commit nothing here
		t.Withhold = d.Secrets.Policy != system.Clear
	case err != nil:
		t.Distrusted = err
	case d.Secrets.Policy == system.Clear && !agreed.Clear:
		t.Distrusted = errors.New("the description wants secrets to be sent in clear, and nobody has agreed to that on this machine")
	case d.Secrets.Policy == system.Clear:
		t.Withhold = false
	case d.Secrets.Policy == system.Encrypt:
		t.Distrusted = otherRecipients(agreed, t.Recipients)
	}
}

// otherRecipients says what differs between the recipients agreed to and those
// of the description.
func otherRecipients(agreed *wc.Trust, now secrets.Recipients) error {
	added, removed, err := agreed.Changes(now)
	if err != nil {
		return err
	}
	if len(added)+len(removed) == 0 {
		return nil
	}
	var words []string
	for _, r := range added {
		words = append(words, "+ "+r.String())
	}
	for _, r := range removed {
		words = append(words, "- "+r.String())
	}
	return fmt.Errorf("the description has other recipients of secrets than this machine agreed to (%s)", strings.Join(words, ", "))
}

// trust notes that somebody agrees to what a description says of secrets.
func trust(w *wc.Work, s system.Secrets) error {
	switch s.Policy {
	case system.Clear:
		return w.Trust(&wc.Trust{Clear: true})
	case system.Encrypt:
		return w.Trust(&wc.Trust{Recipients: s.Recipients})
	}
	return nil
}

// trustFirst agrees to the description that a first materialize has brought:
// who names the repository trusts it as it is on that day, with everything
// else on the machine. What changes later is another matter.
func trustFirst(r *wc.Rivals, w *wc.Work) error {
	d, err := readDescription(func(path string) ([]byte, error) { return r.Repository(path, conffiles.MaxSize) })
	if err != nil || d == nil {
		return nil // told when it is applied
	}
	return trust(w, d.Secrets)
}

// narrow ends what was agreed to when the description wants secrets to stay
// here: it would have to be agreed to anew.
func narrow(t *wc.Tree, w *wc.Work) error {
	d, err := loadDescription(t)
	if err != nil || d == nil || d.Secrets.Policy != system.Withhold {
		return err
	}
	agreed, err := t.Trusted()
	if err != nil || !agreed.Clear && len(agreed.Recipients) == 0 {
		return err
	}
	return w.Trust(&wc.Trust{})
}

type secretsTrustCmd struct {
	Recipients []string `arg:"" optional:"" help:"Agree to these recipients of the description, by key or fingerprint; without any, it is asked at the terminal."`
	Clear      bool     `help:"Agree that secrets are sent in clear."`
}

// Run agrees to what the description says of secrets.
func (c *secretsTrustCmd) Run(a *app) (err error) {
	t, w, err := a.begin("secrets trust")
	if err != nil {
		return err
	}
	defer end(t, w, &err)
	if t.BadPage != nil {
		return t.BadPage
	}
	if t.Distrusted == nil {
		fmt.Fprintln(a.out, "This machine has agreed to what the description says of secrets.")
		return nil
	}
	d, err := loadDescription(t)
	if err != nil || d == nil {
		return err
	}
	if err := c.agree(a, t, d); err != nil {
		return err
	}
	t.Distrusted = nil
	return trust(w, d.Secrets)
}

// agree takes the agreement from the command line, or asks.
func (c *secretsTrustCmd) agree(a *app, t *wc.Tree, d *system.Description) error {
	switch {
	case d.Secrets.Policy == system.Clear && c.Clear:
		return nil
	case d.Secrets.Policy == system.Clear:
		if a.confirm("The description wants secrets to be sent in clear. Do that?") {
			return nil
		}
		return wc.Hint(wc.Refuse("cannot trust: nobody agreed"), "rootwc secrets trust --clear")
	}
	agreed, err := t.Trusted()
	if err != nil {
		return err
	}
	added, removed, err := agreed.Changes(t.Recipients)
	if err != nil {
		return err
	}
	for _, r := range removed {
		fmt.Fprintf(a.out, "- %s\n", safe(r.String()))
	}
	for _, r := range added {
		fmt.Fprintf(a.out, "+ %s\n", safe(r.String()))
	}
	missing := slices.DeleteFunc(added, c.names)
	switch {
	case len(missing) == 0 && len(c.Recipients) > 0:
		return nil
	case len(c.Recipients) == 0 && a.confirm("Encrypt this machine's secrets for these recipients from now on?"):
		return nil
	case len(c.Recipients) > 0:
		return wc.Refuse("cannot trust: the description also adds %s", missing[0])
	}
	return wc.Hint(wc.Refuse("cannot trust: nobody agreed"), "name every recipient that is added, by its key or fingerprint: rootwc secrets trust KEY…")
}

// names says whether the command line names a recipient.
func (c *secretsTrustCmd) names(r secrets.Recipient) bool {
	return slices.ContainsFunc(c.Recipients, func(given string) bool {
		named, err := secrets.ParseRecipient(given)
		return given == r.Fingerprint || err == nil && named.Fingerprint == r.Fingerprint
	})
}
