package probes

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// zfsDevice is the first label of a device of a pool, as zpool create lays it
// out: a list in XDR, and a ring of uberblocks.
func zfsDevice(order binary.AppendByteOrder) []byte {
	b := make([]byte, 1<<20)
	pair := func(name string, kind uint32, value []byte) []byte {
		be := binary.BigEndian
		body := be.AppendUint32(nil, uint32(len(name)))
		body = append(body, name...)
		body = append(body, make([]byte, (4-len(name)%4)%4)...)
		body = be.AppendUint32(be.AppendUint32(body, kind), 1)
		body = append(body, value...)
		return append(be.AppendUint32(be.AppendUint32(nil, uint32(8+len(body))), 0), body...)
	}
	list := []byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	list = append(list, pair("name", 9, append(binary.BigEndian.AppendUint32(nil, 4), "tank"...))...)
	list = append(list, pair("pool_guid", 8, binary.BigEndian.AppendUint64(nil, 12345678901234567890))...)
	list = append(list, pair("guid", 8, binary.BigEndian.AppendUint64(nil, 42))...)
	copy(b[16<<10:], list)
	copy(b[(128+7)<<10:], order.AppendUint64(nil, 0x00bab10c))
	return b
}

func TestRecordedFormats(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		one, err := identify(medium{bytes.NewReader(zfsDevice(order)), 1 << 20})
		if err != nil || one == nil || one.id != "12345678901234567890.42" || one.node.(*Unknown).Name != "tank" {
			t.Errorf("got %+v, %v", one, err)
		}
	}
	for _, k := range marks {
		b := make([]byte, 1<<20)
		copy(b[k.at:], k.magic)
		if k.uuid != 0 {
			copy(b[k.uuid:], "0123456789abcdef")
		}
		one, err := identify(medium{bytes.NewReader(b), 1 << 20})
		if err != nil || one == nil || one.name != k.name || (k.uuid != 0) != (one.id == "30313233-3435-3637-3839-616263646566") {
			t.Errorf("%s: got %+v, %v", k.name, one, err)
		}
	}
}

// TestRecordedBelow has a mark that is left from before below one that counts.
func TestRecordedBelow(t *testing.T) {
	b := zfsDevice(binary.LittleEndian)
	copy(b[4096-10:], "SWAPSPACE2")
	copy(b[1024:], []byte{1, 0, 0, 0, 255, 0, 0, 0})
	one, err := identify(medium{bytes.NewReader(b), 1 << 20})
	if err != nil || one == nil || one.name != "swap" {
		t.Errorf("got %+v, %v", one, err)
	}
}

func FuzzZFS(f *testing.F) {
	f.Add(zfsDevice(binary.LittleEndian)[16<<10 : 17<<10])
	f.Fuzz(func(t *testing.T, list []byte) {
		b := zfsDevice(binary.BigEndian)
		clear(b[16<<10 : 128<<10])
		copy(b[16<<10:128<<10], list)
		one, err := identify(medium{bytes.NewReader(b), 1 << 20})
		if err == nil && one != nil && strings.ContainsRune(one.node.(*Unknown).Name, 0) && !bytes.Contains(list, []byte{0}) {
			t.Error("a text that is not there")
		}
	})
}
