package odds

import (
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
)

// NewBtrfs is a command for mkfs.btrfs, without its devices, and their sizes.
func NewBtrfs(r *rand.Rand) (args []string, sizes []int64, mixed bool) {
	const mib = 1 << 20
	args = []string{"mkfs.btrfs", "-q", "-f", "-K"}
	add := func(words ...string) { args = append(args, words...) }
	for range 1 + r.IntN(5)*r.IntN(2) {
		sizes = append(sizes, (300+r.Int64N(400))*mib+r.Int64N(mib))
	}
	var profiles []string
	for _, p := range []struct {
		word  string
		least int
	}{{"single", 1}, {"dup", 1}, {"raid0", 2}, {"raid1", 2}, {"raid1c3", 3}, {"raid1c4", 4}, {"raid10", 4}, {"raid5", 3}, {"raid6", 4}} {
		if len(sizes) >= p.least {
			profiles = append(profiles, p.word)
		}
	}
	if r.IntN(2) == 0 {
		add("--csum", Pick(r, "crc32c", "xxhash", "sha256", "blake2"))
	}
	if mixed = r.IntN(5) == 0; mixed {
		profile := Pick(r, profiles...)
		add("-M", "-d", profile, "-m", profile)
	} else {
		if r.IntN(2) == 0 {
			add("-n", Pick(r, "4k", "8k", "32k", "64k"))
		}
		if r.IntN(3) > 0 {
			add("-d", Pick(r, profiles...))
		}
		if r.IntN(3) > 0 {
			add("-m", Pick(r, profiles...))
		}
	}
	if r.IntN(2) == 0 {
		add("-O", Pick(r, "^extref", "^no-holes", "^skinny-metadata", "no-holes,^extref"))
	}
	if r.IntN(2) == 0 {
		add("-R", Pick(r, "free-space-tree", "^free-space-tree", "quota"))
	}
	if r.IntN(2) == 0 {
		add("-L", Pick(r, "plain", "with a blank", `quo"te$(x)\`, "Ünïcode ☃", strings.Repeat("x", 255)))
	}
	if r.IntN(4) == 0 {
		add("-b", strconv.FormatInt(280*mib, 10))
	}
	return args, sizes, mixed
}

// Subvolumes are commands that make subvolumes with everything that is recorded
// of them, in a btrfs that is mounted at dir.
func Subvolumes(dir string) [][]string {
	at := func(path string) string { return filepath.Join(dir, path) }
	create := func(path string) []string { return []string{"btrfs", "-q", "subvolume", "create", "--", at(path)} }
	return [][]string{
		create("@"),
		create("@home"),
		create("@home/with a blank"),
		{"mkdir", "-p", "--", at("@/var/lib/deep er")},
		create("@/var/lib/deep er/machines"),
		create("@/var/lib/deep er/machines/one"),
		create("odd\xff\\n\x01ame"),
		create("gone"),
		{"btrfs", "property", "set", at("@home"), "compression", "zstd"},
		{"btrfs", "property", "set", at("@home/with a blank"), "compression", "none"},
		{"btrfs", "property", "set", dir, "compression", "lzo"},
		{"chattr", "+C", at("@/var/lib/deep er/machines")},
		{"btrfs", "-q", "subvolume", "snapshot", "-r", at("@home"), at("@home-yesterday")},
		{"btrfs", "-q", "subvolume", "snapshot", at("gone"), at("of-gone")},
		{"btrfs", "-q", "subvolume", "delete", at("gone")},
		{"btrfs", "subvolume", "set-default", at("@")},
		{"btrfs", "filesystem", "label", dir, "label of\tthe mounted"},
	}
}

// Snapshots are commands that take snapshots where order matters: of
// subvolumes that have others in them, of the top level, of a snapshot, and one
// whose origin was then moved into it. They come behind [Subvolumes].
func Snapshots(dir string) [][]string {
	at := func(path string) string { return filepath.Join(dir, path) }
	snapshot := func(of, path string) []string {
		return []string{"btrfs", "-q", "subvolume", "snapshot", at(of), at(path)}
	}
	create := func(path string) []string { return []string{"btrfs", "-q", "subvolume", "create", "--", at(path)} }
	return [][]string{
		create("@/.snapshots"),
		{"mkdir", "--", at("@/.snapshots/1")},
		snapshot("@", "@/.snapshots/1/snapshot"),
		snapshot("@home", "zz"),
		{"rmdir", "--", at("zz/with a blank")},
		create("zz/with a blank"),
		snapshot("zz", "$(z)"),
		snapshot(".", "top"),
		create("old"),
		snapshot("old", "new"),
		{"mv", "--", at("old"), at("new/old")},
		{"btrfs", "property", "set", at("top"), "ro", "true"},
	}
}

// Quota are commands that set limits. They come behind [Subvolumes].
func Quota(rng *rand.Rand, dir string) [][]string {
	return [][]string{
		{"btrfs", "quota", "enable", dir},
		{"btrfs", "qgroup", "limit", strconv.FormatInt(1<<20+rng.Int64N(1<<30), 10), filepath.Join(dir, "@home")},
		{"btrfs", "qgroup", "limit", "-e", "12345678", filepath.Join(dir, "@home/with a blank")},
		{"btrfs", "qgroup", "create", "3/77", dir},
		{"btrfs", "qgroup", "create", "1/5", dir},
		{"btrfs", "qgroup", "limit", "-e", "1G", "1/5", dir},
		{"btrfs", "qgroup", "assign", "--no-rescan", "1/5", "3/77", dir},
		{"btrfs", "qgroup", "assign", "--no-rescan", "0/256", "1/5", dir},
	}
}
