package rebuild

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rootwc/probes"
)

// TestInsideLUKS makes headers that need device-mapper: flags are in them once
// they have been opened, and tags of integrity have to be written.
func TestInsideLUKS(t *testing.T) {
	const id = "1b7c2978-8550-41dd-b91c-cdf88b614062"
	disk := insideGuest(t).partitions("/dev/vdb", 64)[0]
	slot := func(s probes.Keyslot) *probes.Keyslot { return &s }
	fast := probes.Keyslot{KDF: "pbkdf2", Hash: "sha256", Time: 1000, AFHash: "sha256", Cipher: "aes-xts-plain64", KeyBits: 512}
	prefer, strong := fast, probes.Keyslot{KDF: "argon2id", Time: 4, Memory: 32 << 10, Parallel: 1, AFHash: "sha512", Cipher: "serpent-xts-plain64", KeyBits: 256}
	prefer.Priority = "prefer"
	for name, want := range map[string]*probes.LUKS{
		"flags": {Version: 2, Cipher: "serpent-xts-plain64", KeyBits: 512, Hash: "sha256", Sector: 4096, Offset: 16 << 20, Metadata: 16 << 10, Keyslots: 8 << 20, Mapping: "crypt_it",
			Flags: []string{"allow-discards", "no-read-workqueue", "no-write-workqueue", "same-cpu-crypt", "submit-from-crypt-cpus"},
			Slot:  map[probes.ID]*probes.Keyslot{"1": slot(strong), "4": slot(prefer)}, Token: map[probes.ID]*probes.LUKSToken{}},
		"integrity": {Version: 2, Cipher: "aes-xts-plain64", KeyBits: 768, Hash: "sha256", Sector: 4096, Offset: 16 << 20, Metadata: 16 << 10, Keyslots: 8 << 20, Mapping: "a b/c",
			Integrity: "hmac(sha256)", Flags: []string{"no-journal"}, Slot: map[probes.ID]*probes.Keyslot{"0": slot(fast)}, Token: map[probes.ID]*probes.LUKSToken{}},
		"one": {Version: 1, Cipher: "aes-cbc-essiv:sha256", KeyBits: 256, Hash: "ripemd160", Sector: 512, Offset: 2 << 20,
			Slot: map[probes.ID]*probes.Keyslot{"2": {KDF: "pbkdf2", Hash: "ripemd160", Time: 1100}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := insideGuest(t)
			l.secrets = map[Key]string{}
			var have []probes.ID
			for s := range want.Slot {
				l.secrets[Key{id, s}] = "secret of " + string(s)
				have = append(have, s)
			}
			layer, err := LUKS(id, want, disk, have)
			if err != nil || len(layer.Notes) > 0 {
				t.Fatal(err, layer.Notes)
			}
			l.do(layer.Make, layer.Open, layer.Open)
			l.use(LUKSDevice(id, want))
			l.do(layer.Make[:len(layer.Make)-1], layer.Make, layer.Open) // over the open one
			l.use(LUKSDevice(id, want))
			l.do(layer.Close)
			mapping := want.Mapping
			want.Mapping = ""
			got, header, err := probes.ReadLUKS(l.medium(disk))
			if err != nil || got != id || !reflect.DeepEqual(header, want) {
				t.Errorf("%v, got %s\nwant %s", err, show(header), show(want))
			}
			// Another device is open under this name: not the one that was meant.
			want.Mapping = mapping
			name := strings.TrimPrefix(LUKSDevice(id, want), "/dev/mapper/")
			l.tool("0 2048 linear /dev/vda 8", "dmsetup", "create", name)
			if err := l.tryDo(layer.Open); err == nil || !strings.Contains(err.Error(), "is not made of") {
				t.Errorf("another device is taken: %v", err)
			}
			l.tool("", "dmsetup", "remove", "--retry", name)
		})
	}
}

