package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"rootwc/ignore"
	"rootwc/internal/osrelease"
	"rootwc/secrets"
	"rootwc/system"
	"rootwc/wc"
)

type initCmd struct {
	URL       string   `arg:"" help:"Directory in a repository for this machine, such as https://server/svn/hosts/laptop. It is made when it is not there."`
	Paths     []string `name:"path" help:"Take these instead of etc." placeholder:"PATH"`
	Hostname  string   `help:"Name in the description; default: what etc/hostname says." placeholder:"NAME"`
	Secrets   string   `help:"What to do with files that others may not read: ${enum}." enum:"withhold,clear,encrypt" default:"withhold"`
	Recipient []string `sep:"none" help:"With --secrets=encrypt: who may read them, by a public key of age or SSH; once for each." placeholder:"KEY"`
	DryRun    bool     `name:"dry-run" help:"Only say what would be scheduled."`
}

// Run makes the root a working copy and schedules /etc for the first commit.
func (c *initCmd) Run(a *app) (err error) {
	recipients, err := c.recipients()
	if err != nil {
		return err
	}
	t, err := a.openRoot()
	if err != nil {
		return err
	}
	if _, err := t.Client.Version(a.ctx); err != nil {
		t.Close()
		return err
	}
	if t.IsWorkingCopy() {
		t.Close()
		return wc.Hint(wc.Refuse("cannot init %q: it is a working copy already", t.Root), "rootwc status")
	}
	t.Withhold, t.Recipients = system.Policy(c.Secrets) != system.Clear, recipients
	rels, err := paths(t, c.Paths)
	if err != nil {
		t.Close()
		return err
	}
	if len(rels) == 0 {
		rels = []string{"etc"}
	}
	family, release := osRelease(t)
	description, err := c.description(t, family, release)
	if err != nil {
		t.Close()
		return err
	}
	policy := generated(t, ignore.Policy(family))
	if c.DryRun {
		defer t.Close()
		return c.plan(a, t, rels, policy)
	}
	if _, err := t.CheckInitURL(a.ctx, c.URL); err != nil {
		t.Close()
		return err
	}
	defer t.KeepTimes(".", "var", "var/lib")()
	w, err := t.Begin("init")
	if err != nil {
		t.Close()
		return fmt.Errorf("cannot init: %w", err)
	}
	defer end(t, w, &err)
	r, err := w.Init(a.ctx, wc.InitOptions{URL: c.URL, Paths: rels, Policy: policy, Description: description})
	if err == nil {
		err = trust(w, system.Secrets{Policy: system.Policy(c.Secrets), Recipients: c.Recipient})
	}
	if err != nil {
		return err
	}
	a.tellGathered(&r.Gathered)
	if r.Created {
		fmt.Fprintf(a.out, "Made %s.\n", c.URL)
	}
	fmt.Fprintf(a.out, "%s is a working copy of %s; %d paths are scheduled.\n", t.Root, c.URL, r.Scheduled)
	fmt.Fprintln(a.out, "Review them with rootwc status, then: rootwc commit -m 'first state'")
	return nil
}

// recipients reads whom to encrypt for.
func (c *initCmd) recipients() (secrets.Recipients, error) {
	encrypt := system.Policy(c.Secrets) == system.Encrypt
	switch {
	case encrypt && len(c.Recipient) == 0:
		return nil, wc.Hint(errors.New("cannot init: --secrets=encrypt needs a --recipient"), "the public key of age-keygen, or a line of ~/.ssh/id_ed25519.pub")
	case !encrypt && len(c.Recipient) > 0:
		return nil, errors.New("cannot init: --recipient goes with --secrets=encrypt")
	}
	recipients, err := secrets.ParseRecipients(c.Recipient)
	if err != nil {
		return nil, fmt.Errorf("cannot init: %w", err)
	}
	return recipients, nil
}

// plan says what init would schedule.
func (c *initCmd) plan(a *app, t *wc.Tree, rels []string, policy ignore.DefaultPolicy) error {
	g, err := t.PlanInit(rels, policy)
	if err != nil {
		return fmt.Errorf("cannot init: %w", err)
	}
	for _, p := range append([]string{".rootwc", wc.DescriptionPath}, g.Paths()...) {
		a.line('A', p, "")
	}
	a.tellGathered(g)
	return nil
}

// description makes the first .rootwc/system.toml.
func (c *initCmd) description(t *wc.Tree, family ignore.Family, release map[string]string) ([]byte, error) {
	host := c.Hostname
	if host == "" {
		text, _ := t.ReadFile("etc/hostname")
		host = strings.TrimSpace(string(text))
	}
	if host == "" && t.Root == "/" {
		host, _ = os.Hostname()
	}
	if host == "" {
		host = filepath.Base(c.URL)
	}
	manager := map[ignore.Family]string{ignore.Debian: "apt", ignore.Fedora: "dnf", ignore.Arch: "pacman"}[family]
	d := system.New(host, release["ID"], release["VERSION_ID"], manager)
	d.Secrets = system.Secrets{Policy: system.Policy(c.Secrets), Recipients: c.Recipient}
	var text bytes.Buffer
	err := d.Encode(&text)
	return text.Bytes(), err
}

// osRelease reads which distribution the root holds, os-release(5).
func osRelease(t *wc.Tree) (ignore.Family, map[string]string) {
	fields := osrelease.Read(t.ReadFile)
	if fields == nil {
		return ignore.Unknown, nil
	}
	return ignore.FamilyOf(fields), fields
}

// generated adds files to the policy that are noise only where a program
// writes them, which their content tells.
func generated(t *wc.Tree, p ignore.DefaultPolicy) ignore.DefaultPolicy {
	for name, is := range map[string]func([]byte, bool, string) bool{
		"resolv.conf": ignore.GeneratedResolvConf, "printcap": ignore.GeneratedPrintcap,
	} {
		link, err := t.Readlink("etc/" + name)
		text, rerr := t.ReadFile("etc/" + name)
		if err != nil && rerr != nil {
			continue
		}
		if is(text, err == nil, link) {
			p.Ignore["etc"] += name + "\n"
		}
	}
	return p
}

// tellGathered prints what a walk left out or changed on the way.
func (a *app) tellGathered(g *wc.Gathered) {
	for _, s := range g.Skipped {
		a.warn("left out %s: %s", s.Path, s.Why)
	}
	for _, names := range g.Links {
		a.warn("hard links become separate files: %s", strings.Join(names, ", "))
	}
	words := withheldWords
	if len(a.tree.Recipients) > 0 {
		words = encryptedWords
	}
	a.tellClosed(words, g.Withheld)
}

const (
	withheldWords  = "Withheld, because others may not read them here (their content is not sent):"
	encryptedWords = "Encrypted, because others may not read them here:"
)

// tellClosed lists files that others may not read.
func (a *app) tellClosed(words string, paths []string) {
	if len(paths) == 0 {
		return
	}
	fmt.Fprintln(a.out, words)
	for _, p := range paths {
		fmt.Fprintf(a.out, "  %s\n", safe(p))
	}
}
