package watch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// desktop shows notices in the sessions of people, by the interface
// org.freedesktop.Notifications of their buses. A later notice takes the place
// of the one before, and what has withdrawn closes it.
type desktop struct {
	buses string            // pattern of their sockets; "" for [busPattern]
	shown map[uint32]uint32 // notices by user
}

const (
	desktopTime = 2 * time.Second
	busPattern  = "/run/user/*/bus" // pam_systemd(8)
	firstPerson = 1000              // UID_MIN of login.defs(5)
	notifyName  = "org.freedesktop.Notifications"
	notifyPath  = "/org/freedesktop/Notifications"
)

// tell shows the news to everybody with a session. A session without
// notices is no error.
func (d *desktop) tell(ctx context.Context, n *News) {
	if len(n.Fresh) == 0 && len(n.Entries) > 0 || len(n.Entries) == 0 && len(d.shown) == 0 {
		return
	}
	if d.shown == nil {
		d.shown = map[uint32]uint32{}
	}
	buses, _ := filepath.Glob(cmp.Or(d.buses, busPattern))
	for _, bus := range buses {
		uid, err := strconv.ParseUint(filepath.Base(filepath.Dir(bus)), 10, 32)
		if err != nil || uid < firstPerson {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, desktopTime)
		_ = d.show(ctx, bus, uint32(uid), n)
		cancel()
	}
}

// show connects as the user: a bus takes nobody else, and a socket that the user
// has put there leads to nothing that the user could not have.
func (d *desktop) show(ctx context.Context, bus string, uid uint32, n *News) error {
	info, err := os.Lstat(bus)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != uid || info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s is not the user's", bus)
	}
	c, err := dialAs(ctx, bus, uid)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(int(uid)))}); err != nil {
		return err
	}
	if err := c.Hello(); err != nil {
		return err
	}
	notices := c.Object(notifyName, notifyPath)
	if len(n.Entries) == 0 {
		id := d.shown[uid]
		delete(d.shown, uid)
		return notices.CallWithContext(ctx, notifyName+".CloseNotification", 0, id).Err
	}
	var id uint32
	err = notices.CallWithContext(ctx, notifyName+".Notify", 0, "rootwc", d.shown[uid], "", "Uncommitted changes",
		counted(len(n.Entries))+" from what was committed", []string{}, map[string]dbus.Variant{}, int32(-1)).Store(&id)
	if err == nil {
		d.shown[uid] = id
	}
	return err
}

// dialAs connects with the effective user of the one thread that does: that is
// whom the other end sees.
func dialAs(ctx context.Context, bus string, uid uint32) (*dbus.Conn, error) {
	type answer struct {
		conn *dbus.Conn
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			done <- answer{nil, errno}
			return
		}
		conn, err := dbus.Dial("unix:path="+bus, dbus.WithContext(ctx))
		done <- answer{conn, err}
	}()
	got := <-done
	return got.conn, got.err
}
