package rebuild

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
)

// extSeedUUID is a UUID whose checksum is the seed: a file system made with it
// keeps the seed when it gets another UUID. Any first 12 bytes will do; the
// last 4 bring the checksum to where it must be.
func extSeedUUID(seed string) (string, error) {
	want, err := strconv.ParseUint(seed, 0, 32)
	if err != nil {
		return "", fmt.Errorf("checksum-seed %q", seed)
	}
	// CRC-32C's 32 steps over the last 4 bytes, backwards.
	before := uint32(want)
	for range 32 {
		if before&(1<<31) != 0 {
			before = (before^crc32.Castagnoli)<<1 | 1
		} else {
			before <<= 1
		}
	}
	b := []byte("rootwc: seed")
	after := ^crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	b = binary.LittleEndian.AppendUint32(b, before^after)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]), nil
}
