package wc_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rootwc/internal/run"
	"rootwc/wc"
)

// benchTree is a committed working copy of 5,000 files in 500 directories,
// without an index.
func benchTree(b *testing.B) *lab {
	b.Helper()
	for _, program := range []string{"svn", "svnadmin"} {
		if _, ok := run.Look(program); !ok {
			b.Skipf("needs %s, to make a working copy", program)
		}
	}
	l := newLab(b, b.TempDir())
	if err := wc.WriteConfig(filepath.Join(l.dir, "config")); err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(l.path(wc.StatePath), 0o700); err != nil {
		b.Fatal(err)
	}
	for i := range 500 {
		dir := l.path(fmt.Sprintf("d%d/e%d", i/20, i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for k := range 10 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(k)), fmt.Appendf(nil, "%d %d\n", i, k), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	l.sh(true, `svnadmin create ../repo; svn checkout -q $R .; svn add -q d*; svn commit -q -m x`)
	return l
}

// status asks as the verb does: open, review, close.
func (l *lab) status() {
	t := l.open()
	defer t.Close()
	l.attach(t)
	if _, err := t.Status(l.t.Context(), wc.StatusOptions{Review: true}); err != nil {
		l.t.Fatal(err)
	}
}

// BenchmarkStatus measures a clean status: with an index, without one, and
// after every file was touched.
func BenchmarkStatus(b *testing.B) {
	l := benchTree(b)
	b.Run("proven", func(b *testing.B) {
		l.status()
		for b.Loop() {
			l.status()
		}
	})
	for name, before := range map[string]string{"first": "rm -rf var/lib/rootwc/index", "touched": "find d* -type f -exec touch {} +"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				l.sh(true, before)
				b.StartTimer()
				l.status()
			}
		})
	}
}

// BenchmarkReadRecord measures reading the whole of a wc.db.
func BenchmarkReadRecord(b *testing.B) {
	l := benchTree(b)
	b.ReportAllocs()
	for b.Loop() {
		if n, err := wc.ReadRecord(l.path(".svn/wc.db")); err != nil || n < 5000 {
			b.Fatal(n, err)
		}
	}
}
