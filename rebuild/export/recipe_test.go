package export

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rootwc/probes"
)

// blank makes an image of zeros.
func blank(t testing.TB, mib int64) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "image")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(mib << 20); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func identify(t testing.TB, image string) (probes.ID, any) {
	t.Helper()
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, node, err := probes.Identify(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return id, node
}

// TestRecipes makes file systems, and makes them again with the options that
// are exported: they are the same then.
func TestRecipes(t *testing.T) {
	for _, c := range []struct {
		command string
		mib     int64
		pkg     string
	}{
		{"mkfs.ext2 -q -b 1024 -m 3 -L old", 64, "e2fsprogs"},
		{"mkfs.ext3 -q -I 128 -N 3000", 100, "e2fsprogs"},
		{"mkfs.ext4 -q -O ^metadata_csum,quota,bigalloc -C 65536 -e panic -m 0", 300, "e2fsprogs"},
		{"mkfs.ext4 -q -J size=8 -E stride=4,stripe_width=16", 300, "e2fsprogs"},
		{"mkfs.xfs -q -L data -m rmapbt=1 -d su=64k,sw=4 -l size=64m", 2048, "xfsprogs"},
		{"mkfs.xfs -q -b size=1024 -m crc=1,finobt=0,reflink=0 -n size=8192 -i size=512,maxpct=10 -l size=64m", 400, "xfsprogs"},
		{"mkfs.vfat -F 32 -n ESP -s 4", 200, "dosfstools"},
		{"mkfs.vfat -F 16 -r 1024", 32, "dosfstools"},
		{"mkfs.btrfs -q -O ^no-holes -R ^free-space-tree", 300, "btrfs-progs"},
		{"mkfs.btrfs -q -n 32768 --csum xxhash -L b", 300, "btrfs-progs"},
		{"mkfs.f2fs -q -l f -O extra_attr,inode_checksum", 100, "f2fs-tools"},
		{"mkswap -L s", 10, "util-linux"},
	} {
		t.Run(c.command, func(t *testing.T) {
			args := strings.Fields(c.command)
			need(t, args[0], c.pkg)
			first := blank(t, c.mib)
			if out, err := try(t, append(args, first)...); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			id, node := identify(t, first)
			l := &probes.Layout{Disk: map[probes.ID]*probes.Disk{"of": {Sector: 512}}}
			kind := "filesystem"
			switch n := node.(type) {
			case *probes.FileSystem:
				l.FileSystem = map[probes.ID]*probes.FileSystem{id: n}
			case *probes.Swap:
				kind, l.Swap = "swap", map[probes.ID]*probes.Swap{id: n}
			}
			m, err := newMachine(l, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			r := m.format(kind, id)
			if len(m.wrong)+len(m.notes) > 0 {
				t.Error(m.wrong, m.notes)
			}
			second := blank(t, c.mib)
			made := append([]string{args[0]}, r.all()...)
			if r.kind == "btrfs" {
				b := l.FileSystem[id].Btrfs
				made = append(made, "--data", b.Data, "--metadata", b.Metadata)
			}
			if out, err := try(t, append(made, second)...); err != nil {
				t.Fatalf("%q: %v: %s", made, err, out)
			}
			if len(r.tune) > 0 {
				if out, err := try(t, append(append([]string{"tune2fs"}, r.tune...), second)...); err != nil {
					t.Fatalf("tune2fs %q: %v: %s", r.tune, err, out)
				}
			}
			gotID, got := identify(t, second)
			if gotID != id || !reflect.DeepEqual(got, node) {
				t.Errorf("%q gives %s\n%s, not %s\n%s", made, gotID, show(got), id, show(node))
			}
		})
	}
}

func show(node any) string {
	v := reflect.ValueOf(node).Elem()
	var parts []string
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			parts = append(parts, fmt.Sprintf("%+v", f.Elem().Interface()))
		}
	}
	return fmt.Sprintf("%+v %s", v.Interface(), strings.Join(parts, " "))
}

