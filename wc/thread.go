package wc

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"rootwc/internal/run"
)

// as runs work with the file system ids of user, on one thread: setfsuid(2)
// also takes away the capabilities that overrule permissions. In a directory
// that belongs to an ordinary user root thus can do no more than the owner,
// whatever symlinks and renames the owner plays with. A nil user changes
// nothing.
func as(user *run.User, work func() error) error {
	if user == nil {
		return work()
	}
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine, and with it
		// whatever ids it was left with.
		runtime.LockOSThread()
		done <- func() error {
			groups := make([]uint32, 0, len(user.Groups))
			groups = append(groups, user.Groups...)
			if err := setThreadGroups(groups); err != nil {
				return fmt.Errorf("cannot become user %d: %w", user.UID, err)
			}
			if err := unix.Setfsgid(int(user.GID)); err != nil {
				return fmt.Errorf("cannot become group %d: %w", user.GID, err)
			}
			if err := unix.Setfsuid(int(user.UID)); err != nil {
				return fmt.Errorf("cannot become user %d: %w", user.UID, err)
			}
			// setfsuid reports no failure; asking again does.
			if got, _ := unix.SetfsuidRetUid(-1); got != int(user.UID) {
				return fmt.Errorf("cannot become user %d: still %d", user.UID, got)
			}
			return work()
		}()
	}()
	return <-done
}
