package vm

import (
	"regexp"
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	var typed strings.Builder
	c := &console{send: &typed, dialogue: []Turn{
		{regexp.MustCompile(`login: $`), "root\n"},
		{regexp.MustCompile(`\$ $`), "exit\n"},
	}}
	seen := 0
	c.on(regexp.MustCompile(`red light`), func() { seen++ })
	c.on(nil, func() { t.Error("nothing was waited for") })
	for _, part := range []string{"a \x1b[3", "1mred\x1b[0m li", "ght\r\n", "host log", "in: ", "red light\r\n$", " "} {
		if _, err := c.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.String(), "a red light\nhost login: red light\n$ "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if seen != 1 || typed.String() != "root\nexit\n" || c.open() {
		t.Errorf("seen %d times, typed %q, still open: %v", seen, typed.String(), c.open())
	}
}

func TestDiskArguments(t *testing.T) {
	args, err := Disk{Path: "/a,b", Serial: "S", Bus: SCSI, LogicalSector: 4096, WWN: 1, ReadOnly: true}.arguments(2, true)
	want := "-drive if=none,id=drive2,format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap,file=/a,,b,readonly=on " +
		"-device virtio-scsi-pci,id=scsi2 " +
		"-device scsi-hd,bus=scsi2.0,drive=drive2,logical_block_size=4096,physical_block_size=4096,bootindex=1,serial=S,wwn=1"
	if got := strings.Join(args, " "); err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	for _, bad := range []Disk{{Bus: "ide"}, {WWN: 1}, {Serial: "longer than twenty bytes"}} {
		if _, err := bad.arguments(0, false); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
