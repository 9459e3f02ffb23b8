package rebuild

import (
	"fmt"
	"strings"

	"rootwc/probes"
)

// exfat makes an exFAT. mkfs.exfat reckons where its parts lie from a boundary
// that only shows in the result, and whether the bitmap is packed before it:
// the way that gives the same is found by trial.
func (m made) exfat(fs *probes.FileSystem, start uint64) (Layer, error) {
	x := fs.ExFAT
	if err := m.checkExFAT(x); err != nil {
		return Layer{}, err
	}
	help, err := usage(m.ctx, "mkfs.exfat")
	if err != nil {
		return Layer{}, err
	}
	if fs.LabelBytes != "" {
		m.label = fs.Label // with U+FFFD for what is no character
	}
	if boundary := exfatBoundary(x, start); start > 0 && boundary > 0 {
		return Layer{Make: m.mkfsExFAT(x, help, []string{"-b", fmt.Sprint(boundary)})}, nil
	}
	if table := x.Sectors * x.SectorSize / x.ClusterSize * 4; table > trialMost {
		return Layer{Make: m.mkfsExFAT(x, help, nil), Notes: []string{"its parts lie where mkfs.exfat puts them: it is too large for a trial"}}, nil
	}
	var best Layer
	var last error
	for _, options := range exfatWays(x, help) {
		got, err := m.trial(x.Sectors*x.SectorSize, func(try made) []Action { return try.mkfsExFAT(x, help, options) })
		if err != nil {
			last = err
			continue
		}
		l := Layer{Make: m.mkfsExFAT(x, help, options), Notes: m.changes(fs, got)}
		if best.Make == nil || len(l.Notes) < len(best.Notes) {
			best = l
		}
		if len(best.Notes) == 0 {
			break
		}
	}
	if best.Make == nil {
		return Layer{}, last
	}
	return best, nil
}

// exfatBoundary is the boundary from which mkfs.exfat reckons where the table
// and the clusters lie on a partition, zero for none: both are the next multiple
// of it, counted from the start of the disk (exfat_build_mkfs_info of
// exfatprogs). A scratch file has no such start.
func exfatBoundary(x *probes.ExFAT, start uint64) uint64 {
	next := func(at, boundary uint64) uint64 { return (start+at+boundary-1)/boundary*boundary - start }
	table := x.FATOffset * x.SectorSize
	for boundary := uint64(64 << 20); boundary >= x.SectorSize; boundary /= 2 {
		if next(24*x.SectorSize, boundary) == table && next(table+x.FATSectors*x.SectorSize, boundary) == x.ClusterOffset*x.SectorSize {
			return boundary
		}
	}
	return 0
}

// trialMost is how much the table may take that a trial writes.
const trialMost = 64 << 20

func (m made) checkExFAT(x *probes.ExFAT) error {
	err := firstOf(
		powerOf2("sector-size", x.SectorSize, 512, 4096),
		powerOf2("cluster-size", x.ClusterSize, max(x.SectorSize, 512), 32<<20),
		sized("exfat", x.Sectors, max(x.SectorSize, 1)),
		between("fat-offset", x.FATOffset, 24, 1<<32-1),
	)
	if err != nil {
		return err
	}
	if !fatSerial.MatchString(string(m.id)) {
		return fmt.Errorf("%q is no volume serial", m.id)
	}
	_, err = uuid("volume-guid", x.GUID)
	return err
}

// exfatWays are options that may have led to where the table lies, the default
// first.
func exfatWays(x *probes.ExFAT, help string) [][]string {
	ways := [][]string{{}}
	at := x.FATOffset * x.SectorSize
	for boundary := at & -at; boundary >= x.SectorSize; boundary /= 2 {
		if (24*x.SectorSize+boundary-1)/boundary*boundary == at { // the boot regions before it
			ways = append(ways, []string{"-b", fmt.Sprint(boundary)})
		}
	}
	if strings.Contains(help, "--pack-bitmap") {
		for _, way := range ways {
			ways = append(ways, append([]string{"--pack-bitmap"}, way...))
		}
	}
	return ways
}

// mkfsExFAT makes it on a whole device: there is no option for a size.
func (m made) mkfsExFAT(x *probes.ExFAT, help string, options []string) []Action {
	args := append([]string{"mkfs.exfat", "-c", fmt.Sprint(x.ClusterSize)}, options...)
	if m.label != "" {
		args = append(args, "-L", m.label)
	}
	if strings.Contains(help, "--sector-size") { // 1.2.3; before, it was the device's
		args = append(args, "-s", fmt.Sprint(x.SectorSize))
	}
	if x.GUID != "" && strings.Contains(help, "--volume-guid") {
		args = append(args, "-U", x.GUID)
	}
	serial := "0x0"
	if m.id != "" {
		serial = "0x" + strings.Replace(string(m.id), "-", "", 1)
	}
	return []Action{command(append(args, "--", m.devices[0])...), command("tune.exfat", "-I", serial, "--", m.devices[0])}
}
