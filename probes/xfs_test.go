package probes

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// xfsSmall lets mkfs.xfs make file systems below 300 MB, as its own tests do.
var xfsSmall = []string{"TEST_DEV=1", "TEST_DIR=1", "QA_CHECK_FS=1"}

func TestXFSOptions(t *testing.T) {
	fsTools(t, "mkfs.xfs", "xfs_db", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := randomXFS(rng)
		renew(t, image, o.size)
		if _, err := fsRun(xfsSmall, append(o.mkfs, image)...); err != nil {
			t.Log(err)
			return false
		}
		t.Log(o.mkfs)
		if o.changed != "" {
			mustRun(t, nil, "xfs_db", "-x", "-c", "uuid "+o.changed, image)
		}
		one := identifyImage(t, image)
		compareXFS(t, one, xfsListing(t, image))
		fs := one.node.(*FileSystem)
		if fs.Unsupported != "" || fs.Label != o.label || fs.XFS.LogGroup != o.logGroup && o.logGroup != "" || fs.XFS.MetaUUID != o.meta {
			t.Errorf("got %+v %+v", fs, fs.XFS)
		}
		if got := blkidType(t, image); got != one.name {
			t.Errorf("%s, blkid says %s", one.name, got)
		}
		return true
	})
}

// xfsListing is what xfs_info prints, which is a script around xfs_db, and the
// fields that are not in it.
func xfsListing(t *testing.T, image string) string {
	return mustRun(t, nil, "xfs_db", "-r", "-c", "info", "-c", "version", "-c", "sb 0", "-c", "p uuid meta_uuid logstart agblklog fname", image)
}

type xfsOptions struct {
	size          uint64
	mkfs          []string
	label         string
	logGroup      string
	changed, meta string // UUIDs
}

func randomXFS(rng *rand.Rand) xfsOptions {
	o := xfsOptions{size: uint64(64+rng.IntN(1000)) << 20}
	flag := func(name string) string { return fmt.Sprintf("%s=%d", name, rng.IntN(2)) }
	block := pick(rng, 1024, 2048, 4096, 4096, 65536)
	sector := min(block, pick(rng, 512, 512, 4096))
	groups := 1 + rng.IntN(8)
	id := randomUUID(rng)
	meta, inode := []string{"uuid=" + id}, []string{}
	naming := []string{fmt.Sprintf("size=%d", min(65536, max(4096, block<<rng.IntN(4))))}
	log := []string{"version=2"}
	if chance(rng, 75) {
		meta = append(meta, "crc=1", flag("finobt"), flag("rmapbt"), flag("reflink"), flag("bigtime"))
		if slices.Contains(meta, "finobt=1") {
			meta = append(meta, flag("inobtcount"))
		} else {
			meta = append(meta, "inobtcount=0")
		}
		inode = append(inode, flag("sparse"), flag("nrext64"), fmt.Sprintf("size=%d", max(512, min(block/2, pick(rng, 512, 1024, 2048)))))
		if chance(rng, 20) {
			o.changed, o.meta = randomUUID(rng), id
		}
	} else {
		meta = append(meta, "crc=0")
		inode = append(inode, fmt.Sprintf("attr=%d", 1+rng.IntN(2)), flag("projid32bit"), flag("align"), fmt.Sprintf("size=%d", min(block/2, pick(rng, 256, 512, 1024))))
		naming = append(naming, flag("ftype"))
		log = append(log, flag("lazy-count"))
		if chance(rng, 30) {
			log[0] = "version=1"
		}
	}
	if chance(rng, 15) {
		naming = append(naming, "version=ci")
	}
	if chance(rng, 70) {
		inode = append(inode, fmt.Sprintf("maxpct=%d", rng.IntN(101)))
	}
	data := []string{fmt.Sprintf("agcount=%d", groups)}
	if chance(rng, 40) {
		data = append(data, fmt.Sprintf("su=%d,sw=%d", block*(1+rng.IntN(16)), 1+rng.IntN(8)))
	} else {
		data = append(data, "noalign")
	}
	if chance(rng, 50) {
		log = append(log, fmt.Sprintf("size=%d", (5+rng.IntN(20))<<20))
	}
	if chance(rng, 30) && !slices.Contains(log, "version=1") {
		log = append(log, fmt.Sprintf("su=%d", max(block, 4096)*(1+rng.IntN(4))))
	}
	if chance(rng, 30) && !slices.Contains(log, "version=1") {
		log = append(log, fmt.Sprintf("sectsize=%d", pick(rng, 512, 1024, 4096)))
	}
	if chance(rng, 30) {
		group := rng.IntN(groups)
		log = append(log, fmt.Sprintf("agnum=%d", group))
		if group != groups/2 {
			o.logGroup = fmt.Sprint(group)
		}
	}
	o.label = letters(rng, 12)
	o.mkfs = []string{"mkfs.xfs", "-q", "-f", "-K", "-b", fmt.Sprintf("size=%d", block), "-s", fmt.Sprintf("size=%d", sector), "-m", strings.Join(meta, ","),
		"-i", strings.Join(inode, ","), "-d", strings.Join(data, ","), "-n", strings.Join(naming, ","), "-l", strings.Join(log, ",")}
	if o.label != "" {
		o.mkfs = append(o.mkfs, "-L", o.label)
	}
	if chance(rng, 20) {
		o.mkfs = append(o.mkfs, "-r", fmt.Sprintf("extsize=%d", max(block, 4096)*(1+rng.IntN(16))))
	}
	return o
}

