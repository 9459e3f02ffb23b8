package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"rootwc/internal/run"
)

// server is an svnserve for each connection, as inetd(8) would start it, at the
// end of a line that is as long as it should be.
type server struct {
	url      string
	listener net.Listener
	stop     context.CancelFunc
	open     sync.WaitGroup
}

// serve answers for the repositories below dir. What travels arrives half of
// roundTrip later.
func (l *lab) serve(ctx context.Context, dir string, roundTrip time.Duration) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	s := &server{url: "svn://" + listener.Addr().String(), listener: listener, stop: stop}
	s.open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.open.Go(func() {
				defer conn.Close()
				to, from := newLine(roundTrip/2), newLine(roundTrip/2)
				s.open.Go(func() { to.carry(conn) })
				s.open.Go(func() { _, _ = io.Copy(conn, from); conn.Close() })
				_, _, _ = run.Output(ctx, run.Command{Args: words("svnserve", "--inetd", "--root", dir), Env: l.env, Stdin: to, Stdout: from, Kill: true})
				from.hangUp()
			})
		}
	})
	return s, nil
}

// close hangs up on everybody.
func (s *server) close() {
	s.listener.Close()
	s.stop()
	s.open.Wait()
}

// line is one direction of a connection: what is written to it can be read a
// while later, however much of it there is.
type line struct {
	delay  time.Duration
	parcel chan parcel
	rest   []byte
}

type parcel struct {
	due  time.Time
	data []byte
}

func newLine(delay time.Duration) *line {
	return &line{delay: delay, parcel: make(chan parcel, 1<<10)}
}

// carry sends what comes from r, until its end.
func (l *line) carry(r io.Reader) {
	_, _ = io.Copy(l, r)
	l.hangUp()
}

// hangUp is the end of what is written.
func (l *line) hangUp() { close(l.parcel) }

func (l *line) Write(p []byte) (int, error) {
	l.parcel <- parcel{time.Now().Add(l.delay), append([]byte(nil), p...)}
	return len(p), nil
}

func (l *line) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		next, ok := <-l.parcel
		if !ok {
			return 0, io.EOF
		}
		time.Sleep(time.Until(next.due))
		l.rest = next.data
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
