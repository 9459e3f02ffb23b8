package rebuild

import (
	"fmt"
	"strconv"

	"rootwc/probes"
)

// xfsLastGroup is the least that mkfs.xfs makes of a last allocation group
// (XFS_AG_MIN_BYTES).
const xfsLastGroup = 16 << 20

// resizeXFS keeps the size of an allocation group. A last one that mkfs.xfs
// would leave out is left out, and so is one that would have to hold the log and
// could not.
func (m made) resizeXFS(x *probes.XFS, bytes uint64) error {
	if err := m.checkXFS(x); err != nil {
		return err
	}
	blocks := bytes / x.BlockSize
	groups, rest := blocks/x.GroupBlocks, blocks%x.GroupBlocks
	least := uint64(xfsLastGroup)
	if groups == 1 { // the log is in the second of two
		least += x.LogSize
	}
	switch {
	case groups == 0 && (x.Blocks > x.GroupBlocks || blocks*x.BlockSize < least+x.LogSize):
		return fmt.Errorf("%s are less than an allocation group, of %s", probes.Size(bytes), probes.Size(x.GroupBlocks*x.BlockSize))
	case groups == 0:
		x.GroupBlocks = blocks
	case rest*x.BlockSize < least:
		blocks -= rest
	}
	if n, _ := strconv.ParseUint(x.LogGroup, 10, 32); n >= (blocks+x.GroupBlocks-1)/x.GroupBlocks {
		return fmt.Errorf("%s have no allocation group %s for its log", probes.Size(bytes), x.LogGroup)
	}
	x.Blocks = blocks
	return nil
}
