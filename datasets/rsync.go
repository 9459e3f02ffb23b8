package datasets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rootwc/internal/run"
)

// remoteShell asks nothing and notices a dead server.
const remoteShell = "ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15"

// partialDir holds what an interrupted transfer of one file had got to, beside
// that file; tempDir, in the dataset, what is just coming; replacedDir what was
// replaced here.
const (
	partialDir  = ".rootwc-partial"
	tempDir     = ".rootwc-temp"
	replacedDir = ".rootwc-replaced"
)

// rsync runs the program between the dataset's directory and the repository.
// Names travel on standard input; nil is for none.
func (m *mirror) rsync(ctx context.Context, names []string, stdout io.Writer, args ...string) error {
	if _, found := run.Look("rsync"); !found {
		return refuseHint("install it (package \"rsync\")", "the program rsync is not to be had")
	}
	all := []string{"rsync", "--links", "--times", "--8-bit-output", "--protect-args", "--rsh=" + remoteShell}
	if names != nil {
		all = append(all, "--from0", "--files-from=-")
	}
	c := m.command(append(all, args...)...)
	c.Env = []string{"TZ=UTC"}
	c.Stdin = strings.NewReader(strings.Join(names, "\x00"))
	c.Stdout = stdout
	_, _, err := run.Output(ctx, c)
	return m.judge(err)
}

// partly is a transfer of which something failed; what has arrived is found
// out by looking.
type partly struct{ error }

func (e *partly) Unwrap() error { return e.error }

func isPartly(err error) bool {
	var p *partly
	return errors.As(err, &p)
}

// judge sorts rsync's exit statuses, see rsync(1): 11 is an error in file
// input or output, such as a full disk, 23 and 24 say that some files were
// not transferred; 10, 12, 30, 35 and ssh's own 255 are about the connection.
func (m *mirror) judge(err error) error {
	var failed *run.Error
	if !errors.As(err, &failed) || errors.Is(err, context.Canceled) {
		return err
	}
	switch failed.Status {
	case 11, 23, 24:
		return &partly{err}
	case 12:
		if strings.Contains(failed.Stderr, "No space left") || strings.Contains(failed.Stderr, "Disk quota") {
			return &partly{err}
		}
		return &Away{m.Repository, err}
	case 10, 30, 35, 255:
		return &Away{m.Repository, err}
	}
	return err
}

// remote is the repository's directory as rsync has it.
func (m *mirror) remote() string { return strings.TrimSuffix(m.location, "/") + "/" }

// outFormat has what is known of each name, in fields; the names are escaped.
const outFormat = "--out-format=%i\t%l\t%M\t%n"

// nowhere is a directory that is not there: everything is new to it, and with
// --ignore-times would be even if it were.
const nowhere = "./.rootwc-nowhere/"

// list asks what the repository holds.
func (m *mirror) list(ctx context.Context, depth ...string) (listing, []string, error) {
	var out bytes.Buffer
	args := append([]string{"--dry-run", "--ignore-times", outFormat}, depth...)
	if err := m.rsync(ctx, nil, &out, append(args, "--", m.remote(), nowhere)...); err != nil {
		if isPartly(err) { // an answer with gaps would pass for files that are gone
			err = &Away{m.Repository, err}
		}
		return nil, nil, err
	}
	there, dirs := listing{}, []string{}
	for line := range strings.Lines(out.String()) {
		it, ok := parseItem(line)
		if !ok || it.name == "." || slices.ContainsFunc(strings.Split(it.name, "/"), owned) || m.excluded(it.name) {
			continue
		}
		switch it.kind {
		case 'd':
			dirs = append(dirs, it.name)
		case 'f', 'L':
			there[it.name] = it.stamp()
		}
	}
	return there, dirs, nil
}

// everything makes list go all the way down.
const everything = "--recursive"

// item is one line of rsync's --itemize-changes, with length and time.
type item struct {
	change byte // '.' for none
	kind   byte // 'f', 'd', 'L'; 'D' and 'S' are devices, sockets and fifos
	flags  string
	size   int64
	when   time.Time
	name   string
}

