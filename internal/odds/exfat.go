package odds

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// ExFAT is an exFAT.
type ExFAT struct {
	FileSystem
	Label string
}

// NewExFAT is for exfatprogs 1.2.
func NewExFAT(rng *rand.Rand) ExFAT {
	size := 1 + rng.IntN(2000) // MiB
	o := ExFAT{FileSystem: FileSystem{Size: uint64(size) << 20}}
	mkfs := []string{"mkfs.exfat"}
	if Chance(rng, 50) {
		// mkfs.exfat makes what cannot be with clusters that are too large
		mkfs = append(mkfs, "-c", fmt.Sprint(min(512<<rng.IntN(17), 4096<<bits.Len(uint(size)))))
	}
	if Chance(rng, 30) {
		mkfs = append(mkfs, "-b", fmt.Sprint(4096<<rng.IntN(12)))
	}
	if Chance(rng, 30) {
		mkfs = append(mkfs, "--pack-bitmap")
	}
	o.Label = Pick(rng, "", "A", "ELEVENCHARS", "größe", "日本", "😀", `$(a)"'`)
	if o.Label != "" {
		mkfs = append(mkfs, "-L", o.Label)
	}
	o.Make = [][]string{mkfs}
	if Chance(rng, 50) {
		o.Make = append(o.Make, []string{"tune.exfat", "-I", fmt.Sprintf("0x%08x", rng.Uint32())})
	}
	return o
}
