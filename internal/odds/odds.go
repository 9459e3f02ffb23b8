// Package odds is chance for tests: numbers that are the same each time, names
// that break out of whatever is not careful, and partition tables, volume groups
// and file systems that no person would make.
package odds

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Rounds is how often a random test runs: ROOTWC_ROUNDS asks for more.
func Rounds(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("ROOTWC_ROUNDS")); err == nil {
		return n
	}
	return usual
}

// OfRelease runs a tool of another release instead of this machine's, in the
// root that ROOTWC_TOOLS names, as debootstrap makes one. It has the devices
// and /tmp of this machine, in a mount namespace that ends with it.
func OfRelease(args []string) []string {
	root := os.Getenv("ROOTWC_TOOLS")
	if root == "" || args[0] == "losetup" {
		return args
	}
	const enter = `mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount --bind /tmp "$0/tmp" && exec chroot "$0" "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", enter, root}, args...)
}

// Dice are random numbers that are the same each time for a round.
func Dice(round int) *rand.Rand { return rand.New(rand.NewPCG(4, uint64(round))) }

// Pick takes one of several.
func Pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// Hostile are names that break out of whatever is not careful.
var Hostile = []string{
	"", " ", "-rf", `"`, `\`, "'", "`id`", "$(id)", "${HOME}", "a\nb", "a\tb", "\x01\x1f\x7f", "a, name=b", "size=1", `\x41`, "# no comment",
	"bøøt", "основной", "起動", "\u202egnp.exe", "\ufeffbom", "\u0085", "\uffff", "0123456789012345678901234567890123456", "ÿ\u00a0",
}

// Beyond are names that sfdisk does not write.
var Beyond = []string{"💾", "𝕕𝕚𝕤𝕜 and more", "\U0010ffff"}

// Table is the script of a random partition table for a disk of so many
// sectors of 512 bytes, as sfdisk reads it: GPT or dos, with few or many
// partitions, gaps, numbers in any order.
func Table(r *rand.Rand, sectors uint64) string {
	if r.IntN(2) == 0 {
		return dos(r, sectors)
	}
	return gpt(r, sectors)
}

func gpt(r *rand.Rand, sectors uint64) string {
	var b strings.Builder
	count, first := 128, uint64(2048)
	fmt.Fprintf(&b, "label: gpt\nlabel-id: %s\n", UUID(r))
	if r.IntN(3) == 0 {
		count = 4 + r.IntN(250)
		first = 2 + uint64(count+3)/4 + uint64(r.IntN(2000))
		fmt.Fprintf(&b, "table-length: %d\nfirst-lba: %d\n", count, first)
	}
	last := sectors - 2 - uint64(count+3)/4
	numbers := r.Perm(count)
	for i, s := range Spans(r, min(r.IntN(12), count), 1, first, last) {
		kind := Pick(r, "linux", "uefi", "raid", "lvm", "21686148-6449-6E6F-744E-656564454649", UUID(r))
		fmt.Fprintf(&b, "%d : start=%d, size=%d, type=%s, uuid=%s", numbers[i]+1, s[0], s[1]-s[0]+1, kind, UUID(r))
		if name := Pick(r, Hostile...); name != "" && r.IntN(3) > 0 {
			b.WriteString(`, name="`)
			for _, c := range []byte(string([]rune(name)[:min(36, len([]rune(name)))])) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
			b.WriteString(`"`)
		}
		b.WriteString(Pick(r, "", "", `, attrs="RequiredPartition"`, `, attrs="NoBlockIOProtocol LegacyBIOSBootable GUID:48,59,63"`) + "\n")
	}
	return b.String()
}

func dos(r *rand.Rand, sectors uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "label: dos\nlabel-id: 0x%08x\n", 1+r.Uint32N(1<<32-1))
	numbers := r.Perm(4)
	line := func(number int, s [2]uint64, kind string) {
		fmt.Fprintf(&b, "%d : start=%d, size=%d, type=%s%s\n", number, s[0], s[1]-s[0]+1, kind, Pick(r, "", "", ", bootable"))
	}
	kind := func() string { return Pick(r, "83", "82", "8e", "fd", "7", "c", "ef", "da") }
	primaries := Spans(r, r.IntN(4), 1, Pick[uint64](r, 1, 63, 2048, 2048), sectors/2)
	for i, s := range primaries {
		line(numbers[i]+1, s, kind())
	}
	if r.IntN(2) == 0 {
		outer := [2]uint64{sectors/2 + 2048, sectors - 1 - uint64(r.IntN(2000))}
		line(numbers[len(primaries)]+1, outer, Pick(r, "5", "f", "85"))
		for i, s := range Spans(r, r.IntN(9), 2048, outer[0], outer[1]) {
			line(5+i, s, kind())
		}
	}
	return b.String()
}

// Spans cuts up to n ranges out of the sectors from first to last, with a gap
// of at least so many before each.
func Spans(r *rand.Rand, n int, gap, first, last uint64) (out [][2]uint64) {
	at := first
	for range n {
		at += gap - 1 + Pick(r, 1, 7, 2048, 1+r.Uint64N(20000))
		if r.IntN(3) > 0 {
			at = (at + 2047) &^ 2047
		}
		end := at + Pick(r, 0, 2047, r.Uint64N(50000), r.Uint64N(500))
		if end > last {
			break
		}
		out = append(out, [2]uint64{at, end})
		at = end + 1
	}
	return slices.Clip(out)
}
