package rebuild

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rootwc/internal/odds"
	"rootwc/internal/run"
	"rootwc/probes"
)

func TestMain(m *testing.M) {
	odds.Apart()
	// what only root's PATH has is there all the same
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	if root := os.Getenv("ROOTWC_TOOLS"); root != "" {
		dir, err := toolsOf(root)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		defer os.RemoveAll(dir)
		os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	}
	m.Run()
}

// toolsOf makes a directory of scripts that run the tools of another release,
// in its root as debootstrap makes one. They have the devices and /tmp of this
// machine, in a mount namespace that ends with them; TMPDIR must be below one
// of the two.
func toolsOf(root string) (string, error) {
	const enter = `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec unshare --mount sh -c 'mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" && mount --bind /tmp "$0/tmp" && exec chroot "$0" "$@"' %q %q "$@"
`
	dir, err := os.MkdirTemp("", "tools-")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"wipefs", "mkswap", "mke2fs", "tune2fs", "debugfs", "e2fsck", "mkfs.xfs", "xfs_db", "xfs_repair",
		"mkfs.fat", "fsck.fat", "mkfs.exfat", "tune.exfat", "fsck.exfat", "mkfs.f2fs", "fsck.f2fs", "mkfs.btrfs", "btrfs"} {
		if there, _ := filepath.Glob(filepath.Join(root, "usr", "*bin", name)); len(there) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, enter, root, name), 0o755); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// need skips a test where a tool is missing; make deps installs them.
func need(t testing.TB, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, ok := run.Look(tool); !ok {
			t.Skipf("needs %s (make deps)", tool)
		}
	}
}

func tool(args ...string) error {
	_, _, err := run.Output(context.Background(), run.Command{Args: args})
	return err
}

// blank makes a sparse image in the place of what was there.
func blank(t testing.TB, path string, size uint64) string {
	t.Helper()
	os.Remove(path)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(size)); err != nil {
		t.Fatal(err)
	}
	return path
}

// identify reads what is on an image.
func identify(t testing.TB, paths ...string) (probes.ID, any) {
	t.Helper()
	id, node, err := tryIdentify(t, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return id, node
}

func tryIdentify(t testing.TB, paths ...string) (probes.ID, any, error) {
	t.Helper()
	var files []*os.File
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files = append(files, f)
	}
	return probes.Identify(t.Context(), files...)
}

