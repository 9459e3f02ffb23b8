package odds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// XFS is an XFS.
type XFS struct {
	FileSystem
	Label    string
	LogGroup string // when not the middle one
	MetaUUID string // when its UUID was changed
}

// XFSSmall lets mkfs.xfs make file systems below 300 MB, as its own tests do.
var XFSSmall = []string{"TEST_DEV=1", "TEST_DIR=1", "QA_CHECK_FS=1"}

// NewXFS is for xfsprogs 6.
func NewXFS(rng *rand.Rand) XFS {
	o := XFS{FileSystem: FileSystem{Size: uint64(64+rng.IntN(1000)) << 20, Env: XFSSmall}}
	var changed string
	flag := func(name string) string { return fmt.Sprintf("%s=%d", name, rng.IntN(2)) }
	block := Pick(rng, 1024, 2048, 4096, 4096, 65536)
	sector := min(block, Pick(rng, 512, 512, 4096))
	groups := 1 + rng.IntN(8)
	id := UUID(rng)
	meta, inode := []string{"uuid=" + id}, []string{}
	naming := []string{fmt.Sprintf("size=%d", min(65536, max(4096, block<<rng.IntN(4))))}
	log := []string{"version=2"}
	if Chance(rng, 75) {
		meta = append(meta, "crc=1", flag("finobt"), flag("rmapbt"), flag("reflink"), flag("bigtime"))
		if slices.Contains(meta, "finobt=1") {
			meta = append(meta, flag("inobtcount"))
		} else {
			meta = append(meta, "inobtcount=0")
		}
		inode = append(inode, flag("sparse"), flag("nrext64"), fmt.Sprintf("size=%d", max(512, min(block/2, Pick(rng, 512, 1024, 2048)))))
		if Chance(rng, 20) {
			changed, o.MetaUUID = UUID(rng), id
		}
	} else {
		meta = append(meta, "crc=0")
		inode = append(inode, fmt.Sprintf("attr=%d", 1+rng.IntN(2)), flag("projid32bit"), flag("align"), fmt.Sprintf("size=%d", min(block/2, Pick(rng, 256, 512, 1024))))
		naming = append(naming, flag("ftype"))
		log = append(log, flag("lazy-count"))
		if Chance(rng, 30) {
			log[0] = "version=1"
		}
	}
	if Chance(rng, 15) {
		naming = append(naming, "version=ci")
	}
	if Chance(rng, 70) {
		inode = append(inode, fmt.Sprintf("maxpct=%d", rng.IntN(101)))
	}
	data := []string{fmt.Sprintf("agcount=%d", groups)}
	if Chance(rng, 40) {
		data = append(data, fmt.Sprintf("su=%d,sw=%d", block*(1+rng.IntN(16)), 1+rng.IntN(8)))
	} else {
		data = append(data, "noalign")
	}
	if Chance(rng, 50) {
		log = append(log, fmt.Sprintf("size=%d", (5+rng.IntN(20))<<20))
	}
	if Chance(rng, 30) && !slices.Contains(log, "version=1") {
		log = append(log, fmt.Sprintf("su=%d", max(block, 4096)*(1+rng.IntN(4))))
	}
	if Chance(rng, 30) && !slices.Contains(log, "version=1") {
		log = append(log, fmt.Sprintf("sectsize=%d", Pick(rng, 512, 1024, 4096)))
	}
	if Chance(rng, 30) {
		group := rng.IntN(groups)
		log = append(log, fmt.Sprintf("agnum=%d", group))
		if group != groups/2 {
			o.LogGroup = fmt.Sprint(group)
		}
	}
	o.Label = Letters(rng, 12)
	mkfs := []string{"mkfs.xfs", "-q", "-f", "-K", "-b", fmt.Sprintf("size=%d", block), "-s", fmt.Sprintf("size=%d", sector), "-m", strings.Join(meta, ","),
		"-i", strings.Join(inode, ","), "-d", strings.Join(data, ","), "-n", strings.Join(naming, ","), "-l", strings.Join(log, ",")}
	if o.Label != "" {
		mkfs = append(mkfs, "-L", o.Label)
	}
	if Chance(rng, 20) {
		mkfs = append(mkfs, "-r", fmt.Sprintf("extsize=%d", max(block, 4096)*(1+rng.IntN(16))))
	}
	o.Make = [][]string{mkfs}
	if changed != "" {
		o.Make = append(o.Make, []string{"xfs_db", "-x", "-c", "uuid " + changed})
	}
	return o
}
