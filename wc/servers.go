package wc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"rootwc/internal/run"
)

// Servers is what one run knows of the servers that it asks. It bounds the
// connections to each, over svn+ssh every one is a process there, and remembers
// those that are away, so that each is waited for once and not once for each of
// its externals. It is safe for concurrent use; the zero value is ready.
type Servers struct {
	mu      sync.Mutex
	servers map[string]*server
	ways    map[way]*absence
}

// Connections is how many a server sees at a time.
const Connections = 4

// server is one host, as URLs name it.
type server struct{ slots chan struct{} }

// way is a server as one user reaches it: keys and passwords differ.
type way struct {
	server string
	uid    uint32
}

// absence is closed once the server is known to be away.
type absence struct {
	once sync.Once
	gone chan struct{}
	why  error
}

// pauses are how long a server that was lost is left alone before each further
// try; the real ones are up to a half longer or shorter, so that machines that
// lost it together do not come back together.
var pauses = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}

// Persist tries to do what needs the server of url, again where the connection
// could not be made or broke, and counts afresh whenever something came. When
// that is of no use the server is away for the rest of the run, and whoever
// else wants something of it is told at once.
func (s *Servers) Persist(ctx context.Context, url string, user *run.User, try func() (came bool, err error)) error {
	v, a := s.find(url, user)
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	left := pauses
	for {
		select {
		case <-a.gone:
			return away(&awayError{url, a.why, true})
		default:
		}
		came, err := try()
		if ctx.Err() != nil || !lost(err) {
			if Unreachable(err) && !denied(err) {
				return away(&awayError{url, err, false})
			}
			return err
		}
		if came {
			left = pauses
		}
		if len(left) == 0 || HasCode(err, timedOut) { // which has waited for minutes
			a.once.Do(func() { a.why = err; close(a.gone) })
			return away(&awayError{url, err, false})
		}
		pause := left[0]/2 + rand.N(left[0])
		left = left[1:]
		select {
		case <-time.After(pause):
		case <-a.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// find returns what is known of the server of a URL.
func (s *Servers) find(url string, user *run.User) (*server, *absence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.servers == nil {
		s.servers, s.ways = map[string]*server{}, map[way]*absence{}
	}
	w := way{server: ServerOf(url)}
	if user != nil {
		w.uid = user.UID
	}
	if s.servers[w.server] == nil {
		s.servers[w.server] = &server{make(chan struct{}, Connections)}
	}
	if s.ways[w] == nil {
		s.ways[w] = &absence{gone: make(chan struct{})}
	}
	return s.servers[w.server], s.ways[w]
}

// ServerOf is scheme, host and port of a URL.
func ServerOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// awayError says that a server could not be reached.
type awayError struct {
	url   string
	err   error // svn's
	known bool  // somebody else has found it out
}

func (e *awayError) Error() string {
	if e.known {
		return e.url + " is out of reach: its server is away"
	}
	return fmt.Sprintf("%s is out of reach: %v", e.url, e.err)
}

func (e *awayError) Unwrap() error { return e.err }

// away adds what can be done about it.
func away(err error) error {
	return Hint(err, "run the command again when the server can be reached: it does only the rest")
}

// timedOut is ETIMEDOUT.
const timedOut = "000110"

// lost says whether svn failed because a connection could not be made, or broke:
// trying again may help. Unlike [Unreachable] it leaves out what a server has
// answered. The numbers are those of errno(3), 670000 and on of getaddrinfo(3),
// 120000 and on of libserf, and svn's own.
func lost(err error) bool {
	return HasCode(err, "000032", "000101", "000104", timedOut, "000111", "000113", "670002", "670003", "210002", "120106", "120108") && !denied(err)
}

// denied says whether a server was reached and did not let the user in.
func denied(err error) bool { return HasCode(err, "170001", "215004", "230001") }
