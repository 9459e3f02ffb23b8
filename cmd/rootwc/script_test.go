package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rootwc/internal/run"
)

var updateScripts = flag.Bool("update", false, "rewrite the want/ files of the scripts with what rootwc prints")

func TestMain(m *testing.M) {
	syscall.Umask(0o022) // what a script's files get, whoever runs the tests
	testscript.Main(m, map[string]func(){"rootwc": main})
}

// TestScript runs the user stories in testdata/script.
func TestScript(t *testing.T) {
	// Not t.TempDir, which is closed: svn runs as the owner of a home.
	work, err := os.MkdirTemp("", "rootwc-script-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	if err := os.Chmod(work, 0o755); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		WorkdirRoot:         work,
		Setup:               scriptSetup,
		Condition:           scriptCondition,
		Cmds:                scriptCommands,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *updateScripts,
	})
}

// scriptSetup gives a script an environment of its own: nothing of the caller's but
// PATH, and a home, where svn keeps settings.
func scriptSetup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	env.Setenv("HOME", home)
	env.Setenv("LC_ALL", "C.UTF-8")
	env.Setenv("TZ", "UTC")
	env.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	env.Setenv("ROOTWC_ROOT", filepath.Join(env.WorkDir, "m1"))
	if os.Getenv("GORACE") == "" { // the race detector's runtime waits a second before it exits
		env.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	// as open as /tmp
	return errors.Join(os.Mkdir(home, 0o700), os.Chmod(filepath.Join(env.WorkDir, ".tmp"), 0o777|os.ModeSticky))
}

// scriptCondition adds [root], [mount] for where file systems can be mounted in
// a namespace of their own, [loop] for where those in images can be, and
// [trace] for where processes can be traced; a container may forbid all.
func scriptCondition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "mount":
		_, _, err := run.Output(context.Background(), run.Command{Args: []string{"unshare", "--mount", "mount", "-t", "tmpfs", "none", os.TempDir()}})
		return err == nil, nil
	case "loop":
		out, _, err := run.Output(context.Background(), run.Command{Args: []string{"losetup", "--find"}})
		return err == nil && os.Geteuid() == 0 && len(out) > 0, nil
	case "trace":
		_, _, err := run.Output(context.Background(), run.Command{Args: []string{"strace", "-f", "-o", os.DevNull, "true"}})
		return err == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// scriptCommands are those that scripts have beside testscript's own.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){
	"appendfile": plain(cmdAppendfile),
	"await":      cmdAwait,
	"deb":        plain(cmdDeb),
	"debian":     plain(cmdDebian),
	"hookable":   plain(cmdHookable),
	"machine":    plain(cmdMachine),
	"mkfifo":     plain(cmdMkfifo),
	"mode":       cmdMode,
	"mountdisk":  plain(cmdMountdisk),
	"revdate":    plain(cmdRevdate),
	"snapshot":   plain(cmdSnapshot),
	"status":     plain(cmdStatus),
}

// plain makes a command that cannot be negated.
func plain(f func(*testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		f(ts, args)
	}
}

// cmdMountdisk: mountdisk DIR LABEL mounts an ext4 file system of its own on a
// directory, and names its device in $DISK.
func cmdMountdisk(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: mountdisk DIR LABEL")
	}
	dir, image := ts.MkAbs(args[0]), ts.MkAbs(args[0]+".img")
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(os.WriteFile(image, nil, 0o600))
	ts.Check(os.Truncate(image, 64<<20))
	ts.Check(ts.Exec("mkfs.ext4", "-q", "-L", args[1], image))
	ts.Check(ts.Exec("mount", "-o", "loop", image, dir))
	ts.Defer(func() { ts.Check(ts.Exec("umount", dir)) })
	ts.Check(ts.Exec("findmnt", "--noheadings", "--output", "SOURCE", dir))
	ts.Setenv("DISK", strings.TrimSpace(ts.ReadFile("stdout")))
}

// cmdStatus: status N PROGRAM [ARG...] runs a program that has to exit with N.
func cmdStatus(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit interface{ ExitCode() int }
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", args[1], got, want)
	}
}

