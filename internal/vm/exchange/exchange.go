// Package exchange is what a test on the host and the guest of its virtual
// machine tell each other: a job goes in and an answer comes back, each as a
// tar on a disk of its own. No network, shared folder or agent is needed, and
// the guest's kernel needs no more than the driver of the disk.
package exchange

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Serial numbers of the two disks. The guest finds them in sysfs and leaves
// all others to the command.
const (
	SerialIn  = "ROOTWC-IN"
	SerialOut = "ROOTWC-OUT"
)

// Directories of the guest: the command starts in In, where the files of the
// job are, and leaves in Out what is to come back.
const (
	In  = "/in"
	Out = "/out"
)

// Prove on the kernel's command line makes a guest say [Proved] and switch
// off, to show that the accelerator can run one at all.
const (
	Prove  = "rootwc.prove"
	Proved = "guest: proved"
)

// Job is what the guest is to do.
type Job struct {
	Args    []string `json:"args"` // program and arguments, looked up in the guest's PATH
	Env     []string `json:"env"`
	Modules []string `json:"modules"` // drivers of the disks and the network: without udevd nothing loads them
	Serials []string `json:"serials"` // disks that must be there before the command starts
	Network bool     `json:"network"` // bring the interface up, with the address that qemu's user network expects
	Udev    bool     `json:"udev"`    // run systemd-udevd
}

// Answer is how it went.
type Answer struct {
	Status int     `json:"status"` // exit status of the command; -1 when it could not be started or was killed
	Error  string  `json:"error"`  // why it could not be started, or what the guest could not prepare
	Up     float64 `json:"up"`     // seconds from the kernel's start until the command's
	Done   float64 `json:"done"`   // seconds from the kernel's start until the command's end
}

// The first member of each tar is the job or answer; all files are below one directory.
const (
	head  = "head.json"
	files = "files"
)

// Writer packs a job or an answer, and its files.
type Writer struct{ tar *tar.Writer }

// NewWriter begins a tar with v, a [Job] or an [Answer].
func NewWriter(w io.Writer, v any) (*Writer, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(w)
	if err := t.WriteHeader(&tar.Header{Name: head, Mode: 0o600, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	_, err = t.Write(data)
	return &Writer{t}, err
}

// Add packs one regular file under a name with slashes. It takes as many
// bytes as the file had when it was opened, so that one that grows, a log,
// does no harm.
func (w *Writer) Add(name string, f fs.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Name = path.Join(files, name)
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.CopyN(w.tar, f, h.Size)
	return err
}

// AddTree packs the regular files and directories of a tree. What is neither
// is left out.
func (w *Writer) AddTree(tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case d.IsDir():
			return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: path.Join(files, name) + "/", Mode: 0o755})
		case !d.Type().IsRegular():
			return nil
		}
		f, err := tree.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return w.Add(name, f)
	})
}

// Close ends the tar.
func (w *Writer) Close() error { return w.tar.Close() }

// Read reads the tar that a [Writer] made: v from its head, then its files one
// by one, with names relative to where they were added. The reader may have
// more bytes behind the tar: a disk does.
func Read(r io.Reader, v any, each func(h *tar.Header, content io.Reader) error) error {
	t := tar.NewReader(r)
	h, err := t.Next()
	if err != nil {
		return err
	}
	if h.Name != head {
		return fmt.Errorf("first member is %q, want %q", h.Name, head)
	}
	var data bytes.Buffer
	if _, err := data.ReadFrom(t); err != nil {
		return err
	}
	if err := json.Unmarshal(data.Bytes(), v); err != nil {
		return err
	}
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = strings.Trim(strings.TrimPrefix(h.Name, files), "/")
		if err := each(h, t); err != nil {
			return err
		}
	}
}

// Unpack returns a function for [Read] that writes the files below dir.
func Unpack(dir string) func(*tar.Header, io.Reader) error {
	return func(h *tar.Header, content io.Reader) error {
		to := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			return os.MkdirAll(to, 0o755)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, h.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, content); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	}
}
