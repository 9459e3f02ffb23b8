package wc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Mounts holds the mount points below a root, as slash-separated paths
// relative to it. A working copy never crosses one: a rename over a mount
// point, also that of a single bind-mounted file, fails with EBUSY.
type Mounts map[string]bool

// readMounts reads the mount points below root from /proc/self/mountinfo.
// Without /proc there are none to be known.
func readMounts(root string) (Mounts, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Mounts{}, nil
	}
	defer f.Close()
	// mountinfo shows resolved paths
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	return parseMounts(f, root)
}

// parseMounts picks the mount points below root from a mountinfo file, whose
// fields proc_pid_mountinfo(5) describes: the fifth is the mount point, with
// blank, tab, newline and backslash in octal.
func parseMounts(r io.Reader, root string) (Mounts, error) {
	prefix := strings.TrimSuffix(root, "/") + "/"
	mounts := Mounts{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), " ")
		if len(fields) < 10 {
			return nil, fmt.Errorf("cannot read mountinfo: line %q has %d fields", lines.Text(), len(fields))
		}
		point := unescapeMount(fields[4])
		if rel, ok := strings.CutPrefix(point, prefix); ok && rel != "" {
			mounts[rel] = true
		}
	}
	return mounts, lines.Err()
}

func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Crosses returns the mount point at or above path and below the working
// copy at base, if there is one.
func (m Mounts) Crosses(base, path string) (string, bool) {
	for p := path; p != base && p != ""; p, _ = splitPath(p) {
		if m[p] {
			return p, true
		}
	}
	return "", false
}
