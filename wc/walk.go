package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"rootwc/ignore"
	"rootwc/wc/metadata"
)

// job is one versioned directory that is to be compared with the disk.
type job struct {
	copy  *Copy
	root  int // descriptor of the working copy's directory
	rel   string
	node  *node
	rules ignore.Rules
	def   metadata.Defaults
}

// dirScan is one job at work, and what came of it.
type dirScan struct {
	*scan
	job
	path string   // relative to the machine's root
	dir  *os.File // open

	out      []*Entry
	below    []job
	warnings []string
	unknown  []unknownNames
	seen     []string // withheld files that are there
	met      []string // conflicts of paths that are there
}

// unknownNames are names that a path needs and the machine does not know.
type unknownNames struct {
	path  string
	names []string
}

// walk compares all working copies with the disk, each directory by itself,
// in one pool of workers.
func (s *scan) walk() ([]*dirScan, error) {
	var jobs []job
	for _, c := range s.tree.Copies {
		if !s.leads(c.Path) {
			continue
		}
		fd, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: c.dir, Err: err}
		}
		defer unix.Close(fd)
		jobs = append(jobs, job{copy: c, root: fd, node: c.rec.root, rules: c.rec.inheritedRules(), def: defaultsOf(c.user)})
	}
	p := &pool{scan: s, jobs: jobs}
	p.ready = sync.NewCond(&p.mu)
	var workers sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) { // most of the time they wait for the kernel
		workers.Go(p.work)
	}
	workers.Wait()
	return p.done, p.err
}

// pool hands jobs to workers, the newest first, so that few wait.
type pool struct {
	scan *scan

	mu    sync.Mutex
	ready *sync.Cond
	jobs  []job
	busy  int
	done  []*dirScan
	err   error
}

func (p *pool) work() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.jobs) == 0 && p.busy > 0 && p.err == nil {
			p.ready.Wait()
		}
		if len(p.jobs) == 0 || p.err != nil {
			p.ready.Broadcast()
			return
		}
		j := p.jobs[len(p.jobs)-1]
		p.jobs = p.jobs[:len(p.jobs)-1]
		p.busy++
		p.mu.Unlock()
		d := &dirScan{scan: p.scan, job: j, path: j.copy.path(j.rel)}
		err := d.run()
		p.mu.Lock()
		p.busy--
		p.jobs = append(p.jobs, d.below...)
		if d.says() {
			p.done = append(p.done, d)
		}
		p.err = errors.Join(p.err, err)
		if len(d.below) > 0 || p.busy == 0 {
			p.ready.Broadcast()
		}
		d.below = nil
	}
}

// run compares the directory's children with what is recorded of them.
func (d *dirScan) run() error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	fd, err := openBeneath(d.root, d.rel)
	if err != nil {
		d.warn("cannot read %s: %v", d.path, err)
		return nil
	}
	d.dir = os.NewFile(uintptr(fd), d.path)
	defer d.dir.Close()
	if d.rel == "" {
		d.own()
	}
	found, err := d.dir.ReadDir(-1)
	if err != nil {
		return &os.PathError{Op: "read directory", Path: d.path, Err: cause(err)}
	}
	slices.SortFunc(found, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	d.inherit()
	children := d.copy.rec.dirs[d.rel]
	for len(children) > 0 || len(found) > 0 {
		var child *node
		var disk fs.DirEntry
		order := 0
		switch {
		case len(children) == 0:
			order = 1
		case len(found) == 0:
			order = -1
		default:
			order = strings.Compare(children[0].name, found[0].Name())
		}
		if order <= 0 {
			child, children = children[0], children[1:]
		}
		if order >= 0 {
			disk, found = found[0], found[1:]
		}
		d.child(child, disk)
	}
	return nil
}

// inherit takes the directory's own properties into the rules and defaults for
// its children.
func (d *dirScan) inherit() {
	props := d.node.props()
	d.rules = d.rules.Child(d.path, props["svn:ignore"], props["svn:global-ignores"])
	v := props[metadata.PropDefaults]
	if v == "" {
		return
	}
	def, unknown, err := metadata.ParseDefaults(v, d.def, d.tree.Names)
	if err != nil {
		d.warn("%s: property %s: %v", d.path, metadata.PropDefaults, err)
	}
	d.def = def
	d.lacks(d.path, unknown)
}

func (d *dirScan) warn(format string, args ...any) {
	d.warnings = append(d.warnings, fmt.Sprintf(format, args...))
}

// lacks notes names that the machine does not know.
func (d *dirScan) lacks(path string, names []string) {
	if len(names) > 0 {
		d.unknown = append(d.unknown, unknownNames{path, names})
	}
}

// says is whether anything came of it.
func (d *dirScan) says() bool {
	return len(d.out)+len(d.warnings)+len(d.unknown)+len(d.seen)+len(d.met) > 0
}

func (d *dirScan) emit(e *Entry) { d.out = append(d.out, e) }

// openBeneath opens a directory below another, for reading, through no symlink
// and no mount point.
func openBeneath(root int, rel string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV}
	fd, err := unix.Openat2(root, orDot(rel), &how)
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) { // before Linux 5.6; a sandbox
		return fd, err
	}
	if fd, err = unix.Openat(root, ".", flags, 0); err != nil || rel == "" {
		return fd, err
	}
	for name := range strings.SplitSeq(rel, "/") {
		next, err := unix.Openat(fd, name, flags, 0)
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return fd, nil
}
