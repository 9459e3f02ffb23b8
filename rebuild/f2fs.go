package rebuild

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"rootwc/probes"
)

// f2fs makes an F2FS. Which percentage for -o gives the number of segments is
// found by trial, when it is not what mkfs.f2fs chooses.
func (m made) f2fs(fs *probes.FileSystem) (Layer, error) {
	f := fs.F2FS
	if err := m.checkF2FS(f); err != nil {
		return Layer{}, err
	}
	if fs.LabelBytes != "" {
		m.label = fs.Label // with U+FFFD for what is no character
	}
	for m.label = m.label[:min(len(m.label), f2fsLabel)]; !utf8.ValidString(m.label); {
		m.label = m.label[:len(m.label)-1]
	}
	if f.Blocks*f.BlockSize > f2fsTrial {
		return Layer{Make: []Action{m.mkfsF2FS(f, nil)}, Notes: []string{"its segments and extensions are mkfs.f2fs's own: it is too large for a trial"}}, nil
	}
	try := func(options ...string) (*probes.FileSystem, error) {
		return m.trial(f.Blocks*f.BlockSize, func(try made) []Action { return []Action{try.mkfsF2FS(f, options)} })
	}
	var options []string
	got, err := try()
	if err != nil {
		return Layer{}, err
	}
	for _, list := range []struct{ option, want, known string }{
		{"-e", f.ColdExtensions, got.F2FS.ColdExtensions}, {"-E", f.HotExtensions, got.F2FS.HotExtensions},
	} {
		if more := f2fsMore(list.want, list.known); more != "" {
			options = append(options, list.option, more)
		}
	}
	segments := func(f *probes.F2FS) [2]uint64 { return [2]uint64{f.ReservedSegments, f.OverprovisionSegments} }
	if segments(got.F2FS) != segments(f) && f.OverprovisionSegments != 0 {
		if percent, ok := f2fsPercent(f, try); ok {
			options = append(options, "-o", percent)
		}
	}
	if len(options) > 0 {
		if got, err = try(options...); err != nil {
			return Layer{}, err
		}
	}
	return Layer{Make: []Action{m.mkfsF2FS(f, options)}, Notes: m.changes(fs, got)}, nil
}

// f2fsTrial is the largest that is tried: mkfs.f2fs writes some thousandth of it.
const f2fsTrial = 256 << 30

// f2fsLabel is how many bytes mkfs.f2fs takes, though the medium has room for
// more.
const f2fsLabel = 511

var f2fsFeatures = []string{"encrypt", "extra_attr", "project_quota", "inode_checksum", "flexible_inline_xattr", "quota", "inode_crtime",
	"lost_found", "verity", "sb_checksum", "casefold", "compression", "ro", "device_alias"}

func (m made) checkF2FS(f *probes.F2FS) error {
	err := firstOf(
		powerOf2("sector-size", f.SectorSize, 512, 65536),
		powerOf2("block-size", f.BlockSize, 4096, 65536),
		sized("f2fs", f.Blocks, max(f.BlockSize, 1)),
		between("segments-per-section", f.SegmentsPerSection, 1, 1<<31),
		between("sections-per-zone", f.SectionsPerZone, 1, 1<<31),
		between("overprovision-segments", f.OverprovisionSegments, 0, 1<<32-1),
		between("reserved-segments", f.ReservedSegments, 0, 1<<32-1),
		oneOf("encoding", f.Encoding, []string{"", "utf8"}),
	)
	if err != nil {
		return err
	}
	if _, err := uuid("UUID", string(m.id)); err != nil {
		return err
	}
	for _, w := range f.Features {
		if err := oneOf("feature", w, f2fsFeatures); err != nil {
			return err
		}
	}
	for _, w := range f.EncodingFlags {
		if err := oneOf("encoding flag", w, []string{"strict"}); err != nil {
			return err
		}
	}
	for _, list := range []string{f.ColdExtensions, f.HotExtensions} {
		if len(list) > 64*8 || strings.ContainsRune(list, 0) {
			return fmt.Errorf("extensions %q", list)
		}
	}
	return nil
}

// mkfsF2FS is the command.
func (m made) mkfsF2FS(f *probes.F2FS, options []string) Action {
	id := cmp.Or(string(m.id), noUUID)
	args := []string{"mkfs.f2fs", "-f", "-q", "-t", "0", "-w", fmt.Sprint(f.SectorSize), "-U", id, "-l", m.label,
		"-s", fmt.Sprint(f.SegmentsPerSection), "-z", fmt.Sprint(f.SectionsPerZone)}
	if f.BlockSize != 4096 {
		args = append(args, "-b", fmt.Sprint(f.BlockSize))
	}
	features := slices.DeleteFunc(slices.Clone(f.Features), func(w string) bool {
		return w == "quota" && slices.Equal(f.Quota, []string{"prjquota"}) // project_quota alone brings that one
	})
	if len(features) > 0 {
		args = append(args, "-O", strings.Join(features, ","))
	}
	if f.Encoding != "" {
		args = append(args, "-C", strings.Join(append([]string{f.Encoding}, f.EncodingFlags...), ":"))
	}
	if f.LargeNATBitmap {
		args = append(args, "-i")
	}
	return command(append(append(args, options...), "--", m.devices[0], strconv.FormatUint(f.Blocks*f.BlockSize/f.SectorSize, 10))...)
}

// f2fsMore are the extensions beyond those that mkfs.f2fs knows itself.
func f2fsMore(want, known string) string {
	own := strings.Split(known, ",")
	return strings.Join(slices.DeleteFunc(strings.Split(want, ","), func(w string) bool { return w == "" || slices.Contains(own, w) }), ",")
}

// f2fsPercent looks for the percentage. With more of them, fewer segments are
// reserved; with the same number reserved, more are provided.
func f2fsPercent(f *probes.F2FS, try func(...string) (*probes.FileSystem, error)) (string, bool) {
	least, most := 0.0, 100.0
	for range 40 {
		middle := (least + most) / 2
		percent := strconv.FormatFloat(middle, 'f', 6, 64)
		got, err := try("-o", percent)
		small := middle < 50 // mkfs.f2fs refuses both ends
		if err == nil {
			small = got.F2FS.ReservedSegments > f.ReservedSegments ||
				got.F2FS.ReservedSegments == f.ReservedSegments && got.F2FS.OverprovisionSegments < f.OverprovisionSegments
			if got.F2FS.ReservedSegments == f.ReservedSegments && got.F2FS.OverprovisionSegments == f.OverprovisionSegments {
				return percent, true
			}
		}
		if small {
			least = middle
		} else {
			most = middle
		}
	}
	return "", false
}
