package probes

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/odds"
)

func TestXFSOptions(t *testing.T) {
	fsTools(t, "mkfs.xfs", "xfs_db", "blkid")
	image := filepath.Join(t.TempDir(), "image")
	randomly(t, 60, func(t *testing.T, rng *rand.Rand) bool {
		o := odds.NewXFS(rng)
		if !makeOdd(t, o.FileSystem, image) {
			return false
		}
		one := identifyImage(t, image)
		compareXFS(t, one, xfsListing(t, image))
		fs := one.node.(*FileSystem)
		if fs.Unsupported != "" || fs.Label != o.Label || fs.XFS.LogGroup != o.LogGroup && o.LogGroup != "" || fs.XFS.MetaUUID != o.MetaUUID {
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
