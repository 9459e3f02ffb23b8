package wc

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"rootwc/internal/run"
	"rootwc/wc/metadata"
)

// Intent is a commit that was asked for while its server was out of reach. It
// waits in the state directory, with everything that it sends as it was at that
// moment, and becomes one revision: what happens to the files later is another
// change. Content that is withheld is not in it, what is encrypted only sealed.
type Intent struct {
	Format     int       `json:"format"`
	ID         string    `json:"id"`    // the repository knows the revision by it, see commitMark
	Since      time.Time `json:"since"` // UTC
	User       string    `json:"user"`
	LoginUID   *uint32   `json:"loginUid,omitempty"` // of proc(5); nil for what no login has started
	Username   string    `json:"username,omitempty"` // that the server was to be given
	Message    string    `json:"message"`
	Repository string    `json:"repository"` // URL of its root
	UUID       string    `json:"uuid"`
	Sent       bool      `json:"sent,omitempty"` // somebody has tried: the repository may have it

	Parts []*intentPart            `json:"parts"`
	List  map[string]*withheldFile `json:"list,omitempty"` // changes of the list of withheld files; nil takes one off
	Acks  acks                     `json:"acks,omitempty"`

	Number int `json:"-"` // by which it is named; the order in which they are made

	dir string
}

// intentPart is the share of one working copy.
type intentPart struct {
	Path  string       `json:"path"` // relative to the machine's root
	Items []intentItem `json:"items"`
}

// intentItem is one path as it is to be in the repository.
type intentItem struct {
	Rel    string           `json:"rel"`
	Absent bool             `json:"absent,omitempty"`
	Keep   bool             `json:"keep,omitempty"`   // metadata alone is sent
	Sealed bool             `json:"sealed,omitempty"` // made by rootwc, not taken from the live tree
	Values *metadata.Values `json:"values,omitempty"`
	Sum    string           `json:"sum,omitempty"` // SHA-256 of the content, of a symlink its target
	// Props are properties beside metadata that were changed by hand; nil takes
	// one away. Their values may be any bytes.
	Props map[string][]byte `json:"props,omitempty"`
	// Base is what the working copy recorded, see baseMark; After is the ID of
	// the intent before with the same path, and what that leaves becomes Base.
	Base  string `json:"base"`
	After string `json:"after,omitempty"`
}

const (
	intentFormat = 1
	queueState   = "queue"
	intentFile   = "intent.json"
)

// Paths are what it changes, relative to the machine's root, sorted.
func (in *Intent) Paths() (paths []string) {
	for _, p := range in.Parts {
		for _, item := range p.Items {
			paths = append(paths, joinPath(p.Path, item.Rel))
		}
	}
	for path := range in.List {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// LogMessage is the message that the revision gets: the server dates it by the
// day on which it comes, and knows nobody but who sends it.
func (in *Intent) LogMessage() string {
	who := in.User
	if in.LoginUID != nil {
		who += fmt.Sprintf(" (login uid %d)", *in.LoginUID)
	}
	return fmt.Sprintf("%s\n\nQueued-By: %s\nQueued-At: %s\n", strings.TrimRight(in.Message, "\n"), who, in.Since.Format(time.RFC3339))
}

// files is where the content of a part lies; stageWC is below it.
func (in *Intent) files(part int) string { return filepath.Join(in.dir, strconv.Itoa(part)) }

// Queue lists the commits that wait to be made, in their order.
func (s *State) Queue() ([]*Intent, error) {
	found, err := os.ReadDir(s.path(queueState))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the queued commits: %w", cause(err))
	}
	var queue []*Intent
	for _, f := range found {
		n, err := strconv.Atoi(f.Name())
		if err != nil || !f.IsDir() {
			continue // cut off while it was written
		}
		in := &Intent{Number: n, dir: s.path(queueState, f.Name())}
		text, err := os.ReadFile(filepath.Join(in.dir, intentFile))
		if err == nil {
			err = json.Unmarshal(text, in)
		}
		if err == nil && in.Format != intentFormat {
			err = fmt.Errorf("its format is %d, known is %d", in.Format, intentFormat)
		}
		if err != nil {
			return nil, Hint(fmt.Errorf("cannot read the queued commit %s: %w", in.dir, cause(err)),
				"what it was to send lies there; rootwc commit --drop %d gives it up", n)
		}
		queue = append(queue, in)
	}
	slices.SortFunc(queue, func(a, b *Intent) int { return cmp.Compare(a.Number, b.Number) })
	return queue, nil
}

// write replaces the description of an intent that is in the queue.
func (s *State) writeIntent(in *Intent) error {
	text, err := json.MarshalIndent(in, "", " ")
	if err != nil {
		return err
	}
	return s.writeDurable(filepath.Join(queueState, filepath.Base(in.dir), intentFile), text)
}

// Drop gives a queued commit up; the files stay as they are. The caller holds
// the lock.
func (s *State) Drop(number int) error {
	dir := s.path(queueState, intentName(number))
	away := dir + newSuffix // what is left of it is swept
	if err := os.Rename(dir, away); err != nil {
		return fmt.Errorf("cannot drop the queued commit %d: %w", number, cause(err))
	}
	if err := syncDir(s.path(queueState)); err != nil {
		return err
	}
	return os.RemoveAll(away)
}

func intentName(number int) string { return fmt.Sprintf("%06d", number) }

// newIntent begins the next one, in a directory that does not count yet.
func (s *State) newIntent() (*Intent, error) {
	queue, err := s.Queue()
	if err != nil {
		return nil, err
	}
	in := &Intent{Format: intentFormat, ID: rand.Text(), Since: time.Now().UTC().Truncate(time.Second), User: who(), LoginUID: loginUID(), Number: 1}
	if len(queue) > 0 {
		in.Number = queue[len(queue)-1].Number + 1
	}
	in.dir = s.path(queueState, intentName(in.Number)+newSuffix)
	return in, errors.Join(os.RemoveAll(in.dir), os.MkdirAll(in.dir, 0o700))
}

// enqueue makes an intent count: it is on disk with all that belongs to it.
func (s *State) enqueue(in *Intent) error {
	text, err := json.MarshalIndent(in, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(in.dir, intentFile), text, 0o600)
	}
	if err == nil {
		err = syncFS(in.dir)
	}
	final := s.path(queueState, intentName(in.Number))
	if err == nil {
		err = os.Rename(in.dir, final)
	}
	if err == nil {
		in.dir = final
		err = errors.Join(syncDir(s.path(queueState)), syncDir(s.dir))
	}
	return err
}

// sweepQueue removes intents that were never complete, or are given up.
func (s *State) sweepQueue() {
	found, _ := os.ReadDir(s.path(queueState))
	for _, f := range found {
		if strings.HasSuffix(f.Name(), newSuffix) {
			_ = os.RemoveAll(s.path(queueState, f.Name()))
		}
	}
}

// loginUID is who has logged in, whatever they became since: proc(5). Services
// have none.
func loginUID() *uint32 {
	const unset = 1<<32 - 1
	text, err := os.ReadFile("/proc/self/loginuid")
	n, perr := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil || perr != nil || n == unset {
		return nil
	}
	uid := uint32(n)
	return &uid
}

// chownTo gives a directory to the user who is going to write in it.
func chownTo(dir string, user *run.User) error {
	if user == nil {
		return nil
	}
	return os.Lchown(dir, int(user.UID), int(user.GID))
}