func (it item) stamp() stamp { return stamp{it.kind, it.size, it.when.Unix()} }

// itemized are the flags of a line, see rsync(1).
var itemized = regexp.MustCompile(`^[<>ch.*][fdLDS]([.+ ?a-zA-Z]{9})$`)

// parseItem reads a line in outFormat; other lines are not for programs.
func parseItem(line string) (item, bool) {
	fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
	if len(fields) != 4 || !itemized.MatchString(fields[0]) {
		return item{}, false
	}
	size, err := strconv.ParseInt(fields[1], 10, 64)
	when, terr := time.Parse("2006/01/02-15:04:05", fields[2])
	if err != nil || terr != nil {
		return item{}, false
	}
	name := strings.TrimSuffix(unescape(fields[3]), "/")
	return item{fields[0][0], fields[0][1], fields[0][2:], size, when, name}, true
}

var escaped = regexp.MustCompile(`\\#[0-7]{3}`)

// unescape takes back what rsync does to characters that do not print: \#ooo,
// three octal digits for a byte.
func unescape(name string) string {
	return escaped.ReplaceAllStringFunc(name, func(s string) string {
		n, err := strconv.ParseUint(s[2:], 8, 8)
		if err != nil {
			return s // \#777 is no byte
		}
		return string([]byte{byte(n)})
	})
}

// transfer copies the named files. A full disk or files that vanish are
// partly.
func (m *mirror) transfer(ctx context.Context, names []string, from, to string, args ...string) error {
	if len(names) == 0 {
		return nil
	}
	all := []string{"--perms", "--partial-dir=" + partialDir, "--info=progress2"}
	if limit, _ := m.Limit.Bytes(); limit > 0 { // checked with the description
		all = append(all, "--bwlimit="+strconv.FormatUint(limit>>10, 10))
	}
	all = append(all, args...)
	return m.rsync(ctx, names, &progressWriter{show: m.showProgress}, append(all, "--", from, to)...)
}

// prove compares files here with the repository by checksum: rsync reads both
// copies. Proven are those that it has named as the same; what it says nothing
// of is not proven. Missing are not there, the rest of the names differ.
func (m *mirror) prove(ctx context.Context, names []string) (proven, missing map[string]bool, err error) {
	proven, missing = map[string]bool{}, map[string]bool{}
	if len(names) == 0 {
		return proven, missing, nil
	}
	var out bytes.Buffer
	err = m.rsync(ctx, names, &out, "--dry-run", "--checksum", "--itemize-changes", "--itemize-changes", outFormat, "--", "./", m.remote())
	if err != nil && !isPartly(err) {
		return nil, nil, err
	}
	for line := range strings.Lines(out.String()) {
		it, ok := parseItem(line)
		switch {
		case !ok || it.kind != 'f' && it.kind != 'L':
		case it.change == '.' && it.flags[0] != 'c' && it.flags[1] != 's':
			proven[it.name] = true
		case strings.Contains(it.flags, "+++"):
			missing[it.name] = true
		}
	}
	return proven, missing, nil
}

// progressWriter reads what --info=progress2 writes, which ends its lines with
// a carriage return: "  1,234,567  12%  1.20MB/s    0:00:01 (xfr#3, …)".
type progressWriter struct {
	show func(percent int, speed string)
	part []byte
}

var progress2 = regexp.MustCompile(`^\s*[0-9.,]+[KMGTP]?\s+([0-9]{1,3})%\s+(\S+)`)

func (w *progressWriter) Write(p []byte) (int, error) {
	w.part = append(w.part, p...)
	for {
		i := bytes.IndexAny(w.part, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		if found := progress2.FindSubmatch(w.part[:i]); found != nil {
			percent, _ := strconv.Atoi(string(found[1]))
			w.show(percent, string(found[2]))
		}
		w.part = w.part[i+1:]
	}
}

func (j *job) showProgress(percent int, speed string) {
	if j.Progress != nil {
		j.Progress(fmt.Sprintf("%s %s at %s, percent", j.action, j.Path, speed), percent)
	}
}
