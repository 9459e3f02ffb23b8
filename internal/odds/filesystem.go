package odds

import (
	"fmt"
	"math/rand/v2"
)

// FileSystem is how an unusual one is made with tools.
type FileSystem struct {
	Size uint64     // of the device, in bytes
	Make [][]string // commands, without the device
	Last []string   // behind the device, in the first
	Env  []string   // of each
}

// On are the commands for a device.
func (o FileSystem) On(device string) [][]string {
	all := make([][]string, len(o.Make))
	for i, args := range o.Make {
		all[i] = append(args[:len(args):len(args)], device)
	}
	all[0] = append(all[0], o.Last...)
	return all
}

// Chance is true in so many of 100 cases.
func Chance(rng *rand.Rand, percent int) bool { return rng.IntN(100) < percent }

// Letters is a label of up to n characters of one byte, some of them hostile.
func Letters(rng *rand.Rand, n int) string {
	const all = `abcXYZ012 _-.$()"'\;&|<>*?[]{}!#~%` + "\n\t\x01"
	b := make([]byte, rng.IntN(n+1))
	for i := range b {
		b[i] = all[rng.IntN(len(all))]
	}
	return string(b)
}

// UUID is a random one of any version.
func UUID(rng *rand.Rand) string {
	b := make([]byte, 16)
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
