package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rootwc/wc"
	"rootwc/wc/index"
)

const (
	socketName = "watch.sock"
	lockName   = "watch.lock"

	// protocol changes with what is said over the socket.
	protocol = 1

	// answerTime is how long a status waits: one that does not know of a watcher
	// is not much slower.
	answerTime = 250 * time.Millisecond
	mostAsked  = 1 << 22 // bytes of a question
)

// request and reply are a line of JSON each.
type request struct {
	Protocol int           `json:"protocol"`
	Asked    []wc.Sighting `json:"asked"`
}

type reply struct {
	Now     wc.Moment `json:"now"`
	Space   string    `json:"space"`
	Stirred []stirs   `json:"stirred"`
}

type stirs struct {
	Index index.ID `json:"index"`
	Dirs  [][]byte `json:"dirs"` // names may be no UTF-8
}

// question is one to the loop of the watcher; nil is an answer, too.
type question struct {
	asked  []wc.Sighting
	answer chan *wc.Testimony
}

// listen takes questions of the user's own programs. A second watcher of the
// same root is refused.
func listen(t *wc.Tree) (questions <-chan *question, stop func(), err error) {
	state, err := openState(t)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot watch: %w", err)
	}
	at := fmt.Sprintf("/proc/self/fd/%d/", state.Fd()) // a socket's path has 108 bytes
	lock, socket, err := bind(at)
	if err != nil {
		state.Close()
		return nil, nil, fmt.Errorf("cannot watch %s: %w", t.Root, err)
	}
	all := make(chan *question)
	done := make(chan struct{})
	var serving sync.WaitGroup
	serving.Go(func() { serve(socket, all, done, &serving) })
	return all, func() {
		close(done)
		socket.Close()
		serving.Wait()
		_ = os.Remove(at + socketName)
		state.Close()
		lock.Close()
	}, nil
}

// bind takes the lock of watchers, and makes the socket in the place of one
// that a killed watcher has left.
func bind(at string) (lock *os.File, socket *net.UnixListener, err error) {
	lock, err = os.OpenFile(at+lockName, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			lock.Close()
		}
	}()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil, nil, wc.Refuse("another watcher does")
	}
	if err := os.Remove(at + socketName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: at + socketName, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	socket.SetUnlinkOnClose(false) // see the end of listen
	if err := os.Chmod(at+socketName, 0o600); err != nil {
		socket.Close()
		return nil, nil, err
	}
	return lock, socket, nil
}

// openState opens the state directory, through the root.
func openState(t *wc.Tree) (*os.File, error) {
	root, err := os.OpenRoot(t.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(wc.StatePath)
}

// serve accepts until the socket is closed.
func serve(socket *net.UnixListener, all chan<- *question, done <-chan struct{}, serving *sync.WaitGroup) {
	for {
		c, err := socket.AcceptUnix()
		if err != nil {
			return
		}
		serving.Go(func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // one that says nothing holds nobody up
			var r request
			if !ours(c) || json.NewDecoder(io.LimitReader(c, mostAsked)).Decode(&r) != nil || r.Protocol != protocol {
				return
			}
			q := &question{r.Asked, make(chan *wc.Testimony, 1)}
			select {
			case all <- q:
			case <-done:
				return
			}
			select {
			case told := <-q.answer:
				if told != nil {
					_ = json.NewEncoder(c).Encode(inReply(told))
				}
			case <-done:
			}
		})
	}
}

func inReply(told *wc.Testimony) *reply {
	r := &reply{Now: told.Now, Space: told.Space, Stirred: []stirs{}}
	for id, dirs := range told.Stirred {
		one := stirs{Index: id}
		for _, dir := range dirs {
			one.Dirs = append(one.Dirs, []byte(dir))
		}
		r.Stirred = append(r.Stirred, one)
	}
	return r
}

// ours says whether a program of the same user is at the other end.
func ours(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && int(peer.Uid) == os.Geteuid()
	})
	return err == nil && same
}

// witness asks the watcher of a root.
type witness struct{ tree *wc.Tree }

// Witness is the watcher of a tree, for [wc.Tree.Witness]; nil when there is
// none.
func Witness(t *wc.Tree) wc.Witness {
	if _, err := os.Lstat(filepath.Join(t.Root, wc.StatePath, socketName)); err != nil {
		return nil
	}
	return witness{t}
}

// Testify asks. Nobody there, another protocol, somebody else's socket or no
// answer in time are all the same: there is no witness.
func (w witness) Testify(asked []wc.Sighting) *wc.Testimony {
	state, err := openState(w.tree)
	if err != nil {
		return nil
	}
	defer state.Close()
	c, err := net.DialTimeout("unix", fmt.Sprintf("/proc/self/fd/%d/%s", state.Fd(), socketName), answerTime)
	if err != nil {
		return nil
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(answerTime))
	var r reply
	if !ours(c.(*net.UnixConn)) || json.NewEncoder(c).Encode(request{protocol, asked}) != nil || json.NewDecoder(c).Decode(&r) != nil {
		return nil
	}
	return r.testimony()
}

func (r *reply) testimony() *wc.Testimony {
	told := &wc.Testimony{Now: r.Now, Space: r.Space, Stirred: map[index.ID][]string{}}
	for _, one := range r.Stirred {
		dirs := []string{}
		for _, dir := range one.Dirs {
			dirs = append(dirs, string(dir))
		}
		told.Stirred[one.Index] = dirs
	}
	return told
}