// volumes makes a group with volumes of many types; the words are commands of
// LVM on /dev/vda.
const volumes = `
pvcreate --metadatasize 3m --dataalignment 2m /dev/vda1
pvcreate --pvmetadatacopies 2 --bootloaderareasize 1m /dev/vda2
pvcreate --pvmetadatacopies 0 /dev/vda3
vgcreate --physicalextentsize 2m --alloc cling --addtag site:north a-group /dev/vda1 /dev/vda2 /dev/vda3
lvcreate -W n --size 20m --name line --addtag one a-group
lvcreate -W n --size 24m --name by-hand --setautoactivation n a-group
lvcreate -W n --size 24m --name striped --stripes 3 --stripesize 32k a-group
lvcreate -W n --size 16m --name read-only a-group
lvcreate -W n --size 16m --name mirror --type mirror --mirrors 1 a-group
lvcreate -W n --size 16m --name raid1 --type raid1 --mirrors 1 --maxrecoveryrate 2048 a-group
lvcreate -W n --size 16m --name raid5 --type raid5_ra --stripes 2 a-group
lvcreate -W n --size 16m --name raid0 --type raid0_meta --stripes 2 a-group
lvcreate --type thin-pool --size 100m --chunksize 128k --poolmetadatasize 8m --discards nopassdown --zero n --name pool a-group
lvcreate --type thin --virtualsize 1g --thinpool pool --name first a-group
lvcreate --type thin --virtualsize 2g --thinpool pool --name second a-group
lvremove a-group/first
lvcreate --type thin --virtualsize 1g --thinpool pool --name third a-group
lvcreate --snapshot --name yesterday a-group/third
lvcreate --type thin-pool --size 16m --name empty a-group
lvcreate -W n --size 40m --name origin a-group
lvcreate --snapshot --size 16m --name before a-group/origin
lvcreate -W n --size 64m --name slow a-group
lvcreate --type cache-pool --size 16m --name fast a-group
lvconvert --type cache --cachepool fast --cachemode writeback a-group/slow
lvcreate -W n --size 64m --name slower a-group
lvcreate -W n --size 16m --name volume a-group
lvconvert --type cache --cachevol volume a-group/slower
lvcreate -W n --size 64m --name written a-group
lvcreate -W n --size 16m --name write a-group
lvchange --activate n a-group/written a-group/write
lvconvert --type writecache --cachevol write a-group/written
lvcreate -W n --size 16m --name sound --type raid1 --mirrors 1 --raidintegrity y a-group
lvchange --permission r a-group/read-only
vgchange --activate n a-group
`

// TestInsideVG makes that group again on other devices, and uses all of it;
// twice more, over what an attempt has left that ended anywhere.
func TestInsideVG(t *testing.T) {
	l := insideGuest(t)
	sizes := []int{400, 420, 400}
	old, disks := l.partitions("/dev/vda", sizes...), l.partitions("/dev/vdb", sizes...)
	lvm := vg{name: "a-group", config: lvmConfig(old, "")}
	for line := range strings.Lines(strings.TrimSpace(volumes)) {
		words := strings.Fields(line)
		a := lvm.lvm(words[0], words[1:]...)
		l.do([]Action{a})
	}
	want, pvs := l.readVG(old...)
	for id, v := range pvs {
		v.Device = disks[slices.Index(old, v.Device)]
		pvs[id] = v
	}
	layer, err := VG(want.ID, &want.VG, want.Text, pvs, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(layer.Notes) != 3 { // a snapshot, a write cache, integrity
		t.Errorf("%q", layer.Notes)
	}
	restored, _, err := want.Text.Restorable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if round > 0 {
			l.do(layer.Make[:len(layer.Make)-2*round])
		}
		l.do(layer.Make, layer.Open, layer.Open)
		for _, lv := range []string{"line", "by-hand", "striped", "read-only", "mirror", "raid1", "raid5", "raid0", "second", "third", "yesterday", "origin", "slow", "slower"} {
			l.use(LVDevice("a-group", lv))
		}
	}
	l.do(layer.Close)
	got, _ := l.readVG(disks...)
	if got.Text.String() != restored.String() {
		t.Errorf("got\n%s\nwant\n%s", got.Text, restored)
	}
	if got.VG.UUID != want.VG.UUID || !reflect.DeepEqual(got.PVs, want.PVs) {
		t.Errorf("got %s\nwant %s", show(got), show(want))
	}
	left, _ := os.ReadDir("/etc/lvm/archive")
	more, _ := os.ReadDir("/etc/lvm/backup")
	if len(left)+len(more) > 0 {
		t.Errorf("LVM has written %v, %v", left, more)
	}
}

