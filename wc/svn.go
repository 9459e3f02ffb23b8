package wc

import (
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"

	"rootwc/internal/run"
)

// minimumSvn is the oldest svn client whose options rootwc relies on:
// 1.10 brought --password-from-stdin.
var minimumSvn = semver.MustParse("1.10.0")

// Client runs the svn program: always without questions, with a
// configuration directory of rootwc's own, never over externals. It is safe
// for concurrent use once its exported fields are set.
type Client struct {
	ConfigDir string // svn's --config-dir, see [WriteConfig]
	Username  string // --username, "" leaves it to svn
	Password  string // handed over on standard input, "" for none
	Echo      func(line string)

	mu       sync.Mutex
	homes    map[uint32]*temporary // configuration directories by user
	required chan error            // see Require
}

// svnConfig is the runtime configuration that every svn child gets. The
// built-in global-ignores would hide *.so, *.o and *~ (svn 1.14), auto-props
// would add properties that nobody asked for, and exclusive locking halves
// the time of a checkout: the databases that rootwc lets svn write are
// private, so nobody waits for the lock.
const svnConfig = `[miscellany]
global-ignores =
enable-auto-props = no
use-commit-times = no
preserved-conflict-file-exts =
[working-copy]
exclusive-locking = true
[auth]
[helpers]
[tunnels]
`

const svnServers = `[groups]
[global]
store-plaintext-passwords = no
store-ssl-client-cert-pp-plaintext = no
`

// WriteConfig makes dir a configuration directory for svn, mode 0700, and
// leaves a "servers" file and the credentials in "auth" that are there alone.
func WriteConfig(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeIfChanged(filepath.Join(dir, "config"), svnConfig); err != nil {
		return err
	}
	servers := filepath.Join(dir, "servers")
	if _, err := os.Lstat(servers); err == nil {
		return nil
	}
	return writeIfChanged(servers, svnServers)
}

func writeIfChanged(name, content string) error {
	if old, err := os.ReadFile(name); err == nil && string(old) == content {
		return nil
	}
	return os.WriteFile(name, []byte(content), 0o600)
}

// Call is one run of svn.
type Call struct {
	Program string    // "" is svn; svnmucc takes the same options
	User    *run.User // nil: rootwc's own ids
	Dir     string
	Env     []string
	Args    []string // subcommand, or an option with its value, first
	Line    func(string)
	Pace    time.Duration // of the lines, see [run.Command]
	Stdout  io.Writer     // takes the output as it comes; Run then returns none
}

// Run starts svn and returns its standard output. Failures are [*run.Error].
func (c *Client) Run(ctx context.Context, call Call) ([]byte, error) {
	if c.required != nil {
		err := <-c.required
		c.required <- err // for the next
		if err != nil {
			return nil, err
		}
	}
	config, err := c.configFor(call.User)
	if err != nil {
		return nil, fmt.Errorf("cannot configure svn: %w", err)
	}
	if call.Dir == "" && call.User != nil {
		call.Dir = "/" // rootwc's own directory may be closed to that user
	}
	args := []string{cmp.Or(call.Program, "svn"), call.Args[0], "--non-interactive", "--config-dir", config}
	if c.Username != "" {
		args = append(args, "--username", c.Username)
	}
	var stdin io.Reader
	if c.Password != "" {
		args = append(args, "--password-from-stdin", "--no-auth-cache")
		stdin = strings.NewReader(c.Password + "\n")
	}
	args = append(args, call.Args[1:]...)
	out, warnings, err := run.Output(ctx, run.Command{Args: args, Dir: call.Dir, Env: call.Env, Stdin: stdin, User: call.User, Echo: c.Echo, Line: call.Line, Pace: call.Pace, Stdout: call.Stdout})
	if err == nil && strings.Contains(warnings, "W155007") {
		err = &run.Error{Args: args, Dir: call.Dir, Stderr: warnings, Err: errors.New("no working copy")}
	}
	return out, err
}

