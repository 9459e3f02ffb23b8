package rebuild

import "math/bits"

// divide gives parts of a total in proportion to their weights, none below its
// least, all of which may be negative. missing is by how much the least are
// more than the total; the parts then are those.
func divide(total int64, weights []uint64, least []int64) (parts []int64, missing int64) {
	parts = make([]int64, len(weights))
	weight := func(i int) uint64 { return min(max(1, weights[i]), 1<<50) } // whatever a layout says, the sum is one
	fixed := make([]bool, len(weights))
	for {
		rest, sum, last := total, uint64(0), -1
		for i := range weights {
			if fixed[i] {
				rest -= parts[i]
			} else {
				sum, last = sum+weight(i), i
			}
		}
		if last < 0 {
			return parts, max(0, -rest)
		}
		whole, again := rest, false
		for i := range weights {
			if fixed[i] {
				continue
			}
			parts[i] = portion(whole, weight(i), sum)
			if parts[i] < least[i] {
				parts[i], fixed[i], again = least[i], true, true
			}
			rest -= parts[i]
		}
		if !again {
			parts[last] += rest // what rounding down has left
			return parts, 0
		}
	}
}

// portion is total times w by sum, rounded down.
func portion(total int64, w, sum uint64) int64 {
	n := uint64(total)
	if total < 0 {
		n = uint64(-total)
	}
	high, low := bits.Mul64(n, w)
	part, over := bits.Div64(high, low, sum)
	switch {
	case total >= 0:
		return int64(part)
	case over > 0:
		return -int64(part) - 1
	}
	return -int64(part)
}