// stackText is a group with a volume and a thin pool with two.
const stackText = `contents = "Text Format Volume Group" version = 1
main { id = "0SyQIv-2Yj6-jfpD-9nQo-3sWf-1HhJ-g8sXkA" seqno = 1 format = "lvm2" status = ["RESIZEABLE", "READ", "WRITE"] flags = [] extent_size = 8192 max_lv = 0 max_pv = 0 metadata_copies = 0
physical_volumes { pv0 { id = "1OCz4I-2nUe-mfPb-1wvP-2oR0-GZ8i-0bLfyq" status = ["ALLOCATABLE"] flags = [] dev_size = 819200 pe_start = 2048 pe_count = 40 } }
logical_volumes {
root { id = "2Mf3tS-9jyb-Gvu6-ZLNE-f8V7-pTTd-LgPIoK" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 10 type = "striped" stripe_count = 1 stripes = ["pv0", 0] } }
pool { id = "3gUqmd-tk4F-4yGM-yN5M-IKzv-cR2J-Vz5XvB" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 20 type = "thin-pool" metadata = "pool_tmeta" pool = "pool_tdata" transaction_id = 7 chunk_size = 128 discards = "passdown" zero_new_blocks = 1 } }
one { id = "4Hc3P5-3YvI-m5RW-Xf7B-qM8W-kz1g-XnI7Bv" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 100 type = "thin" thin_pool = "pool" transaction_id = 1 device_id = 2 } }
two { id = "5Pw0bN-7yPt-s3kS-q1sY-TvL2-0wXo-Yr3mCd" status = ["READ", "WRITE", "VISIBLE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 100 type = "thin" thin_pool = "pool" transaction_id = 6 device_id = 9 } }
pool_tmeta { id = "6Rk1dQ-2mVz-4cXe-H9aU-wT5n-Jb7o-Gi8yLs" status = ["READ", "WRITE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 1 type = "striped" stripe_count = 1 stripes = ["pv0", 10] } }
pool_tdata { id = "7Zx4fE-6nBq-1rTy-D3hG-mK8p-Vc2w-Sj9uOa" status = ["READ", "WRITE"] flags = [] segment_count = 1
	segment1 { start_extent = 0 extent_count = 20 type = "striped" stripe_count = 1 stripes = ["pv0", 11] } }
} }`

// TestInsideStack makes a group on LUKS on an array on partitions, all with
// identities that are the same each time.
func TestInsideStack(t *testing.T) {
	l := insideGuest(t)
	l.echo = true
	do := func(layer Layer, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		l.do(layer.Make, layer.Open)
	}
	parts := l.partitions("/dev/vdb", 450, 450)
	array := &probes.RAID{On: []probes.Ref{"partition.a", "partition.b"}, Name: "data", Metadata: "1.2", Level: "raid1", Devices: 2, Consistency: "bitmap", BitmapChunk: 8 << 20}
	do(RAID(arrayID, array, map[probes.Ref]string{"partition.a": parts[0], "partition.b": parts[1]}))
	const id = "1b7c2978-8550-41dd-b91c-cdf88b614062"
	slot := probes.Keyslot{KDF: "pbkdf2", Hash: "sha256", Time: 1000, AFHash: "sha256", Cipher: "aes-xts-plain64", KeyBits: 512}
	header := &probes.LUKS{Version: 2, Cipher: "aes-xts-plain64", KeyBits: 512, Hash: "sha256", Sector: 512, Offset: 16 << 20, Metadata: 16 << 10, Keyslots: 8 << 20,
		Slot: map[probes.ID]*probes.Keyslot{"0": &slot, "1": &slot}}
	l.secrets = map[Key]string{{id, "0"}: "one", {id, "1"}: "two"}
	do(LUKS(id, header, RAIDDevice(arrayID, array), []probes.ID{"0", "1"}))
	text, err := probes.ParseVGText(stackText)
	if err != nil {
		t.Fatal(err)
	}
	volumes := map[probes.ID]PhysicalVolume{text.PVs()[0]: {&probes.PV{MetadataCopies: 1}, LUKSDevice(id, header)}}
	layer, err := VG("main", &probes.VG{}, text, volumes, t.TempDir())
	do(layer, err)
	for _, lv := range []string{"root", "one", "two"} {
		l.use(LVDevice("main", lv))
	}
	got, _ := l.readVG(LUKSDevice(id, header))
	if got.Text.String() != text.String() {
		t.Errorf("got\n%s\nwant\n%s", got.Text, text)
	}
}
