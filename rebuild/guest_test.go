package rebuild

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"rootwc/internal/odds"
	"rootwc/internal/run"
	"rootwc/internal/vm"
	"rootwc/internal/vm/inside"
	"rootwc/probes"
)

// guest is a virtual machine with the tests of this package and two disks.
func guest(t *testing.T) (*vm.Image, vm.Machine) {
	inside.Need(t)
	image, err := vm.Build(t.Context(), vm.Options{Udev: true})
	if err != nil {
		t.Fatal(err)
	}
	m := vm.Machine{Files: fstest.MapFS{}, Programs: map[string]string{"inside.test": inside.Build(t)}, Timeout: 20 * time.Minute}
	for n := range 2 {
		m.Disks = append(m.Disks, vm.Disk{Path: newLab(t).blank(3 << 30), Serial: fmt.Sprint("LOWER", n)})
	}
	return image, m
}

// TestGuestLowerLayers runs the tests named TestInside… in a guest, once
// without udevd and once with it. ROOTWC_INSIDE=VG runs that alone.
func TestGuestLowerLayers(t *testing.T) {
	for name, udev := range map[string]bool{"without udevd": false, "with udevd": true} {
		t.Run(name, func(t *testing.T) {
			image, m := guest(t)
			m.Command, m.Udev = []string{"inside.test", "-test.v", "-test.run", "^TestInside" + os.Getenv("ROOTWC_INSIDE")}, udev
			result, err := image.Run(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%.0f s\n%s", result.Took.Seconds(), result.Console)
			if result.Status != 0 || strings.Contains(result.Console, "--- SKIP") {
				t.Errorf("exit status %d", result.Status)
			}
		})
	}
}

// TestGuestPowerCut cuts the power while layers on layers are made, in the
// middle of each of several programs. The next start makes them again on what
// is there.
func TestGuestPowerCut(t *testing.T) {
	image, m := guest(t)
	m.Command = []string{"inside.test", "-test.v", "-test.run", "^TestInsideStack$"}
	for i, at := range []string{"sfdisk", "mdadm.*--create", "luksFormat", "luksAddKey", "pvcreate", "create_thin 2", "vgcfgrestore.*vg.main main"} {
		cut := m
		cut.CutAt, cut.Udev = regexp.MustCompile(`(?m)^ *\+ .*`+at), i%2 == 0
		result, err := image.Run(t.Context(), cut)
		if err != nil || !result.Cut {
			t.Fatalf("cut at %s: %v\n%s", at, err, result.Console)
		}
	}
	result, err := image.Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if result.Status != 0 || !strings.Contains(result.Console, "--- PASS") {
		t.Errorf("exit status %d\n%s", result.Status, result.Console)
	}
}

// insideGuest skips a test outside of a guest. In it, the old machine's partitions
// are on /dev/vda, those of the new one on /dev/vdb.
func insideGuest(t *testing.T) *lab {
	for n, disk := range []string{"vda", "vdb"} {
		if serial, _ := os.ReadFile("/sys/block/" + disk + "/serial"); string(serial) != fmt.Sprint("LOWER", n) {
			t.Skip("runs in a guest, see TestGuestLowerLayers")
		}
	}
	return newLab(t)
}

// partitions makes partitions of these sizes on a disk, in MiB, with a table
// that sfdisk alone would not make.
func (l *lab) partitions(disk string, sizes ...int) (nodes []string) {
	l.Helper()
	t := &probes.Table{ID: probes.ID(odds.UUID(odds.Dice(len(disk) + int(disk[len(disk)-1])))), Disk: probes.Disk{Table: "gpt", Sector: 512, FirstLBA: 2048}}
	at := uint64(2048)
	for i, size := range sizes {
		end := at + uint64(size)<<11 - 1
		t.Partitions = append(t.Partitions, probes.TableEntry{ID: probes.ID(odds.UUID(odds.Dice(1000 + i))), Partition: probes.Partition{
			On: probes.Ref("disk." + t.ID), Number: i + 1, FirstLBA: at, LastLBA: end, Type: "0fc63daf-8483-4772-8e79-3d69d8477de4", Name: odds.Pick(odds.Dice(i), odds.Beyond...),
		}})
		nodes = append(nodes, PartitionDevice(disk, i+1))
		at = end + 1
	}
	layer, err := Table(t, disk)
	if err != nil {
		l.Fatal(err)
	}
	l.do(layer.Make, layer.Open)
	return nodes
}

// use makes a file system on a device and writes to it.
func (l *lab) use(device string) {
	l.Helper()
	l.tool("", "mke2fs", "-q", "-F", device)
	l.tool("", "mount", device, "/mnt")
	if err := os.WriteFile("/mnt/file", []byte(device), 0o600); err != nil {
		l.Error(err)
	}
	l.tool("", "umount", "/mnt")
}

// TestInsideTable changes partitions while the kernel has others: with logical
// ones that sfdisk does not make, over ones in use by a mapping that is left.
func TestInsideTable(t *testing.T) {
	l := insideGuest(t)
	nodes := l.partitions("/dev/vdb", 10, 20, 30)
	l.tool("0 2048 linear "+nodes[1]+" 8", "dmsetup", "create", "left-over")
	table := &probes.Table{ID: "cafe1234", Disk: probes.Disk{Table: "dos", Sector: 512}}
	add := func(number int, first, last uint64, kind string) {
		table.Partitions = append(table.Partitions, probes.TableEntry{
			ID: probes.ID(fmt.Sprintf("cafe1234-%02x", number)), Partition: probes.Partition{On: "disk.cafe1234", Number: number, FirstLBA: first, LastLBA: last, Type: kind},
		})
	}
	add(1, 63, 4000, "83")
	add(2, 4001, 90000, "5")
	add(5, 60001, 70000, "83")
	add(6, 4010, 60000-1, "8e")
	table.Disk.Need = 90001 * 512
	for range 2 {
		layer, err := Table(table, "/dev/vdb")
		if err != nil {
			t.Fatal(err)
		}
		l.do(layer.Make, layer.Open)
		if left := l.tool("", "wipefs", "--no-act", "/dev/vdb6"); left != "" {
			t.Errorf("partition 6 still has %s", left)
		}
		got, err := probes.ReadTable(l.medium("/dev/vdb"), 512)
		if err != nil || !reflect.DeepEqual(got, table) {
			t.Fatalf("%v, got %s\nwant %s", err, show(got), show(table))
		}
		l.use("/dev/vdb6")
	}
}

// arrays are options of mdadm --create, %N for the N-th device, and how many
// devices there are. Without such a word, the devices follow.
var arrays = []struct {
	name    string
	devices int
	options string
}{
	{"plain", 2, "--metadata=1.2 --level=1 --raid-devices=2 --bitmap=internal"},
	{"0", 3, "--metadata=1.0 --level=1 --raid-devices=2 --spare-devices=1 --bitmap=none"},
	{"old", 2, "--metadata=0.90 --level=1 --raid-devices=2 --bitmap=none"},
	{"slow", 3, "--metadata=1.1 --level=1 --raid-devices=3 --bitmap=internal --bitmap-chunk=8M --write-behind=300 --delay=11 %1 --write-mostly %2 %3"},
	{"fast", 2, "--metadata=1.2 --level=1 --raid-devices=2 --bitmap=none --failfast"},
	{"asym", 4, "--metadata=1.2 --level=5 --raid-devices=3 --spare-devices=1 --layout=left-asymmetric --chunk=128 --bitmap=internal"},
	{"ppl", 3, "--metadata=1.2 --level=5 --raid-devices=3 --consistency-policy=ppl"},
	{"journal", 4, "--metadata=1.2 --level=5 --raid-devices=3 --write-journal %4 %1 %2 %3"},
	{"six", 4, "--metadata=1.1 --level=6 --raid-devices=4 --layout=right-symmetric --size=8192 --data-offset=3M --bitmap=none"},
	{"six5", 4, "--metadata=1.2 --level=6 --raid-devices=4 --layout=left-symmetric-6 --bitmap=none"},
	{"near", 3, "--metadata=1.2 --level=10 --raid-devices=3 --layout=n2 --bitmap=internal"},
	{"far", 2, "--metadata=1.0 --level=10 --raid-devices=2 --layout=f2 --chunk=64 --bitmap=none"},
	{"offset", 4, "--metadata=1.2 --level=10 --raid-devices=4 --layout=o2 --bitmap=none"},
	{"zero", 2, "--metadata=1.2 --level=0 --raid-devices=2 --chunk=64"},
	{"original", 2, "--metadata=1.0 --level=0 --raid-devices=2 --layout=original"},
	{"linear", 2, "--metadata=1.2 --level=linear --raid-devices=2"},
	{"four", 3, "--metadata=0.90 --level=4 --raid-devices=3 --chunk=32"},
	{"variable", 2, "--metadata=1.2 --level=1 --raid-devices=2 --bitmap=none --data-offset=variable %1:1M %2:2M"},
	{"one", 1, "--metadata=1.2 --level=1 --raid-devices=1"},
}

// TestInsideRAID makes arrays of every kind again on other partitions; then
// once more over the running array; then over the stopped one.
func TestInsideRAID(t *testing.T) {
	l := insideGuest(t)
	sizes := []int{40, 40, 44, 40}
	old, disks := l.partitions("/dev/vda", sizes...), l.partitions("/dev/vdb", sizes...)
	for _, a := range arrays {
		t.Run(a.name, func(t *testing.T) {
			l := insideGuest(t)
			id, want, devices := l.makeRAID(a.name, old[:a.devices], a.options)
			for ref, d := range devices {
				devices[ref] = disks[slices.Index(old, d)]
			}
			layer, err := RAID(id, want, devices)
			if err != nil {
				t.Fatal(err)
			}
			node := RAIDDevice(id, want)
			l.do(layer.Make, layer.Open, layer.Open)
			l.use(node)
			l.do(layer.Make[:len(layer.Make)-1], layer.Make, layer.Open)
			l.use(node)
			l.do(layer.Close, layer.Make, layer.Close, layer.Open, layer.Close)
			gotID, got := l.readRAID(devices)
			if gotID != id || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\ngot  %s\nwant %s", run.Quote(layer.Make[len(layer.Make)-1].Args), show(got), show(want))
			}
		})
	}
}

