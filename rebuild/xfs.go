package rebuild

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rootwc/probes"
)

// xfsFlags are the features that an option of mkfs.xfs turns on and off. What a
// version 4 file system may lack, each later one has; and what a later one may
// have, version 4 has not.
var xfsFlags = []struct {
	option, word string
	version4     bool
}{
	{"-m", "finobt", false}, {"-m", "rmapbt", false}, {"-m", "reflink", false}, {"-m", "inobtcount", false}, {"-m", "bigtime", false}, {"-m", "metadir", false},
	{"-i", "sparse", false}, {"-i", "nrext64", false}, {"-i", "exchange", false}, {"-i", "projid32bit", true},
	{"-n", "parent", false}, {"-n", "ftype", true},
	{"-l", "lazy-count", true},
}

// xfsSmall are what makes mkfs.xfs since 6.0 accept less than 300 MB, less than
// 64 MB of log and a single allocation group, which older ones made without a
// word. They are there for its tests (mkfs/xfs_mkfs.c, validate_supported).
var xfsSmall = []string{"TEST_DEV=1", "TEST_DIR=1", "QA_CHECK_FS=1"}

func (m made) xfs(x *probes.XFS) (Layer, error) {
	if err := m.checkXFS(x); err != nil {
		return Layer{}, err
	}
	id, err := uuid("UUID", string(m.id))
	if err != nil {
		return Layer{}, err
	}
	first, err := uuid("meta-uuid", cmp.Or(x.MetaUUID, id))
	if err != nil {
		return Layer{}, err
	}
	made, err := m.mkfsXFS(x, first)
	if err != nil {
		return Layer{}, err
	}
	l := Layer{Make: []Action{made}}
	if first != id { // as xfs_admin -U does, by way of a shell's eval
		l.Make = append(l.Make, command("xfs_db", "-x", "-p", "xfs_admin", "-c", "uuid "+id, m.devices[0]))
	}
	if x.StripeUnit != 0 && x.GroupBlocks*x.BlockSize%x.StripeUnit != 0 {
		l.Notes = append(l.Notes, "stripe-unit and stripe-width were set by a mount; mkfs.xfs rounds ag-blocks to them")
	}
	if unit := xfsLogUnit(x); x.LogUnit == 0 && unit != 0 {
		l.Notes = append(l.Notes, fmt.Sprintf("mkfs.xfs gives the log a stripe unit of %d bytes", unit))
	}
	if log := fmt.Sprintf("size=%d,", x.LogSize); !slices.ContainsFunc(made.Args, func(arg string) bool { return strings.HasPrefix(arg, log) }) {
		l.Notes = append(l.Notes, fmt.Sprintf("the log of %d bytes is too small for this mkfs.xfs and gets larger", x.LogSize))
	}
	return l, nil
}

// xfsLogUnit is the log's stripe unit when mkfs.xfs is told none: that of the
// data, unless it is too large (mkfs/xfs_mkfs.c, calc_stripe_factors). There is no
// way to say that there is none.
func xfsLogUnit(x *probes.XFS) uint64 {
	unit := x.StripeUnit
	switch {
	case x.LogVersion == 1:
		return 0
	case unit > 256<<10:
		unit = 32 << 10
	}
	return unit / x.BlockSize * x.BlockSize
}

func (m made) checkXFS(x *probes.XFS) error {
	err := firstOf(
		powerOf2("block-size", x.BlockSize, 512, 65536),
		powerOf2("sector-size", x.SectorSize, 512, 32768),
		powerOf2("inode-size", x.InodeSize, 256, 2048),
		powerOf2("directory-block-size", x.DirectoryBlock, x.BlockSize, 65536),
		powerOf2("log-sector-size", x.LogSector, 512, 32768),
		sized("xfs", x.Blocks, max(x.BlockSize, 1)),
		sized("allocation group", x.GroupBlocks, max(x.BlockSize, 1)),
		between("imaxpct", x.InodePercent, 0, 100),
		between("stripe-unit", x.StripeUnit, 0, 1<<40),
		between("stripe-width", x.StripeWidth, x.StripeUnit, 1<<40),
		between("log-size", x.LogSize, 1, 1<<40),
		between("log-stripe-unit", x.LogUnit, 0, 1<<40),
		between("log-version", x.LogVersion, 0, 2),
		between("realtime-extent-size", x.RealtimeExtent, 0, 1<<40),
		longer(m.label, 12),
	)
	if err != nil {
		return err
	}
	if x.StripeUnit == 0 && x.StripeWidth != 0 || x.StripeUnit%512 != 0 || x.StripeWidth%512 != 0 {
		return fmt.Errorf("stripe-unit is %d, stripe-width %d", x.StripeUnit, x.StripeWidth)
	}
	if _, err := strconv.ParseUint(x.LogGroup, 10, 32); x.LogGroup != "" && err != nil {
		return fmt.Errorf("log-ag %q", x.LogGroup)
	}
	for _, w := range x.Features {
		known := slices.Contains([]string{"crc", "attr2", "ascii-ci", "unaligned-inodes"}, w)
		for _, f := range xfsFlags {
			known = known || f.word == w
		}
		if !known {
			return fmt.Errorf("feature %q", w)
		}
	}
	return nil
}

