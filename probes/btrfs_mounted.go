package probes

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// btrfsMounted asks the kernel for the items of a mounted file system's trees.
// It gives them as they are in memory.
type btrfsMounted struct {
	dir    *os.File
	memory []uint64 // for one search after another
}

// The requests of linux/btrfs.h. Their numbers hold where the generic _IOC
// does: not on MIPS, PowerPC and SPARC.
const (
	btrfsTreeSearch  = 0xc0709411 // BTRFS_IOC_TREE_SEARCH_V2, since Linux 3.16
	btrfsFSInfo      = 0x8400941f // BTRFS_IOC_FS_INFO
	btrfsGetLabel    = 0x81009431 // FS_IOC_GETFSLABEL
	btrfsGetFeatures = 0x80189439 // BTRFS_IOC_GET_FEATURES
)

// request calls ioctl with memory that the request knows the size of.
func (m *btrfsMounted) request(number uintptr, memory []uint64) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, m.dir.Fd(), number, uintptr(unsafe.Pointer(&memory[0])))
	runtime.KeepAlive(m.dir)
	if errno != 0 {
		return errno
	}
	return nil
}

// bytesOf sees memory as bytes.
func bytesOf(memory []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&memory[0])), len(memory)*8)
}

// ask replaces in a superblock what can be changed while the file system
// is mounted.
func (m *btrfsMounted) ask(super *btrfsSuper) error {
	info := make([]uint64, 1024/8)
	if err := m.request(btrfsFSInfo, info); err != nil {
		return fmt.Errorf("%s: no btrfs: %w", m.dir.Name(), err)
	}
	if id := [16]byte(bytesOf(info)[16:]); id != super.uuid {
		return fmt.Errorf("%s is of file system %s, its devices of %s", m.dir.Name(), uuid(id[:]), super.id())
	}
	super.devices = info[1]
	features := make([]uint64, 3)
	if err := m.request(btrfsGetFeatures, features); err != nil {
		return fmt.Errorf("features of %s: %w", m.dir.Name(), err)
	}
	super.compatRO, super.incompat = features[1], features[2]
	label := make([]uint64, 256/8)
	if err := m.request(btrfsGetLabel, label); err != nil {
		return fmt.Errorf("label of %s: %w", m.dir.Name(), err)
	}
	super.label = untilNUL(bytesOf(label))
	return nil
}

func (m *btrfsMounted) items(ctx context.Context, tree uint64, first, last btrfsKey, f func(btrfsItem) error) error {
	// struct btrfs_ioctl_search_args_v2: 104 bytes of key, the size of the room
	// for the answer, the room. The largest item is smaller than a node.
	const head, room = 112, 256 << 10
	if m.memory == nil {
		m.memory = make([]uint64, (head+room)/8)
	}
	memory := m.memory
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		copy(memory, []uint64{tree, first.object, last.object, first.offset, last.offset, 0, ^uint64(0), 0, 0})
		b := bytesOf(memory)
		native := binary.NativeEndian
		native.PutUint32(b[56:], uint32(first.kind))
		native.PutUint32(b[60:], uint32(last.kind))
		native.PutUint32(b[64:], ^uint32(0))
		native.PutUint64(b[104:], room)
		switch err := m.request(btrfsTreeSearch, memory); {
		case errors.Is(err, unix.ENOENT):
			return fmt.Errorf("tree %d: %w", tree, errNoBtrfsTree)
		case err != nil:
			return fmt.Errorf("tree %d of %s: %w", tree, m.dir.Name(), err)
		}
		n := native.Uint32(b[64:])
		if n == 0 {
			return nil
		}
		answer := b[head:]
		for range n {
			// struct btrfs_ioctl_search_header
			item := btrfsItem{key: btrfsKey{native.Uint64(answer[8:]), uint8(native.Uint32(answer[24:])), native.Uint64(answer[16:])}}
			size := native.Uint32(answer[28:])
			item.data, answer = answer[32:][:size], answer[32+size:]
			if err := f(item); err != nil {
				return err
			}
			first = item.key
		}
		if first == last || !first.next() {
			return nil
		}
	}
}

// next makes the key the one behind it; false when there is none.
func (k *btrfsKey) next() bool {
	k.offset++
	if k.offset != 0 {
		return true
	}
	k.kind++
	if k.kind != 0 {
		return true
	}
	k.object++
	return k.object != 0
}