// cmdMachine: machine DIR... makes roots with the /etc of a small Debian, and
// /var/lib.
func cmdMachine(ts *testscript.TestScript, args []string) {
	files := map[string]string{
		"passwd":     "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nanna:x:1000:1000:Anna:/home/anna:/bin/bash\n",
		"group":      "root:x:0:\ndaemon:x:1:\nadm:x:4:\nshadow:x:42:\nanna:x:1000:\n",
		"os-release": "ID=debian\nVERSION_ID=\"12\"\n",
	}
	for _, dir := range args {
		etc := filepath.Join(ts.MkAbs(dir), "etc")
		ts.Check(errors.Join(os.MkdirAll(etc, 0o755), os.MkdirAll(filepath.Join(ts.MkAbs(dir), "var/lib"), 0o755)))
		for name, text := range files {
			ts.Check(os.WriteFile(filepath.Join(etc, name), []byte(text), 0o644))
		}
		ts.Check(os.WriteFile(filepath.Join(etc, "hostname"), []byte(filepath.Base(dir)+"\n"), 0o644))
	}
}

// cmdMode: mode PATH OCTAL [UID:GID [KIND]] compares what lstat(2) says.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 4 {
		ts.Fatalf("usage: mode path octal [uid:gid [kind]]")
	}
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	words := strings.Fields(statLine(info))
	got := strings.Join(words[:len(args)-1], " ")
	if want := strings.Join(args[1:], " "); (got == want) == neg {
		ts.Fatalf("%s is %s, want %s (negated: %v)", args[0], got, want, neg)
	}
}

// statLine writes mode, owner, group and kind: "0640 0:42 file".
func statLine(info fs.FileInfo) string {
	st := info.Sys().(*syscall.Stat_t)
	kind := map[uint32]string{
		syscall.S_IFREG: "file", syscall.S_IFDIR: "dir", syscall.S_IFLNK: "symlink", syscall.S_IFIFO: "fifo", syscall.S_IFSOCK: "socket",
	}[st.Mode&syscall.S_IFMT]
	return fmt.Sprintf("%04o %d:%d %s", st.Mode&0o7777, st.Uid, st.Gid, kind)
}

// cmdSnapshot: snapshot DIR FILE writes to FILE what is in DIR, times and contents
// included, to be compared with a later one. rootwc's state directory is left
// out, and the times in .svn, which svn touches to read.
func cmdSnapshot(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: snapshot dir file")
	}
	var list strings.Builder
	root := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if rel == "var/lib/rootwc" {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content := ""
		switch {
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = fmt.Sprintf(" %.8x", sha256.Sum256(text))
		case info.Mode()&fs.ModeSymlink != 0:
			content, _ = os.Readlink(path)
			content = " -> " + content
		}
		when := ""
		if !strings.Contains(path+"/", "/.svn/") && rel != "var/lib" {
			when = " " + info.ModTime().UTC().Format(time.RFC3339Nano)
		}
		fmt.Fprintf(&list, "%s %s%s%s\n", rel, statLine(info), when, content)
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(list.String()), 0o644))
}

// cmdRevdate: revdate REPOSITORY REVISION DATE sets svn:date.
func cmdRevdate(ts *testscript.TestScript, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: revdate repository revision date")
	}
	f, err := os.CreateTemp("", "date")
	ts.Check(err)
	defer os.Remove(f.Name())
	_, err = f.WriteString(args[2]) // without a final newline, or svn cannot read it
	ts.Check(errors.Join(err, f.Close()))
	ts.Check(ts.Exec("svnadmin", "setrevprop", ts.MkAbs(args[0]), "-r", args[1], "svn:date", f.Name()))
}

// cmdMkfifo: mkfifo PATH... makes named pipes.
func cmdMkfifo(ts *testscript.TestScript, args []string) {
	for _, path := range args {
		ts.Check(syscall.Mkfifo(ts.MkAbs(path), 0o644))
	}
}

// cmdAppendfile: appendfile PATH LINE... adds lines to a file, and makes it.
func cmdAppendfile(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: appendfile path line...")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	ts.Check(err)
	for _, line := range args[1:] {
		_, werr := fmt.Fprintln(f, line)
		err = errors.Join(err, werr)
	}
	ts.Check(errors.Join(err, f.Close()))
}

// cmdAwait: await PATH... waits for files that a command in the background makes,
// or until they are gone.
func cmdAwait(ts *testscript.TestScript, neg bool, args []string) {
	const patience, pause = 20 * time.Second, 10 * time.Millisecond
	for _, path := range args {
		for end := time.Now().Add(patience); ; time.Sleep(pause) {
			if _, err := os.Lstat(ts.MkAbs(path)); (err != nil) == neg {
				break
			}
			if time.Now().After(end) {
				ts.Fatalf("%s does not come, or go", path)
			}
		}
	}
}