// configFor is the configuration directory for a user: rootwc's own, or a
// temporary one where that is not there or closed to the user.
func (c *Client) configFor(user *run.User) (string, error) {
	uid := uint32(os.Geteuid())
	if user != nil {
		uid = user.UID
	} else if _, err := os.Stat(filepath.Join(c.ConfigDir, "config")); err == nil {
		return c.ConfigDir, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.homes[uid]; t != nil {
		return t.dir, nil
	}
	t, err := newTemporary(user)
	if err != nil {
		return "", err
	}
	if c.homes == nil {
		c.homes = map[uint32]*temporary{}
	}
	c.homes[uid] = t
	return t.dir, as(user, func() error { return WriteConfig(t.dir) })
}

// close removes the temporary configuration directories.
func (c *Client) close() {
	for _, t := range c.homes {
		_ = t.remove()
	}
	c.homes = nil
}

// checkedClient, in the configuration directory, names the program that was
// found new enough.
const checkedClient = "checked-client"

// Require has the client's version checked, once for each installed program,
// while other work goes on: the first call of svn waits for it, and fails with
// what [Client.Version] says.
func (c *Client) Require(ctx context.Context) {
	mark := clientMark()
	name := filepath.Join(c.ConfigDir, checkedClient)
	if text, err := os.ReadFile(name); err == nil && mark != "" && string(text) == mark {
		return
	}
	c.required = make(chan error, 1)
	check := func() {
		_, err := c.Version(ctx)
		if err == nil && mark != "" {
			_ = writeIfChanged(name, mark) // else the next command asks again
		}
		c.required <- err
	}
	if c.Echo != nil {
		check() // its line comes first
		return
	}
	go check()
}

// clientMark tells one installed svn from another; "" when it cannot.
func clientMark() string {
	path, found := run.Look("svn")
	info, err := os.Stat(path)
	if !found || err != nil {
		return ""
	}
	id := identityOfInfo(info)
	return fmt.Sprintf("%s %d %d %d %d.%d\n", path, id.Dev, id.Ino, id.Size, id.CtimeSec, id.CtimeNS)
}

// Version asks the client for its version, and fails when it is older than
// rootwc needs.
func (c *Client) Version(ctx context.Context) (*semver.Version, error) {
	out, _, err := run.Output(ctx, run.Command{Args: []string{"svn", "--version", "--quiet"}, Echo: c.Echo})
	if err != nil {
		if _, found := run.Look("svn"); !found {
			return nil, Hint(errors.New("cannot find the svn program"), "install Subversion (package \"subversion\")")
		}
		return nil, fmt.Errorf("cannot ask svn for its version: %w", err)
	}
	v, err := semver.NewVersion(strings.TrimSpace(string(out)))
	if err != nil {
		return nil, fmt.Errorf("cannot read the version of svn %q: %w", strings.TrimSpace(string(out)), err)
	}
	if v.LessThan(minimumSvn) {
		return v, fmt.Errorf("svn %s is too old: rootwc needs %s or newer", v, minimumSvn)
	}
	return v, nil
}

var svnCode = regexp.MustCompile(`\b[EW](\d{6})\b`)

// HasCode says whether a failed svn named one of these error numbers, as
// svn_error_codes.h has them (155007, 170013, …).
func HasCode(err error, codes ...string) bool {
	var e *run.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, m := range svnCode.FindAllStringSubmatch(e.Stderr, -1) {
		for _, code := range codes {
			if m[1] == code {
				return true
			}
		}
	}
	return false
}

// Unreachable says whether svn failed because the server could not be asked.
func Unreachable(err error) bool {
	return lost(err) || HasCode(err, "170013", "170012", "210005", "175002", "175013", "670008", "730061")
}

// target writes a path for svn: "./" shields a leading dash or blank, the
// final "@" an at sign or blank at the end (svn trims the lines of --targets).
func target(rel string) string {
	if rel == "" {
		return "."
	}
	return "./" + rel + "@"
}

// targetsFile writes a file for --targets; no path may hold a newline, which
// no versioned path can.
func targetsFile(dir string, rels []string) (string, error) {
	f, err := os.CreateTemp(dir, "targets-")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, r := range rels {
		b.WriteString(target(r))
		b.WriteByte('\n')
	}
	_, err = f.Write(b.Bytes())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return f.Name(), err
}

// Info is what svn info says of a URL or working copy.
type Info struct {
	URL, Root, UUID string
	Kind            string // "dir" or "file"
	Revision        int64  // of the repository, for a URL
	LastChanged     int64  // revision in which the node changed last
}

// Info asks about target, a URL with peg revision or a path.
func (c *Client) Info(ctx context.Context, user *run.User, url, peg string) (Info, error) {
	if peg == "" {
		peg = "HEAD"
	}
	out, err := c.Run(ctx, Call{User: user, Args: []string{"info", "--xml", "--", url + "@" + peg}})
	if HasCode(err, "170000", "200009", "160013") {
		err = &notThereError{url, err}
	}
	if err != nil {
		return Info{}, err
	}
	return parseInfo(bytes.NewReader(out))
}

// notThereError says that a server has nothing at a URL.
type notThereError struct {
	url string
	err error
}

func (e *notThereError) Error() string { return e.url + ": no such path in the repository" }
func (e *notThereError) Unwrap() error { return e.err }

// decodeXML reads svn's XML, in which paths and messages may hold characters
// that XML does not allow (U+FFFE, U+FFFF, control characters); they become
// U+FFFD.
func decodeXML(r io.Reader, doc any) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	clean := bytes.Map(func(c rune) rune {
		if c == 0xfffe || c == 0xffff || c < 0x20 && c != '\t' && c != '\n' && c != '\r' {
			return utf8.RuneError
		}
		return c
	}, text)
	return xml.Unmarshal(clean, doc)
}

