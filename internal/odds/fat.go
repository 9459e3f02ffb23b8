package odds

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
)

// FAT is a FAT12, FAT16 or FAT32.
type FAT struct {
	FileSystem
	Drive  int // -1 when it is not given
	Backup int // 0 when it is not given
}

// NewFAT is for dosfstools 4.2.
func NewFAT(rng *rand.Rand) FAT {
	o := FAT{Drive: -1}
	bits := Pick(rng, 12, 16, 32)
	switch bits {
	case 12:
		o.Size = uint64(200+rng.IntN(8000)) << 10
	case 16:
		o.Size = uint64(9000+rng.IntN(100000)) << 10
	default:
		o.Size = uint64(40000+rng.IntN(400000)) << 10
	}
	mkfs := []string{"mkfs.vfat", "-F", fmt.Sprint(bits), "-i", fmt.Sprintf("%08x", rng.Uint32())}
	option := func(percent int, name string, value any) {
		if Chance(rng, percent) {
			mkfs = append(mkfs, name, fmt.Sprint(value))
		}
	}
	option(30, "-S", Pick(rng, 512, 1024, 2048, 4096))
	option(30, "-s", 1<<rng.IntN(8))
	option(30, "-R", 1+rng.IntN(300))
	option(30, "-f", 1+rng.IntN(4))
	option(20, "-M", Pick(rng, "0xf0", "0xf8", "0xf9", "0xff"))
	option(20, "-h", rng.IntN(100000))
	option(20, "-g", fmt.Sprintf("%d/%d", 1+rng.IntN(255), 1+rng.IntN(63)))
	if bits != 32 {
		option(30, "-r", 16*(1+rng.IntN(100)))
	} else if Chance(rng, 20) {
		o.Backup = 2 + rng.IntN(5)
		mkfs = append(mkfs, "-R", "32", "-b", fmt.Sprint(o.Backup))
	}
	if Chance(rng, 20) {
		o.Drive = rng.IntN(256)
		mkfs = append(mkfs, "-D", fmt.Sprint(o.Drive))
	}
	if Chance(rng, 40) {
		mkfs = append(mkfs, "-a")
	}
	option(50, "-n", strings.ToUpper(regexp.MustCompile(`[^a-zA-Z0-9 _$#~!%&'(){}@-]`).ReplaceAllString("A"+Letters(rng, 10), "")))
	o.Make = [][]string{mkfs}
	return o
}
