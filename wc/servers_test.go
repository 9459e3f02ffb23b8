package wc

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rootwc/internal/run"
)

// failure is svn's when a connection was refused, or whatever code says.
func failure(code string) error {
	return &run.Error{Args: []string{"svn", "checkout"}, Status: 1, Stderr: "svn: E170013: Unable to connect\nsvn: E" + code + ": why", Err: errors.New("exit status 1")}
}

const refused = "000111"

// longest and shortest are how long all pauses together may be.
func pausesBetween() (shortest, longest time.Duration) {
	for _, p := range pauses {
		shortest, longest = shortest+p/2, longest+p+p/2
	}
	return shortest, longest
}

func TestPersistTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Servers
		tries := 0
		err := s.Persist(t.Context(), "svn://host/r", nil, func() (bool, error) {
			if tries++; tries <= len(pauses) {
				return false, failure(refused)
			}
			return true, nil
		})
		if err != nil || tries != len(pauses)+1 {
			t.Errorf("%d tries: %v", tries, err)
		}
	})
}

// TestPersistGivesUp: the server is away after some tries, and nobody else asks
// it, however many want to; another server, and another user's way to it, are.
func TestPersistGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Servers
		tries, begin := 0, time.Now()
		try := func() (bool, error) { tries++; return false, failure(refused) }
		err := s.Persist(t.Context(), "svn://host/r", nil, try)
		shortest, longest := pausesBetween()
		if took := time.Since(begin); took < shortest || took > longest {
			t.Errorf("gave up after %v, want %v to %v", took, shortest, longest)
		}
		if tries != len(pauses)+1 || !Unreachable(err) || HintOf(err) == "" {
			t.Errorf("%d tries: %v", tries, err)
		}
		begin = time.Now()
		err = s.Persist(t.Context(), "svn://host/other", nil, try)
		if tries != len(pauses)+1 || !Unreachable(err) || !strings.HasPrefix(err.Error(), "svn://host/other is out of reach") || time.Since(begin) > 0 {
			t.Errorf("after %v and %d tries: %v", time.Since(begin), tries, err)
		}
		fine := func() (bool, error) { return true, nil }
		if err := errors.Join(s.Persist(t.Context(), "svn://host:3691/r", nil, fine), s.Persist(t.Context(), "svn://host/r", &run.User{UID: 1000}, fine)); err != nil {
			t.Error(err)
		}
	})
}

// TestPersistCountsAfresh: a server that gives a little each time is worth as
// many tries as it takes.
func TestPersistCountsAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Servers
		tries, most := 0, 10*len(pauses)
		err := s.Persist(t.Context(), "svn://host/r", nil, func() (bool, error) {
			if tries++; tries < most {
				return true, failure("210002")
			}
			return true, nil
		})
		if err != nil || tries != most {
			t.Errorf("%d tries: %v", tries, err)
		}
	})
}

func TestPersistTriesOnce(t *testing.T) {
	for name, code := range map[string]string{"no such repository": "210005", "wrong password": "215004", "the kernel has waited": timedOut, "no file": "200009"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s Servers
				tries := 0
				err := s.Persist(t.Context(), "svn://host/r", nil, func() (bool, error) { tries++; return false, failure(code) })
				if tries != 1 || err == nil {
					t.Errorf("%d tries: %v", tries, err)
				}
			})
		})
	}
}

func TestPersistIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Servers
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		go func() {
			time.Sleep(pauses[0] / 4)
			cancel()
		}()
		begin := time.Now()
		err := s.Persist(ctx, "svn://host/r", nil, func() (bool, error) { tries++; return false, failure(refused) })
		if !errors.Is(err, context.Canceled) || tries != 1 || time.Since(begin) != pauses[0]/4 {
			t.Errorf("after %v and %d tries: %v", time.Since(begin), tries, err)
		}
	})
}

// TestConnections: a server sees few at a time, and when it is away those that
// wait for their turn are told at once.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s Servers
		var mu sync.Mutex
		now, most, done := 0, 0, 0
		var wait sync.WaitGroup
		for range 10 * Connections {
			wait.Go(func() {
				err := s.Persist(t.Context(), "svn://host/r", nil, func() (bool, error) {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					now--
					done++
					mu.Unlock()
					return true, nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if most != Connections || done != 10*Connections {
			t.Errorf("%d connections at a time, %d done", most, done)
		}
		begin := time.Now()
		for range 10 * Connections {
			wait.Go(func() {
				if err := s.Persist(t.Context(), "svn://away/r", nil, func() (bool, error) { return false, failure(refused) }); !Unreachable(err) {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if _, longest := pausesBetween(); time.Since(begin) > longest {
			t.Errorf("all of them waited %v", time.Since(begin))
		}
	})
}
