package odds

import (
	"fmt"
	"math/rand/v2"
)

// Swap is a swap area.
type Swap struct {
	FileSystem
	UUID, Label string
	Page, Used  uint64 // bytes
}

// NewSwap may leave some of the device unused.
func NewSwap(rng *rand.Rand) Swap {
	o := Swap{FileSystem: FileSystem{Size: uint64(1<<20 + rng.IntN(1<<30))}}
	mkswap := []string{"mkswap"}
	o.Page = Pick[uint64](rng, 4096, 4096, 8192, 16384, 65536)
	if o.Page != 4096 {
		mkswap = append(mkswap, "-p", fmt.Sprint(o.Page))
	}
	o.UUID, o.Label, o.Used = UUID(rng), Letters(rng, 15), o.Size
	o.Make = [][]string{append(mkswap, "-U", o.UUID, "-L", o.Label)}
	if Chance(rng, 30) {
		o.Used = uint64(700+rng.IntN(300)) << 10
		o.Last = []string{fmt.Sprint(o.Used >> 10)}
	}
	return o
}
