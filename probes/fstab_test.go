package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"rootwc/internal/odds"
	"slices"
	"strings"
	"testing"
)

func TestParseFstab(t *testing.T) {
	text := "# comment\n\n" +
		"UUID=0a3407de-014b-458b-b5c1-848e92a327a3\t/\text4\terrors=remount-ro\t0\t1\n" +
		"  \t# indented comment\n" +
		`LABEL="root fs" /srv/a\040b\011c\\d  xfs  rw,nofail,x-systemd.device-timeout=10   0 2` + "\r\n" +
		"tmpfs /tmp tmpfs size=50%,mode=1777 0 0\n" +
		"/home/old /old none bind\n" +
		"nas.example:/export /nas nfs4 _netdev 0 0\n" +
		"/dev/sda1 /short\n" +
		"LABEL=B\\303\\270\\303\\270t /b auto"
	want := []FstabLine{
		{3, "UUID=0a3407de-014b-458b-b5c1-848e92a327a3", "/", "ext4", []string{"errors=remount-ro"}},
		{5, "LABEL=\"root", "fs\"", "/srv/a b\tc\\\\d", []string{"xfs"}}, // a quoted space ends the field all the same
		{6, "tmpfs", "/tmp", "tmpfs", []string{"size=50%", "mode=1777"}},
		{7, "/home/old", "/old", "none", []string{"bind"}},
		{8, "nas.example:/export", "/nas", "nfs4", []string{"_netdev"}},
		{10, "LABEL=Bøøt", "/b", "auto", nil},
	}
	if got := ParseFstab(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseCrypttab(t *testing.T) {
	text := "# <target name>\t<source device>\t<key file>\t<options>\n" +
		"sda3_crypt UUID=1b7c2978-8550-41dd-b91c-cdf88b614062 none luks,discard\n" +
		`two\0040words /dev/disk/by-partlabel/a\x20b /etc/keys/two\040words` + "\n" +
		"alone\n" +
		"bare PARTLABEL=bare\n"
	want := []CrypttabLine{
		{2, "sda3_crypt", "UUID=1b7c2978-8550-41dd-b91c-cdf88b614062", "none", []string{"luks", "discard"}},
		{3, "two words", `/dev/disk/by-partlabel/a\x20b`, "/etc/keys/two words", nil},
		{5, "bare", "PARTLABEL=bare", "", nil},
	}
	if got := ParseCrypttab(text); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestFstabAsFindmnt compares with libmount, which mount reads the table with.
// One thing differs: it passes over lines whose last fields are no numbers, and
// systemd does not.
func TestFstabAsFindmnt(t *testing.T) {
	need(t, "findmnt")
	compared := 0
	for round := range odds.Rounds(10) {
		r := odds.Dice(round)
		var text strings.Builder
		for range 1 + r.IntN(8) {
			if r.IntN(6) == 0 {
				text.WriteString(odds.Pick(r, "\n", "# comment\n", " \t # comment\n", "/dev/one\n", "/dev/a /two\n", "  \n"))
				continue
			}
			text.WriteString(odds.Pick(r, "", "  ", "\t"))
			text.WriteString(odds.Pick(r, "UUID=ab-12", `LABEL=a\040b`, `LABEL="q"`, "/dev/mapper/a-b", "tmpfs", "nas:/x", `/dev/disk/by-label/a\x20b`, "ä", "a#b"))
			for _, field := range []string{
				odds.Pick(r, "/", "none", `/a\040b\011c\134d`, `/odd\z\04`, "/ä\u00a0b"), odds.Pick(r, "ext4", "auto", "none", "swap", "udf,iso9660"),
				odds.Pick(r, "defaults", "rw,nofail", `c="x\054y"`, "subvol=@,x-a=b#c"), odds.Pick(r, "0", "1"), odds.Pick(r, "0", "2"), odds.Pick(r, "", "# c"),
			} {
				text.WriteString(odds.Pick(r, " ", "\t", " \t ") + field)
				if r.IntN(20) == 0 {
					break
				}
			}
			text.WriteString(odds.Pick(r, "", " ", "\r") + "\n")
		}
		file := filepath.Join(t.TempDir(), "fstab")
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		var said struct {
			Filesystems []struct{ Source, Target, Fstype, Options string }
		}
		// an empty table is an exit status of 1
		out, _ := tryTool("", "findmnt", "--json", "--list", "--tab-file", file, "-o", "SOURCE,TARGET,FSTYPE,OPTIONS")
		if err := json.Unmarshal([]byte(out), &said); err != nil && out != "" {
			t.Fatalf("%v in %s", err, out)
		}
		var want, got []string
		for _, l := range said.Filesystems {
			want = append(want, fmt.Sprintf("%q %q %q %q", l.Source, l.Target, l.Fstype, l.Options))
		}
		for _, l := range ParseFstab(text.String()) {
			got = append(got, fmt.Sprintf("%q %q %q %q", l.Source, l.Target, l.Type, strings.Join(l.Options, ",")))
		}
		if !slices.Equal(got, want) {
			t.Errorf("round %d: %s\ngot\n%s\nwant\n%s", round, &text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		compared += len(want)
	}
	if compared == 0 {
		t.Error("findmnt has said nothing")
	}
	t.Logf("%d lines", compared)
}

// FuzzTables reads any texts as tables, and checks and mounts what comes out.
func FuzzTables(f *testing.F) {
	l := tablesLayout(f)
	f.Add("UUID=ab-12 / btrfs subvol=@\n", "a UUID=x none luks\n")
	f.Add("/dev/mapper/\\x20 a\\040 swap sw", "\\0400 /dev/disk/by-id/dm-uuid- - header=")
	f.Fuzz(func(t *testing.T, fstab, crypttab string) {
		_ = l.CheckTables(fstab, crypttab)
		for id, m := range l.Mounts(fstab, crypttab) {
			if l.FileSystem[m.On.ID()] == nil || !filepath.IsAbs(string(id)) {
				t.Fatalf("mount %q on %q", id, m.On)
			}
		}
	})
}

// tablesLayout is a machine with something of each kind, where two file systems
// have one label.
func tablesLayout(t testing.TB) *Layout {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "tables.toml"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestResolve(t *testing.T) {
	l := tablesLayout(t)
	for _, c := range []struct{ spec, want string }{
		{"UUID=a50d484d-9a4c-44c7-a3c1-6128d9f69e30", "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30"},
		{`UUID="a50d484d-9a4c-44c7-a3c1-6128d9f69e30"`, "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30"},
		{"UUID=A50D484D-9A4C-44C7-A3C1-6128D9F69E30", "names nothing in the layout"}, // mount(8): compared as text
		{"UUID=", "names nothing in the layout"},
		{"UUID=C0DE-CAFE", "filesystem.C0DE-CAFE"},
		{"UUID=1b7c2978-8550-41dd-b91c-cdf88b614062", "luks.1b7c2978-8550-41dd-b91c-cdf88b614062"},
		{"/dev/disk/by-uuid/8a5e0001-0000-4000-8000-000000000001", "swap.8a5e0001-0000-4000-8000-000000000001"},
		{"LABEL=root fs", "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30"},
		{`/dev/disk/by-label/root\x20fs`, "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30"},
		{"LABEL=swap", "swap.8a5e0001-0000-4000-8000-000000000001"},
		{"LABEL=twice", "names filesystem.b1000000-0000-4000-8000-000000000001, filesystem.b1000000-0000-4000-8000-000000000002"},
		{"LABEL=crypt", "luks.1b7c2978-8550-41dd-b91c-cdf88b614062"},
		{"LABEL=", "names nothing in the layout"},
		{"PARTUUID=11111111-0000-4000-8000-000000000001", "partition.11111111-0000-4000-8000-000000000001"},
		{"PARTUUID=5eed0001-05", "partition.5eed0001-05"},
		{"/dev/disk/by-partuuid/5eed0001-05", "partition.5eed0001-05"},
		{"PARTLABEL=EFI system", "partition.11111111-0000-4000-8000-000000000001"},
		{"/dev/mapper/vg--0-root--a", "lv.vg-0/root-a"},
		{"/dev/vg-0/root-a", "lv.vg-0/root-a"},
		{"/dev/vg/0-root-a", "names nothing in the layout"},
		{"/dev/mapper/crypt_root", "luks.1b7c2978-8550-41dd-b91c-cdf88b614062"},
		{"/dev/disk/by-id/dm-name-crypt_root", "luks.1b7c2978-8550-41dd-b91c-cdf88b614062"},
		{"/dev/disk/by-id/dm-uuid-CRYPT-LUKS2-1b7c2978855041ddb91ccdf88b614062-crypt_root", "luks.1b7c2978-8550-41dd-b91c-cdf88b614062"},
		{"/dev/disk/by-id/dm-uuid-LVM-Xr0St7S8abc6iV4mIUrBZ5IJ6ja2h1TRUv0St7S8abc6iV4mIUrBZ5IJ6ja2h1TR", "lv.vg-0/root-a"},
		{"/dev/disk/by-id/md-uuid-57869127:a7e8517a:07a2a2e8:002fe3b3", "raid.57869127:a7e8517a:07a2a2e8:002fe3b3"},
		{"ID=md-name-labhost:data", "raid.57869127:a7e8517a:07a2a2e8:002fe3b3"},
		{"/dev/disk/by-id/lvm-pv-uuid-Xr0St7-S8ab-c6iV-4mIU-rBZ5-IJ6j-a2h1TR", "pv.Xr0St7-S8ab-c6iV-4mIU-rBZ5-IJ6j-a2h1TR"},
		{"/dev/disk/by-id/ata-SAMSUNG_123-part1", "names a disk by its serial number, which the next disk does not have"},
		{"/dev/disk/by-id/dm-name-other", "names nothing in the layout"},
		{"/dev/disk/by-path/pci-0000:00:1f.2-ata-1", "names nothing in the layout"},
		{"/dev/md/data", "raid.57869127:a7e8517a:07a2a2e8:002fe3b3"},
		{"/dev/md0", "raid.00000000:00000000:00000000:00000001"},
		{"/dev/md127", "is a name that another device may have after the next start"},
		{"/dev/sda1", "is a name that another device may have after the next start"},
		{"/dev/nvme0n1p3", "is a name that another device may have after the next start"},
		{"/dev/dm-0", "is a name that another device may have after the next start"},
		{"/dev/mapper/other", "names nothing in the layout"},
		{"", "names nothing in the layout"},
		{"/dev/", "names nothing in the layout"},
	} {
		ref, why := l.resolve(c.spec)
		if got := string(ref) + why; got != c.want {
			t.Errorf("%s: got %q, want %q", c.spec, got, c.want)
		}
		if again, ok := l.Resolve(c.spec); ok != (why == "") || again != ref {
			t.Errorf("%s: Resolve has %q, %v", c.spec, again, ok)
		}
	}
}

func TestCheckTables(t *testing.T) {
	const good = `
UUID=a50d484d-9a4c-44c7-a3c1-6128d9f69e30 / ext4 errors=remount-ro 0 1
PARTUUID=11111111-0000-4000-8000-000000000001 /boot/efi vfat umask=0077 0 1
/dev/mapper/cryptswap none swap sw 0 0
LABEL=swap none swap sw 0 0
/var/swap\040file none swap sw 0 0
UUID=b7f50000-0000-4000-8000-000000000001 /home btrfs defaults,subvol=/@home,compress=zstd:3 0 0
/dev/mapper/vg--0-root--a /again ext4 ro,relatime,nofail,x-systemd.automount 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
/home /srv none bind 0 0
/dev/shm /var/shm none rbind 0 0
tmpfs /tmp tmpfs size=1g 0 0
nas:/x /nas nfs _netdev 0 0
proc /proc proc defaults 0 0
`
	const crypt = `
crypt_root UUID=1b7c2978-8550-41dd-b91c-cdf88b614062 none luks,discard
cryptswap PARTUUID=5eed0001-05 /dev/urandom swap,cipher=aes-xts-plain64
box /srv/box.img none luks
`
	for _, c := range []struct {
		name, fstab, crypttab string
		want                  []string
	}{
		{"good", good, crypt, nil},
		{"nothing", "", "", nil},
		{"gone", "UUID=00000000-0000-4000-8000-00000000dead /x ext4 nofail 0 0", "", []string{
			"fstab: line 1: UUID=00000000-0000-4000-8000-00000000dead names nothing in the layout"}},
		{"kernel name", "\n/dev/sdb1 /x ext4", "", []string{
			"fstab: line 2: /dev/sdb1 is a name that another device may have after the next start"}},
		{"noauto by systemd", "/dev/sdb1 /x ext4 noauto,x-systemd.automount", "", []string{
			"fstab: line 1: /dev/sdb1 is a name that another device may have after the next start"}},
		{"two labels", "LABEL=twice /x ext4", "", []string{
			"fstab: line 1: LABEL=twice names filesystem.b1000000-0000-4000-8000-000000000001, filesystem.b1000000-0000-4000-8000-000000000002"}},
		{"no file system", "LABEL=swap /x ext4\nLABEL=root\\040fs none swap", "", []string{
			"fstab: line 1: LABEL=swap names swap.8a5e0001-0000-4000-8000-000000000001, where no file system is",
			"fstab: line 2: \"LABEL=root fs\" names filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30, where no swap is"}},
		{"swap file", "/swapfile none swap", "", []string{"fstab: line 1: /swapfile names nothing in the layout"}},
		{"subvolumes", "UUID=b7f50000-0000-4000-8000-000000000001 / btrfs subvol=@old,subvolid=257", "", []string{
			"fstab: line 1: subvolid=257: subvolumes get other numbers when they are made again",
			"fstab: line 1: there is no subvolume @old"}},
		{"mapping", "", "other UUID=1b7c2978-8550-41dd-b91c-cdf88b614062 none luks", []string{
			"crypttab: line 1: luks.1b7c2978-8550-41dd-b91c-cdf88b614062 is opened as other, it was crypt_root"}},
		{"uuid", "", "crypt_root UUID=1b7c2978-8550-41dd-b91c-cdf88b614063 none luks", []string{
			"crypttab: line 1: UUID=1b7c2978-8550-41dd-b91c-cdf88b614063 names nothing in the layout"}},
		{"not encrypted", "", "x LABEL=root\\040fs none luks", []string{
			"crypttab: line 1: \"LABEL=root fs\" names filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30, which is not encrypted"}},
		{"twice", "", "x /srv/a none\nx /srv/b none", []string{"crypttab: line 2: another line has the name x too"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tablesLayout(t).CheckTables(c.fstab, c.crypttab); !slices.Equal(got, c.want) {
				t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
			}
		})
	}

	mounts := tablesLayout(t).Mounts(good, crypt)
	want := map[ID]*Mount{
		"/":         {On: "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30", Options: "errors=remount-ro"},
		"/boot/efi": {On: "filesystem.C0DE-CAFE", Options: "umask=0077"},
		"/home":     {On: "filesystem.b7f50000-0000-4000-8000-000000000001", Subvolume: "@home", Options: "compress=zstd:3"},
		"/again":    {On: "filesystem.a50d484d-9a4c-44c7-a3c1-6128d9f69e30", Options: "ro"},
	}
	if !reflect.DeepEqual(mounts, want) {
		got := &Layout{Format: Format, Mount: mounts}
		t.Errorf("%v", Compare(&Layout{Mount: want}, got))
	}
	names := tablesLayout(t).Mappings(crypt + "again UUID=1b7c2978-8550-41dd-b91c-cdf88b614062\ngone UUID=x\n")
	if want := map[ID]string{"1b7c2978-8550-41dd-b91c-cdf88b614062": "again"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}
