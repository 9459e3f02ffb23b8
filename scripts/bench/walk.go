package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"rootwc/wc"
)

// The bare walk reads every directory and asks for the state of every name in
// it, and does nothing with that. It is what a status costs that knows nothing
// beforehand; the ratio to it is only honest when nobody could write it faster.

// administrative are the directories that a walk leaves out; the second holds
// rootwc's state, and nothing else in these trees.
var administrative = []string{wc.AdminDir, stateTop}

// walkMain walks a tree and says how much there was.
func walkMain(dir string) int {
	files, dirs, err := walk(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Print(walkAnswer(files, dirs))
	return 0
}

func walkAnswer(files, dirs int) string {
	return fmt.Sprintf("%d files, %d directories\n", files, dirs)
}

// walk counts files and directories, dir among them.
func walk(dir string) (files, dirs int, err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	w := &walker{todo: []place{{self: newOpenDir(fd)}}}
	w.ready = sync.NewCond(&w.mu)
	var workers sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		workers.Go(w.work)
	}
	workers.Wait()
	return int(w.files.Load()), int(w.dirs.Load()), w.err
}

// openDir is a descriptor that stays open until every directory below it has
// been opened through it.
type openDir struct {
	fd    int
	users atomic.Int32
}

func newOpenDir(fd int) *openDir {
	d := &openDir{fd: fd}
	d.users.Store(1)
	return d
}

func (d *openDir) release() {
	if d.users.Add(-1) == 0 {
		unix.Close(d.fd)
	}
}

// place is a directory to be read: a name in an open one, or an open one.
type place struct {
	in   *openDir
	name string
	self *openDir
}

func (p *place) open() (*openDir, error) {
	if p.self != nil {
		return p.self, nil
	}
	defer p.in.release()
	fd, err := unix.Openat(p.in.fd, p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: p.name, Err: err}
	}
	return newOpenDir(fd), nil
}

// walker hands directories to its workers, the newest first, so that few are
// open at once.
type walker struct {
	files, dirs atomic.Int64

	mu    sync.Mutex
	ready *sync.Cond
	todo  []place
	busy  int
	err   error
}

func (w *walker) work() {
	r := &reader{buffer: make([]byte, 32<<10)}
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.todo) == 0 && w.busy > 0 && w.err == nil {
			w.ready.Wait()
		}
		if len(w.todo) == 0 || w.err != nil {
			w.ready.Broadcast()
			break
		}
		p := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.busy++
		w.mu.Unlock()
		err := r.read(&p)
		w.mu.Lock()
		w.busy--
		w.todo = append(w.todo, r.below...)
		if err != nil {
			w.err = err
		}
		if len(r.below) > 0 || w.busy == 0 {
			w.ready.Broadcast()
		}
	}
	w.files.Add(int64(r.files))
	w.dirs.Add(int64(r.dirs))
}

// reader reads directories for one worker.
type reader struct {
	buffer      []byte
	below       []place // of the directory read last
	files, dirs int
}

func (r *reader) read(p *place) error {
	r.below = r.below[:0]
	d, err := p.open()
	if err != nil {
		return err
	}
	defer d.release()
	r.dirs++
	for {
		n, err := unix.ReadDirent(d.fd, r.buffer)
		if err != nil {
			return os.NewSyscallError("getdents64", err)
		}
		if n <= 0 {
			return nil
		}
		for rest := r.buffer[:n]; len(rest) > 0; {
			length := binary.NativeEndian.Uint16(rest[direntLength:])
			if err := r.entry(d, rest[:length]); err != nil {
				return err
			}
			rest = rest[length:]
		}
	}
}

// Fields of struct linux_dirent64, getdents64(2).
const (
	direntLength = unsafe.Offsetof(unix.Dirent{}.Reclen)
	direntName   = unsafe.Offsetof(unix.Dirent{}.Name)
)

// entry asks for the state of one name.
func (r *reader) entry(d *openDir, dirent []byte) error {
	name := dirent[direntName:]
	if name[0] == '.' && (name[1] == 0 || name[1] == '.' && name[2] == 0) {
		return nil
	}
	var st unix.Stat_t
	// the name ends with a zero as it is; the function of package unix copies it
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(d.fd), uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&st)), unix.AT_SYMLINK_NOFOLLOW, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("fstatat", errno)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		r.files++
		return nil
	}
	if word := unix.ByteSliceToString(name); !slices.Contains(administrative, word) {
		d.users.Add(1)
		r.below = append(r.below, place{in: d, name: word})
	}
	return nil
}