// text is a node as a layout has it.
func text(t testing.TB, id probes.ID, node any) string {
	t.Helper()
	l := &probes.Layout{Format: probes.Format}
	switch n := node.(type) {
	case *probes.FileSystem:
		l.FileSystem = map[probes.ID]*probes.FileSystem{id: n}
	case *probes.Swap:
		l.Swap = map[probes.ID]*probes.Swap{id: n}
	}
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// plan is how a node is made on an image.
func plan(t testing.TB, id probes.ID, node any, work string, images ...string) (Layer, error) {
	if s, ok := node.(*probes.Swap); ok {
		return Swap(t.Context(), id, s, images[0])
	}
	return FileSystem(t.Context(), id, node.(*probes.FileSystem), images, 0, work)
}

func do(t testing.TB, actions []Action) error {
	t.Helper()
	p := &Performer{Echo: func(line string) { t.Log(line) }}
	for _, a := range actions {
		if err := p.Do(t.Context(), a); err != nil {
			return err
		}
	}
	return nil
}

// roundTrip makes file systems with random options, and each again from what
// is read of it. The tool refuses some options; only those it takes count.
func roundTrip(t *testing.T, usual int, check []string, odd func(*rand.Rand) odds.FileSystem) {
	t.Parallel()
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	noted := 0
	config := filepath.Join(dir, "mke2fs.conf")
	if err := os.WriteFile(config, []byte("[defaults]\n[fs_types]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for seed, taken := 1, 0; taken < odds.Rounds(usual); seed++ {
		if seed > 20+5*odds.Rounds(usual) {
			t.Fatalf("only %d of %d sets of options were taken", taken, seed)
		}
		o := odd(odds.Dice(seed))
		blank(t, image, o.Size)
		if !makeOdd(t, o, image, "MKE2FS_CONFIG="+config) {
			continue
		}
		if _, _, err := tryIdentify(t, image); err != nil {
			t.Logf("%q made what cannot be: %v", o.Make, err)
			continue
		}
		taken++
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("%q", o.On(image))
			id, node := identify(t, image)
			want := text(t, id, node)
			blank(t, image, o.Size)
			l, err := plan(t, id, node, filepath.Join(dir, "work"), image)
			if err != nil {
				t.Fatal(err)
			}
			if err := do(t, l.Make); err != nil {
				t.Fatal(err, "\n", want)
			}
			if len(check) > 0 {
				if err := tool(append(check, image)...); err != nil {
					t.Error(err)
				}
			}
			id, node = identify(t, image)
			got := text(t, id, node)
			if len(l.Notes) > 0 {
				noted++
				t.Log(l.Notes)
			}
			if got != want && len(l.Notes) == 0 {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	t.Logf("%d with notes", noted)
}

func makeOdd(t testing.TB, o odds.FileSystem, image string, env ...string) bool {
	for _, args := range o.On(image) {
		if _, _, err := run.Output(t.Context(), run.Command{Args: args, Env: append(env, o.Env...)}); err != nil {
			return false
		}
	}
	return true
}

func TestRoundTripExt(t *testing.T) {
	need(t, "mke2fs", "tune2fs", "debugfs", "e2fsck", "wipefs")
	roundTrip(t, 60, []string{"e2fsck", "-fn"}, func(rng *rand.Rand) odds.FileSystem { return odds.NewExt(rng).FileSystem })
}

func TestRoundTripXFS(t *testing.T) {
	need(t, "mkfs.xfs", "xfs_db", "xfs_repair", "wipefs")
	roundTrip(t, 60, []string{"xfs_repair", "-n", "-f", "-o", "force_geometry"}, func(rng *rand.Rand) odds.FileSystem { return odds.NewXFS(rng).FileSystem })
}

func TestRoundTripFAT(t *testing.T) {
	need(t, "mkfs.fat", "fsck.fat", "wipefs")
	roundTrip(t, 60, nil, func(rng *rand.Rand) odds.FileSystem { return odds.NewFAT(rng).FileSystem })
}

func TestRoundTripSwap(t *testing.T) {
	need(t, "mkswap", "wipefs")
	roundTrip(t, 30, nil, func(rng *rand.Rand) odds.FileSystem { return odds.NewSwap(rng).FileSystem })
}

func TestRoundTripExFAT(t *testing.T) {
	need(t, "mkfs.exfat", "tune.exfat", "fsck.exfat", "wipefs")
	roundTrip(t, 30, []string{"fsck.exfat", "-n"}, func(rng *rand.Rand) odds.FileSystem { return odds.NewExFAT(rng).FileSystem })
}

func TestRoundTripF2FS(t *testing.T) {
	need(t, "mkfs.f2fs", "fsck.f2fs", "wipefs")
	roundTrip(t, 30, nil, func(rng *rand.Rand) odds.FileSystem { return odds.NewF2FS(rng).FileSystem })
}

// TestRecorded makes again what the tools of several releases made, as far as
// those of this machine can.
func TestRecorded(t *testing.T) {
	need(t, "mke2fs", "tune2fs", "debugfs", "mkfs.xfs", "xfs_db", "mkfs.fat", "mkfs.exfat", "tune.exfat", "mkfs.f2fs", "mkswap", "wipefs")
	paths, err := filepath.Glob("../probes/testdata/*-[0-9]*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".toml"), func(t *testing.T) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			layout, err := probes.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			var id probes.ID
			var node any
			unsupported := ""
			for i, fs := range layout.FileSystem {
				id, node, unsupported = i, fs, fs.Unsupported
			}
			for i, s := range layout.Swap {
				id, node, unsupported = i, s, s.Unsupported
			}
			blank(t, image, recordedSize(t, strings.TrimSuffix(path, ".toml")+".gz"))
			l, err := plan(t, id, node, filepath.Join(dir, "work"), image)
			if unsupported != "" {
				if err == nil || !strings.Contains(err.Error(), unsupported) {
					t.Errorf("%s: %v", unsupported, err)
				}
				return
			}
			if refused := (*run.Error)(nil); errors.As(err, &refused) {
				t.Skip(err) // asked beforehand, a tool that is too old
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := do(t, l.Make); err != nil {
				t.Fatal(err)
			}
			madeID, made := identify(t, image)
			want, got := text(t, id, node), text(t, madeID, made)
			if got != want && len(l.Notes) == 0 {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			for format, check := range map[string][]string{"ext": {"e2fsck", "-fn"}, "xfs": {"xfs_repair", "-n", "-f", "-o", "force_geometry"}} {
				if fs, ok := made.(*probes.FileSystem); ok && strings.HasPrefix(fs.Type, format) {
					if err := tool(append(check, image)...); err != nil {
						t.Error(err)
					}
				}
			}
			t.Log(l.Notes, got == want)
		})
	}
}

// recordedSize is how large the image was that a recording is of.
func recordedSize(t *testing.T, path string) uint64 {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8)
	if _, err := io.ReadFull(z, b); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint64(b)
}
