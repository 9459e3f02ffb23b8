package probes

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
)

// btrfsRun runs a program, and skips the test where it is not installed.
func btrfsRun(t testing.TB, args ...string) string {
	t.Helper()
	if _, ok := run.Look(args[0]); !ok {
		t.Skipf("needs %s (make deps)", args[0])
	}
	out, _, err := run.Output(t.Context(), run.Command{Args: args})
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// btrfsImages makes sparse files.
func btrfsImages(t testing.TB, sizes ...int64) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, size := range sizes {
		path := filepath.Join(dir, fmt.Sprintf("%d.img", i+1))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// btrfsMedia opens files for reading.
func btrfsMedia(t testing.TB, paths ...string) []medium {
	t.Helper()
	var list []medium
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		size, err := f.Seek(0, io.SeekEnd) // a device has no size of its own
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, medium{f, uint64(size)})
	}
	return list
}

// mustReadBtrfs reads a file system from files.
func mustReadBtrfs(t testing.TB, paths ...string) (ID, *FileSystem) {
	t.Helper()
	id, fs, err := readBtrfs(t.Context(), btrfsMedia(t, paths...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return id, fs
}

// TestBtrfsOptions makes file systems with random options and compares what is
// read with what was asked for, and with what btrfs itself reads.
func TestBtrfsOptions(t *testing.T) {
	for round := range odds.Rounds(12) {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(round)))
			args, sizes, mixed := odds.NewBtrfs(r)
			images := btrfsImages(t, sizes...)
			t.Log(run.Quote(args), len(images), "devices")
			btrfsRun(t, append(args, images...)...)
			id, fs := mustReadBtrfs(t, images...)
			compareSuper(t, images[0], id, fs)
			compareChunks(t, images, fs)
			if fs.Unsupported != "" {
				t.Errorf("unsupported: %s", fs.Unsupported)
			}
			if got := slices.Contains(fs.Btrfs.Features, "mixed-bg"); got != mixed {
				t.Errorf("mixed is %v", got)
			}
		})
	}
}

// compareSuper compares with btrfs inspect-internal dump-super.
func compareSuper(t *testing.T, image string, id ID, fs *FileSystem) {
	t.Helper()
	dump := btrfsRun(t, "btrfs", "inspect-internal", "dump-super", "-f", image)
	value := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\t+(.*)$`).FindStringSubmatch(dump)
		if m == nil {
			t.Fatalf("no %s in\n%s", name, dump)
		}
		return m[1]
	}
	var total uint64
	for _, d := range fs.Btrfs.Device {
		total += d.Size
	}
	kind, _, _ := strings.Cut(strings.TrimSuffix(strings.SplitN(value("csum_type"), "(", 2)[1], ")"), "-")
	for name, pair := range map[string][2]string{
		"uuid":      {string(id), value("fsid")},
		"label":     {regexp.MustCompile(`[^ -~]`).ReplaceAllString(btrfsLatin1(fs.Label), "."), value("label")},
		"node size": {strconv.FormatUint(fs.Btrfs.NodeSize, 10), value("nodesize")},
		"sector":    {strconv.FormatUint(fs.Btrfs.SectorSize, 10), value("sectorsize")},
		"size":      {strconv.FormatUint(total, 10), value("total_bytes")},
		"devices":   {strconv.Itoa(len(fs.Btrfs.Device)), value("num_devices")},
		"checksum":  {fs.Btrfs.Checksum, map[string]string{"xxhash64": "xxhash"}[kind]},
		"its size":  {strconv.FormatUint(fs.Btrfs.Device["1"].Size, 10), value("dev_item.total_bytes")},
		"features":  {strings.Join(fs.Btrfs.Features, " "), strings.Join(dumpedFeatures(dump), " ")},
	} {
		if name == "checksum" && pair[1] == "" {
			pair[1] = kind
		}
		if pair[0] != pair[1] {
			t.Errorf("%s is %q, dump-super has %q", name, pair[0], pair[1])
		}
	}
}

// btrfsLatin1 makes a character of each byte, as dump-super counts them.
func btrfsLatin1(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// dumpedFeatures are the features in dump-super's words that mkfs.btrfs takes.
func dumpedFeatures(dump string) []string {
	words := map[string]string{
		"MIXED_GROUPS": "mixed-bg", "EXTENDED_IREF": "extref", "SKINNY_METADATA": "skinny-metadata",
		"NO_HOLES": "no-holes", "FREE_SPACE_TREE": "free-space-tree", "BLOCK_GROUP_TREE": "block-group-tree",
	}
	var list []string
	for _, word := range regexp.MustCompile(`[A-Z][A-Z0-9_]+`).FindAllString(dump, -1) {
		if w := words[word]; w != "" {
			list = append(list, w)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// compareChunks compares devices and profiles with dump-tree. An old mkfs.btrfs
// leaves empty single chunks, so each profile must be one of the dumped ones.
func compareChunks(t *testing.T, images []string, fs *FileSystem) {
	t.Helper()
	dump := btrfsRun(t, append([]string{"btrfs", "inspect-internal", "dump-tree", "--noscan", "-t", "chunk"}, images...)...)
	for _, m := range regexp.MustCompile(`devid (\d+) total_bytes (\d+)`).FindAllStringSubmatch(dump, -1) {
		size, _ := strconv.ParseUint(m[2], 10, 64)
		if d := fs.Btrfs.Device[ID(m[1])]; d == nil || d.Size != size {
			t.Errorf("device %s is %+v, dump-tree has %s bytes", m[1], d, m[2])
		}
	}
	dumped := map[string][]string{}
	for _, m := range regexp.MustCompile(`stripe_len \d+ type (\S+)`).FindAllStringSubmatch(dump, -1) {
		words := strings.Split(strings.ToLower(m[1]), "|")
		profile := "single"
		for _, w := range words {
			if w != "data" && w != "metadata" && w != "system" {
				profile = w
			}
		}
		for _, w := range words {
			dumped[w] = append(dumped[w], profile)
		}
	}
	system := fs.Btrfs.System
	if system == "" {
		system = fs.Btrfs.Metadata
	}
	for use, profile := range map[string]string{"data": fs.Btrfs.Data, "metadata": fs.Btrfs.Metadata, "system": system} {
		if !slices.Contains(dumped[use], profile) {
			t.Errorf("%s is %s, dump-tree has %v", use, profile, dumped[use])
		}
	}
}