// compareXFS holds what was read against what xfs_db prints.
func compareXFS(t *testing.T, one *found, listing string) {
	t.Helper()
	x := one.node.(*FileSystem).XFS
	want := xfsListed(x, listing)
	same(t, x, want, listing)
	if !strings.Contains(listing, "\nuuid = "+string(one.id)+"\n") {
		t.Errorf("UUID is %s, xfs_db says %s", one.id, listing)
	}
}

// xfsListed makes the layer of xfs_info's words.
func xfsListed(have *XFS, listing string) *XFS {
	field := func(section, name string) uint64 {
		_, rest, _ := strings.Cut(listing, "\n"+section)
		if section == "meta-data" {
			rest = listing
		}
		m := regexp.MustCompile(`\b` + name + `=(\d+)`).FindStringSubmatch(rest)
		if m == nil {
			return 0
		}
		return number(m[1])
	}
	db := func(name string) uint64 {
		m := regexp.MustCompile(`(?m)^` + name + ` = (\d+)`).FindStringSubmatch(listing)
		if m == nil {
			return 0
		}
		return number(m[1])
	}
	bs := field("data", "bsize")
	x := &XFS{
		BlockSize:      bs,
		Blocks:         field("data", "blocks"),
		SectorSize:     field("meta-data", "sectsz"),
		GroupBlocks:    field("meta-data", "agsize"),
		InodeSize:      field("meta-data", "isize"),
		InodePercent:   field("data", "imaxpct"),
		StripeUnit:     field("data", "sunit") * bs,
		StripeWidth:    field("data", "swidth") * bs,
		DirectoryBlock: field("naming", "bsize"),
		LogSize:        field("log", "blocks") * bs,
		LogSector:      field("log", "sectsz"),
		LogUnit:        field("log", "sunit") * bs,
		MetaUUID:       have.MetaUUID,
	}
	for _, w := range []string{"projid32bit", "crc", "finobt", "sparse", "rmapbt", "reflink", "bigtime", "inobtcount", "nrext64", "exchange",
		"parent", "metadir", "ascii-ci", "ftype", "lazy-count"} {
		if field("meta-data", w) == 1 {
			x.Features = append(x.Features, w)
		}
	}
	if field("meta-data", "attr") == 2 {
		x.Features = append(x.Features, "attr2")
	}
	_, version, _ := strings.Cut(listing, "versionnum ")
	version, _, _ = strings.Cut(version, "\n")
	if !strings.Contains(version, ",ALIGN") {
		x.Features = append(x.Features, "unaligned-inodes")
	}
	slices.Sort(x.Features)
	if n := field("log", "version"); n != 2 {
		x.LogVersion = n
	}
	if n := field("realtime", "extsz"); n != max(bs, 4096) {
		x.RealtimeExtent = n
	}
	if group := db("logstart") >> db("agblklog"); db("logstart") > 0 && group != field("meta-data", "agcount")/2 {
		x.LogGroup = fmt.Sprint(group)
	}
	return x
}
