package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"rootwc/internal/run"
)

// notices stands in for the program that shows them in a session.
type notices struct{ said chan string }

func (n *notices) Notify(app string, replaces uint32, icon, summary, body string, actions []string, hints map[string]dbus.Variant, expires int32) (uint32, *dbus.Error) {
	n.said <- fmt.Sprintf("%s over %d: %s", app, replaces, body)
	return 7, nil
}

func (n *notices) CloseNotification(id uint32) *dbus.Error {
	n.said <- fmt.Sprintf("close %d", id)
	return nil
}

// TestDesktop: a notice is shown in a user's session, by a bus that takes nobody
// but that user; a second one takes its place, and it closes when all is clean.
func TestDesktop(t *testing.T) {
	if _, ok := run.Look("dbus-daemon"); !ok {
		t.Skip("needs dbus-daemon, for a session")
	}
	if os.Geteuid() != 0 {
		t.Skip("becomes another user")
	}
	const uid = 65534                               // nobody: dbus-daemon wants one with a name
	top, err := os.MkdirTemp("", "rootwc-desktop-") // not t.TempDir, which is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	dir := filepath.Join(top, strconv.Itoa(uid))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, owner := range map[string]int{top: 0, dir: uid} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	bus := filepath.Join(dir, "bus")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, _, err := run.Output(ctx, run.Command{Args: []string{"dbus-daemon", "--session", "--nofork", "--nopidfile", "--address=unix:path=" + bus}, User: &run.User{UID: uid, GID: uid}, Kill: true})
		ended <- err
	}()
	t.Cleanup(stop)
	n := &notices{make(chan string, 10)}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err = os.Lstat(bus); err == nil {
			break
		}
		if time.Now().After(end) {
			stop()
			t.Fatalf("no bus comes: %v", <-ended)
		}
	}
	server, err := dialAs(t.Context(), bus, uid)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err = server.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(uid))}); err == nil {
		err = server.Hello()
	}
	if err == nil {
		err = server.Export(n, notifyPath, notifyName)
	}
	if err == nil {
		_, err = server.RequestName(notifyName, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &desktop{buses: filepath.Join(top, "*", "bus")}
	one := Drifted{Difference: Difference{Path: "etc/motd"}}
	for _, news := range []*News{
		{},
		{Entries: []Drifted{one}, Fresh: []Drifted{one}},
		{Entries: []Drifted{one, one}, Fresh: []Drifted{one}},
		{Entries: []Drifted{one}},
		{},
		{},
	} {
		d.tell(t.Context(), news)
	}
	var said []string
	for len(n.said) > 0 {
		said = append(said, <-n.said)
	}
	want := []string{"rootwc over 0: 1 path differs from what was committed", "rootwc over 7: 2 paths differ from what was committed", "close 7"}
	if !slices.Equal(said, want) {
		t.Errorf("it says %q", said)
	}
}