// mkfsXFS is the command, after it was tried without writing: this mkfs.xfs
// may lack a feature, and want a larger log than an older one made.
func (m made) mkfsXFS(x *probes.XFS, id string) (Action, error) {
	help, err := usage(m.ctx, "mkfs.xfs")
	if err != nil {
		return Action{}, err
	}
	for log := x.LogSize; ; log *= 2 {
		options := m.xfsOptions(x, id, log, help)
		var env []string
		if x.Blocks*x.BlockSize < 300<<20 || log < xfsUsualLog || x.Blocks <= x.GroupBlocks {
			env = xfsSmall
		}
		err := m.scratch(0, func(try made) error {
			args := append(options, "-N", "-d", "file,name="+try.devices[0]+","+xfsData(x))
			return try.do([]Action{{Args: args, Env: env}})
		})
		if err == nil || log >= xfsUsualLog {
			return Action{Args: append(options, "-d", xfsData(x), "--", m.devices[0]), Env: env}, err
		}
	}
}

// xfsUsualLog is the smallest log that mkfs.xfs makes since 6.0.
const xfsUsualLog = 64 << 20

// xfsData is for -d.
func xfsData(x *probes.XFS) string {
	data := fmt.Sprintf("size=%d,agsize=%d,", x.Blocks*x.BlockSize, x.GroupBlocks*x.BlockSize)
	if x.StripeUnit == 0 {
		return data + "noalign"
	}
	return data + fmt.Sprintf("sunit=%d,swidth=%d", x.StripeUnit/512, x.StripeWidth/512)
}

// xfsOptions are the command without -d and the device. What is not in the
// layout is turned off where this mkfs.xfs knows it: it has defaults of its own.
func (m made) xfsOptions(x *probes.XFS, id string, log uint64, help string) []string {
	options := map[string][]string{}
	add := func(option, format string, args ...any) {
		options[option] = append(options[option], fmt.Sprintf(format, args...))
	}
	has := func(word string) bool { return slices.Contains(x.Features, word) }
	bit := map[bool]int{true: 1}
	add("-m", "uuid=%s", id)
	add("-m", "crc=%d", bit[has("crc")])
	add("-i", "size=%d", x.InodeSize)
	add("-i", "maxpct=%d", x.InodePercent)
	add("-n", "size=%d", x.DirectoryBlock)
	add("-l", "size=%d", log)
	add("-l", "sectsize=%d", x.LogSector)
	for _, f := range xfsFlags {
		// Debian 11's calls inobtcount something shorter, and takes it all the same.
		known := strings.Contains(help, f.word+"=") || f.word == "inobtcount" && strings.Contains(help, "inobtcnt=")
		if f.version4 != has("crc") && (known || has(f.word)) {
			add(f.option, "%s=%d", f.word, bit[has(f.word)])
		}
	}
	if !has("crc") {
		add("-i", "attr=%d", 1+bit[has("attr2")])
		add("-i", "align=%d", 1-bit[has("unaligned-inodes")])
	}
	if has("ascii-ci") {
		add("-n", "version=ci")
	}
	if x.LogVersion != 0 {
		add("-l", "version=%d", x.LogVersion)
	}
	if x.LogUnit != 0 {
		add("-l", "su=%d", x.LogUnit)
	}
	if x.LogGroup != "" {
		add("-l", "agnum=%s", x.LogGroup)
	}
	args := []string{"mkfs.xfs", "-q", "-f", "-K", "-b", fmt.Sprintf("size=%d", x.BlockSize), "-s", fmt.Sprintf("size=%d", x.SectorSize)}
	for _, option := range []string{"-m", "-i", "-n", "-l"} {
		args = append(args, option, strings.Join(options[option], ","))
	}
	if x.RealtimeExtent != 0 {
		args = append(args, "-r", fmt.Sprintf("extsize=%d", x.RealtimeExtent))
	}
	if m.label != "" {
		args = append(args, "-L", m.label)
	}
	return slices.Clip(args)
}