// makeRAID makes an array of the old machine, stops it, and reads it.
func (l *lab) makeRAID(name string, nodes []string, options string) (probes.ID, *probes.RAID, map[probes.Ref]string) {
	l.Helper()
	devices := map[probes.Ref]string{}
	args := []string{"mdadm", "--create", "/dev/md/made", "--run", "--force", "--assume-clean"}
	if !strings.Contains(options, "0.90") {
		args = append(args, "--name="+name, "--homehost=lab")
	}
	named := strings.Contains(options, "%")
	for i, d := range nodes {
		l.tool("", "wipefs", "--all", "--quiet", d)
		devices[probes.Ref("partition."+filepath.Base(d))] = d
		options = strings.ReplaceAll(options, fmt.Sprint("%", i+1), d)
	}
	args = append(args, strings.Fields(options)...)
	if !named {
		args = append(args, nodes...)
	}
	l.tool("", args...)
	l.use("/dev/md/made") // the kernel rounds some sizes with the first write
	if err := settle(); err != nil {
		l.Fatal(err)
	}
	l.tool("", "mdadm", "--stop", "/dev/md/made")
	id, r := l.readRAID(devices)
	return id, r, devices
}

func (l *lab) readRAID(devices map[probes.Ref]string) (probes.ID, *probes.RAID) {
	l.Helper()
	media := map[probes.Ref]probes.Medium{}
	for ref, d := range devices {
		media[ref] = l.medium(d)
	}
	id, r, err := probes.ReadRAID(media)
	if err != nil {
		l.Fatal(err)
	}
	return id, r
}
