package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"rootwc/internal/run"
)

// Teller tells people what the watcher has found: each path once, a burst in
// one summary, and nothing when there is nothing.
type Teller struct {
	Root    string                // of the machine
	Program string                // gets the news as JSON on standard input; "" for none
	Say     func(sentence string) // to whoever started the watcher; nil for nobody
	Warn    func(format string, args ...any)

	desktop desktop
}

const (
	// LoginPath is the line for whoever logs in, relative to the machine's root.
	// It is there only when something differs, gone after a boot, and readable
	// by all: it holds a number and no names.
	LoginPath = "run/rootwc/login"

	programTime = time.Minute
	mostNamed   = 10      // paths in a sentence
	mostJournal = 1 << 16 // bytes of paths in a field
)

// driftMessage is the MESSAGE_ID of what is told to the journal.
const driftMessage = "6c738241d38749108815b7318bf8c265"

// Run tells what comes, until the channel is closed. What is not watched any
// more is not claimed any more either: the line for logins goes.
func (t *Teller) Run(ctx context.Context, news <-chan *News) {
	told := false
	defer func() {
		if told {
			_ = t.login(&News{})
		}
	}()
	for n := range news {
		told = true
		if err := t.login(n); err != nil {
			t.Warn("cannot leave the message for logins: %v", err)
		}
		if len(n.Fresh) > 0 {
			t.journal(n)
			if t.Say != nil {
				t.Say(n.Sentence())
			}
			t.run(ctx, n)
		}
		if t.Root == "/" {
			t.desktop.tell(ctx, n)
		}
	}
}

// login leaves the line, or takes it away.
func (t *Teller) login(n *News) error {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	if len(n.Entries) == 0 {
		if err := root.Remove(LoginPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	dir := path.Dir(LoginPath)
	if err := root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := root.Chmod(dir, 0o755); err != nil { // whatever the umask is
		return err
	}
	return replace(t.Root, LoginPath, 0o644, []byte("rootwc: "+counted(len(n.Entries))+" from what was committed: rootwc status\n"))
}

func counted(n int) string {
	if n == 1 {
		return "1 path differs"
	}
	return fmt.Sprintf("%d paths differ", n)
}

// Sentence names what is new, in one line.
func (n *News) Sentence() string {
	names := make([]string, 0, mostNamed)
	for _, e := range n.Fresh[:min(len(n.Fresh), mostNamed)] {
		names = append(names, fmt.Sprintf("%q", e.Path))
	}
	text := counted(len(n.Fresh)) + " now: " + strings.Join(names, ", ")
	if more := len(n.Fresh) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// journal writes a structured entry, where there is a journal.
func (t *Teller) journal(n *News) {
	if !journal.Enabled() {
		return
	}
	var paths strings.Builder
	for _, e := range n.Fresh {
		if paths.Len() > mostJournal {
			break
		}
		fmt.Fprintf(&paths, "%s %s\n", e.Letter, e.Path)
	}
	err := journal.Send(n.Sentence(), journal.PriNotice, map[string]string{
		"MESSAGE_ID":        driftMessage,
		"SYSLOG_IDENTIFIER": "rootwc",
		"ROOTWC_ROOT":       t.Root,
		"ROOTWC_PATHS":      paths.String(),
		"ROOTWC_FRESH":      fmt.Sprint(len(n.Fresh)),
		"ROOTWC_DRIFT":      fmt.Sprint(len(n.Entries)),
	})
	if err != nil {
		t.Warn("cannot write to the journal: %v", err)
	}
}

// run starts the administrator's program.
func (t *Teller) run(ctx context.Context, n *News) {
	if t.Program == "" {
		return
	}
	text, err := json.Marshal(n)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, programTime)
		defer cancel()
		_, _, err = run.Output(ctx, run.Command{Args: []string{t.Program}, Stdin: bytes.NewReader(text), Env: []string{"ROOTWC_ROOT=" + t.Root}})
	}
	if err != nil {
		t.Warn("cannot tell %s: %v", t.Program, err)
	}
}