func parseInfo(r io.Reader) (Info, error) {
	var doc struct {
		Entry struct {
			Kind     string `xml:"kind,attr"`
			Revision int64  `xml:"revision,attr"`
			URL      string `xml:"url"`
			Root     string `xml:"repository>root"`
			UUID     string `xml:"repository>uuid"`
			Commit   struct {
				Revision int64 `xml:"revision,attr"`
			} `xml:"commit"`
		} `xml:"entry"`
	}
	if err := decodeXML(r, &doc); err != nil {
		return Info{}, fmt.Errorf("cannot read the output of svn info: %w", err)
	}
	e := doc.Entry
	if e.URL == "" || e.Root == "" {
		return Info{}, errors.New("cannot read the output of svn info: no URL in it")
	}
	return Info{URL: e.URL, Root: e.Root, UUID: e.UUID, Kind: e.Kind, Revision: e.Revision, LastChanged: e.Commit.Revision}, nil
}

// LogEntry is one revision of svn log.
type LogEntry struct {
	Revision   int64             `json:"revision"`
	Author     string            `json:"author"`
	Date       string            `json:"date"` // UTC, RFC 3339
	Message    string            `json:"message"`
	Paths      []LogPath         `json:"paths,omitempty"`
	Properties map[string]string `json:"-"` // revision properties asked for
}

// LogPath is one path that a revision touched, from the repository's root.
type LogPath struct {
	Path     string `json:"path"`
	Action   string `json:"action"` // A, D, M or R
	CopyFrom string `json:"copyFrom,omitempty"`
}

// Log runs svn log --xml with further arguments.
func (c *Client) Log(ctx context.Context, user *run.User, args ...string) ([]LogEntry, error) {
	out, err := c.Run(ctx, Call{User: user, Args: append([]string{"log", "--xml"}, args...)})
	if err != nil {
		return nil, err
	}
	return parseLog(bytes.NewReader(out))
}

func parseLog(r io.Reader) ([]LogEntry, error) {
	var doc struct {
		Entries []struct {
			Revision int64  `xml:"revision,attr"`
			Author   string `xml:"author"`
			Date     string `xml:"date"`
			Message  string `xml:"msg"`
			Paths    []struct {
				Action   string `xml:"action,attr"`
				CopyFrom string `xml:"copyfrom-path,attr"`
				Path     string `xml:",chardata"`
			} `xml:"paths>path"`
			Revprops []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:",chardata"`
			} `xml:"revprops>property"`
		} `xml:"logentry"`
	}
	if err := decodeXML(r, &doc); err != nil {
		return nil, fmt.Errorf("cannot read the output of svn log: %w", err)
	}
	var entries []LogEntry
	for _, e := range doc.Entries {
		entry := LogEntry{Revision: e.Revision, Author: e.Author, Date: e.Date, Message: e.Message}
		for _, p := range e.Paths {
			entry.Paths = append(entry.Paths, LogPath{Path: p.Path, Action: p.Action, CopyFrom: p.CopyFrom})
		}
		for _, p := range e.Revprops {
			if entry.Properties == nil {
				entry.Properties = map[string]string{}
			}
			entry.Properties[p.Name] = p.Value
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
