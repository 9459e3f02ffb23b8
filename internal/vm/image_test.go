package vm

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"rootwc/internal/run"
)

func TestCPIO(t *testing.T) {
	files := tree{}
	files.file("/bin/odd", 0o755, []byte("12345"))
	files.link("/sbin", "bin")
	var got bytes.Buffer
	if err := files.write(&got); err != nil {
		t.Fatal(err)
	}
	header := func(inode, mode, links, size, name string) string {
		zero := "00000000"
		return "070701" + inode + mode + zero + zero + links + zero + size + zero + zero + zero + zero + name + zero
	}
	want := header("00000001", "000041ed", "00000002", "00000000", "00000004") + "bin\x00\x00\x00" +
		header("00000002", "000081ed", "00000001", "00000005", "00000008") + "bin/odd\x00\x00\x00" + "12345\x00\x00\x00" +
		header("00000003", "0000a1ff", "00000001", "00000003", "00000005") + "sbin\x00\x00" + "bin\x00" +
		header("00000000", "00000000", "00000001", "00000000", "0000000b") + "TRAILER!!!\x00\x00\x00\x00"
	if got.String() != want {
		t.Errorf("got  %q\nwant %q", got.String(), want)
	}
}

// TestTreeOfAProgram compares what the headers of a program name with what the
// dynamic loader does with it.
func TestTreeOfAProgram(t *testing.T) {
	for _, name := range []string{"sh", "svn"} {
		path, ok := run.Look(name)
		if !ok {
			continue
		}
		files := tree{}
		if err := files.host(path); err != nil {
			t.Fatal(err)
		}
		out, _, err := run.Output(t.Context(), run.Command{Args: []string{"ldd", path}})
		if err != nil {
			t.Skipf("ldd: %v", err)
		}
		for _, word := range strings.Fields(string(out)) {
			if !strings.HasPrefix(word, "/") {
				continue
			}
			other := tree{}
			if err := other.host(word); err != nil {
				t.Fatal(err)
			}
			for p := range other {
				if _, ok := files[p]; !ok {
					t.Errorf("%s: %s is not in the tree", name, p)
				}
			}
		}
	}
}

func TestNeedsOfAScript(t *testing.T) {
	for content, want := range map[string][]string{
		"#!/bin/sh -f\ntrue\n":    {"/bin/sh"},
		"#! /usr/bin/env python3": {"/usr/bin/env"},
		"#!\n":                    nil,
		"text\n":                  nil,
	} {
		got, err := needs("script", []byte(content))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", content, got, err, want)
		}
	}
	if _, err := needs("broken", []byte("\x7fELF")); err == nil {
		t.Error("a broken ELF file is no error")
	}
}

func TestParseModulesDep(t *testing.T) {
	got, err := parseModulesDep([]byte("kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko\nkernel/lib/libcrc32c.ko:\n"))
	if err != nil || len(got) != 2 || !slices.Equal(got["kernel/fs/xfs/xfs.ko"], []string{"kernel/lib/libcrc32c.ko"}) {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseModulesDep([]byte("no such list\n")); err == nil {
		t.Error("a line without a colon is no error")
	}
	if got := moduleName("kernel/drivers/md/dm-mod.ko.xz"); got != "dm_mod" {
		t.Error(got)
	}
}