// TestOddNumbers puts numbers that cannot be into each field: it may be an
// error, and nothing worse.
func TestOddNumbers(t *testing.T) {
	for _, e := range examples {
		for slot := 0; ; slot++ {
			for _, n := range []uint64{0, math.MaxUint64} {
				l, at := e.layout(t), 0
				var walk func(v reflect.Value)
				walk = func(v reflect.Value) {
					switch v.Kind() {
					case reflect.Pointer:
						if !v.IsNil() {
							walk(v.Elem())
						}
					case reflect.Struct:
						for i := range v.NumField() {
							walk(v.Field(i))
						}
					case reflect.Map:
						for _, key := range sortedKeys(v) {
							walk(v.MapIndex(key))
						}
					case reflect.Uint64, reflect.Int:
						if at == slot && v.CanUint() {
							v.SetUint(n)
						} else if at == slot {
							v.SetInt(int64(n))
						}
						at++
					}
				}
				walk(reflect.ValueOf(l).Elem())
				if slot >= at {
					slot = -1
					break
				}
				for _, format := range Formats() {
					if text, _, err := Export(format, l, e.disks, e.groups(t)...); err == nil {
						checkText(t, format, text)
					}
				}
			}
			if slot < 0 {
				break
			}
		}
	}
}

// TestExportErrors names what is wrong and where.
func TestExportErrors(t *testing.T) {
	for _, c := range []struct {
		want   string
		format string
		change func(l *probes.Layout, disks map[probes.ID]string)
	}{
		{`unknown format "grub": it is one of disko, fai, kickstart, repart`, "grub", func(*probes.Layout, map[probes.ID]string) {}},
		{`is no path of a device`, "fai", func(l *probes.Layout, disks map[probes.ID]string) {
			for id := range l.Disk {
				disks[id] = "/dev/sda; reboot"
			}
		}},
		{`filesystem.2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a32: feature is "64bit -F"`, "disko", func(l *probes.Layout, _ map[probes.ID]string) {
			l.FileSystem["2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a32"].Ext.Features[0] = "64bit -F"
		}},
		{`lv.vg0/root: it is in "vg.vg1"`, "kickstart", func(l *probes.Layout, _ map[probes.ID]string) { l.LV["vg0/root"].On = "vg.vg1" }},
		{`type is "x"`, "repart", func(l *probes.Layout, _ map[probes.ID]string) {
			l.Partition["2f6d3a51-9c1b-4d3a-8a34-0f6f3f0c1a11"].Type = "x"
		}},
	} {
		l, disks := examples[0].layout(t), map[probes.ID]string{}
		c.change(l, disks)
		text, notes, err := Export(c.format, l, disks)
		if err == nil || !strings.Contains(err.Error(), c.want) || text != "" || notes != nil {
			t.Errorf("%q, %v, %v, not %s", filepath.Base(text), notes, err, c.want)
		}
	}
}

// TestLUKSFormat makes an encrypted device again with the options that are
// exported.
func TestLUKSFormat(t *testing.T) {
	need(t, "cryptsetup", "cryptsetup-bin")
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{
		"--type luks1 --pbkdf-force-iterations 1000",
		"--type luks1 --cipher aes-cbc-essiv:sha256 --key-size 256 --hash sha512 --align-payload 8192 --pbkdf-force-iterations 2000",
		"--type luks2 --pbkdf argon2id --pbkdf-force-iterations 4 --pbkdf-memory 64 --pbkdf-parallel 1",
		"--type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096 --hash sha512 --label l --subsystem s --luks2-metadata-size 64k --luks2-keyslots-size 8m --cipher aes-cbc-essiv:sha256 --key-size 256",
	} {
		t.Run(options, func(t *testing.T) {
			make := func(options []string) (probes.ID, *probes.LUKS) {
				image := blank(t, 40)
				args := append([]string{"cryptsetup", "--batch-mode", "luksFormat", image, key}, options...)
				if out, err := try(t, args...); err != nil {
					t.Fatalf("%q: %v: %s", args, err, out)
				}
				f, err := os.Open(image)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				id, l, err := probes.ReadLUKS(probes.Medium{ReaderAt: f, Size: 40 << 20})
				if err != nil {
					t.Fatal(err)
				}
				return id, l
			}
			id, want := make(strings.Fields(options))
			m, err := newMachine(&probes.Layout{LUKS: map[probes.ID]*probes.LUKS{id: want}}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			again := m.luksFormat(id)
			gotID, got := make(again)
			if gotID != id || !reflect.DeepEqual(got, want) {
				t.Errorf("%q gives %s\n%s %+v, not %s\n%s %+v", again, gotID, show(got), got.Slot["0"], id, show(want), want.Slot["0"])
			}
			if len(m.notes)+len(m.wrong) > 0 {
				t.Error(m.notes, m.wrong)
			}
		})
	}
}
