package rebuild

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/probes"
)

const arrayID = "57869127:a7e8517a:07a2a2e8:002fe3b3"

func anArray() (*probes.RAID, map[probes.Ref]string) {
	return &probes.RAID{
		On: []probes.Ref{"partition.a", "partition.b", "partition.c"}, Name: "data", Homehost: "lab", Metadata: "1.2", Level: "raid5", Layout: "left-symmetric",
		Devices: 2, Spares: 1, Chunk: 64 << 10, Size: 1 << 30, DataOffset: 1 << 20, Consistency: "bitmap", BitmapChunk: 8 << 20,
	}, map[probes.Ref]string{"partition.a": "/dev/sdx1", "partition.b": "/dev/sdy1", "partition.c": "/dev/sdz1"}
}

// TestHostileRAID gives mdadm no word that no superblock has.
func TestHostileRAID(t *testing.T) {
	type R = *probes.RAID
	tests := map[string]func(R, map[probes.Ref]string){
		"unsupported":       func(r R, _ map[probes.Ref]string) { r.Unsupported = "it is being reshaped" },
		"metadata":          func(r R, _ map[probes.Ref]string) { r.Metadata = "imsm" },
		"level":             func(r R, _ map[probes.Ref]string) { r.Level = "container" },
		"layout":            func(r R, _ map[probes.Ref]string) { r.Layout = "left-symmetric --assume-clean" },
		"layout of another": func(r R, _ map[probes.Ref]string) { r.Level = "raid1" },
		"layout of raid10":  func(r R, _ map[probes.Ref]string) { r.Level, r.Layout = "raid10", "n2,f2" },
		"policy":            func(r R, _ map[probes.Ref]string) { r.Consistency = "none" },
		"no journal":        func(r R, _ map[probes.Ref]string) { r.Consistency = "journal" },
		"a journal":         func(r R, _ map[probes.Ref]string) { r.Journal = "partition.c" },
		"devices":           func(r R, _ map[probes.Ref]string) { r.Devices = 1 << 40 },
		"spares":            func(r R, _ map[probes.Ref]string) { r.Spares = -1 },
		"delay":             func(r R, _ map[probes.Ref]string) { r.BitmapDelay = 1 << 60 },
		"behind":            func(r R, _ map[probes.Ref]string) { r.WriteBehind = 1 << 60 },
		"data":              func(r R, _ map[probes.Ref]string) { r.DataOffset = 513 },
		"size":              func(r R, _ map[probes.Ref]string) { r.Size = 1<<64 - 1024 },
		"half a KiB":        func(r R, _ map[probes.Ref]string) { r.Size = 512 },
		"chunk":             func(r R, _ map[probes.Ref]string) { r.Chunk = 1 },
		"bitmap chunk":      func(r R, _ map[probes.Ref]string) { r.BitmapChunk = 100 },
		"host with a colon": func(r R, _ map[probes.Ref]string) { r.Homehost = "a:b" },
		"host of mdadm":     func(r R, _ map[probes.Ref]string) { r.Homehost = "<ignore>" },
		"any host":          func(r R, _ map[probes.Ref]string) { r.Homehost = "Any" },
		"name with a colon": func(r R, _ map[probes.Ref]string) { r.Name = "other:name" },
		"long name":         func(r R, _ map[probes.Ref]string) { r.Name = strings.Repeat("x", 29) },
		"name of old":       func(r R, _ map[probes.Ref]string) { r.Metadata = "0.90" },
		"mostly of none":    func(r R, _ map[probes.Ref]string) { r.WriteMostly = []probes.Ref{"partition.d"} },
		"few offsets":       func(r R, _ map[probes.Ref]string) { r.DataOffsets = []string{"1048576"} },
		"odd offset":        func(r R, _ map[probes.Ref]string) { r.DataOffsets = []string{"1048576", "1M", "0"} },
		"no device":         func(_ R, d map[probes.Ref]string) { delete(d, "partition.b") },
		"twice":             func(_ R, d map[probes.Ref]string) { d["partition.b"] = d["partition.a"] },
		"with an offset":    func(_ R, d map[probes.Ref]string) { d["partition.b"] = "/dev/sdy1:1M" },
	}
	for name, change := range tests {
		r, devices := anArray()
		change(r, devices)
		layer, err := RAID(arrayID, r, devices)
		if err == nil || !strings.HasPrefix(err.Error(), "array "+arrayID+": ") || len(layer.Make) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, devices := anArray()
	if _, err := RAID("--uuid", r, devices); err == nil {
		t.Error("a UUID that is none is taken")
	}
	for _, name := range append([]string{"../x", "0", "127", "md0", "d5", "-x", "a b"}, odds.Hostile...) {
		r.Name = name
		if got := RAIDDevice(arrayID, r); got != "/dev/md/array-57869127a7e8517a" {
			t.Errorf("%q: %s", name, got)
		}
		layer, err := RAID(arrayID, r, devices)
		if err != nil { // a line end, or too long
			continue
		}
		create := layer.Make[len(layer.Make)-1].Args
		if name != "" && !slices.Contains(create, "--name="+name) {
			t.Errorf("%q: %q", name, create)
		}
		if known := slices.Sorted(maps.Values(devices)); !slices.Equal(create[len(create)-3:], known) {
			t.Errorf("%q: %q", name, create)
		}
	}
}
