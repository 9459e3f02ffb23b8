package odds

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// F2FS is an F2FS.
type F2FS struct {
	FileSystem
	UUID, Label             string
	Features, EncodingFlags []string
	LargeNATBitmap          bool
	Cold, Hot               bool // with extensions of its own
}

// NewF2FS is for f2fs-tools 1.15.
func NewF2FS(rng *rand.Rand) F2FS {
	o := F2FS{FileSystem: FileSystem{Size: uint64(60+rng.IntN(600)) << 20}}
	mkfs := []string{"mkfs.f2fs", "-f"}
	option := func(percent int, words ...string) {
		if Chance(rng, percent) {
			mkfs = append(mkfs, words...)
		}
	}
	for _, w := range []string{"encrypt", "verity", "extra_attr", "project_quota", "inode_checksum", "flexible_inline_xattr", "quota",
		"inode_crtime", "lost_found", "sb_checksum", "casefold", "compression"} {
		if Chance(rng, 40) {
			o.Features = append(o.Features, w)
		}
	}
	if len(o.Features) > 0 && !slices.Contains(o.Features, "extra_attr") {
		o.Features = append(o.Features, "extra_attr") // most others want it
	}
	if slices.Contains(o.Features, "casefold") {
		if Chance(rng, 50) {
			o.EncodingFlags = []string{"strict"}
		}
		mkfs = append(mkfs, "-C", strings.Join(append([]string{"utf8"}, o.EncodingFlags...), ":"))
	}
	option(100, "-O", strings.Join(o.Features, ","))
	option(30, "-o", fmt.Sprint(2+rng.IntN(20)))
	option(20, "-s", fmt.Sprint(1+rng.IntN(4)))
	option(20, "-z", fmt.Sprint(1+rng.IntN(3)))
	option(20, "-w", Pick(rng, "512", "1024", "2048", "4096"))
	option(20, "-i")
	option(20, "-e", "abc,xyz")
	option(20, "-E", "db,hot")
	o.Label = Pick(rng, "", "A", "größe", "日本", "😀", `$(a)"'`+"\n", strings.Repeat("long", 100))
	option(100, "-l", o.Label)
	o.UUID = UUID(rng)
	option(100, "-U", o.UUID)
	o.LargeNATBitmap, o.Cold, o.Hot = slices.Contains(mkfs, "-i"), slices.Contains(mkfs, "-e"), slices.Contains(mkfs, "-E")
	o.Make = [][]string{mkfs}
	return o
}
