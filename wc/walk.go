package wc

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"rootwc/ignore"
	"rootwc/wc/index"
	"rootwc/wc/metadata"
)

// job is one versioned directory that is to be compared with the disk.
type job struct {
	copy  *Copy
	index *copyIndex
	root  int // descriptor of the working copy's directory
	rel   string
	node  *node
	rules ignore.Rules
	def   metadata.Defaults
	self  index.Entry // the directory itself, already judged
}

// dirScan is one job at work, and what came of it.
type dirScan struct {
	*scan
	job
	path string // relative to the machine's root
	fd   int    // the directory

	out      []*Entry
	below    []job
	warnings []string
	unknown  []unknownNames
	seen     []string // withheld files that are there
	met      []string // conflicts of paths that are there

	// for the index
	old     index.View
	hasOld  bool
	dev     uint64
	entries []index.Entry
	others  []index.Other
	stirred bool // something that the entries do not tell is not as it should be
	linked  bool // an entry has other names, too
}

// unknownNames are names that a path needs and the machine does not know.
type unknownNames struct {
	path  string
	names []string
}

// walk compares all working copies with the disk, each directory by itself,
// in one pool of workers: first those that an index knows, with the index;
// then with the record what has changed there, and what no index knows.
func (s *scan) walk() ([]*dirScan, error) {
	var copies []*copyIndex
	var tops, proofs []job
	var told []*dirScan
	s.testify()
	for _, c := range s.tree.Copies {
		if !s.leads(c.Path) {
			continue
		}
		fd, err := unix.Open(c.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: c.dir, Err: err}
		}
		defer unix.Close(fd)
		x := s.openIndex(c, fd)
		if !x.valid {
			if err := c.whole(); err != nil {
				return nil, err
			}
		}
		top := job{copy: c, index: x, root: fd}
		if c.asked != nil && !s.opt.Review {
			return nil, Refuse("working copy %q: %w: rootwc can tell its status, and no more", c.dir, c.asked.why)
		}
		if c.asked != nil {
			told = append(told, c.asked.tell(s, top))
			continue
		}
		copies = append(copies, x)
		if x.valid {
			proofs = append(proofs, top)
		} else {
			top.node, top.def = c.record().root, defaultsOf(c.user)
			tops = append(tops, top)
		}
	}
	done, err := s.prove(proofs)
	if err != nil {
		return nil, err
	}
	for _, j := range proofs {
		tops = append(tops, j.changed()...)
	}
	p := &pool{scan: s, jobs: tops}
	p.ready = sync.NewCond(&p.mu)
	var workers sync.WaitGroup
	for range workerCount() {
		workers.Go(p.work)
	}
	workers.Wait()
	if p.err != nil {
		return nil, p.err
	}
	for _, x := range copies {
		x.write(s)
	}
	return slices.Concat(told, done, p.done), nil
}

// workerCount is how many work at once: most of the time they wait for the
// kernel.
func workerCount() int { return 2 * runtime.GOMAXPROCS(0) }

// prove goes over the directories of valid indexes and finds those that are
// not as they were.
func (s *scan) prove(copies []job) ([]*dirScan, error) {
	const batch = 16
	var mu sync.Mutex
	var done []*dirScan
	for _, j := range copies {
		x := j.index
		x.whole = make([]bool, x.old.Len())
		forced := maps.Clone(x.doubted)
		for path := range s.conflicts {
			if c, rel := s.tree.CopyOf(path); c == j.copy { // conflicts tell more than the record
				forced[parentOf(rel)] = true
			}
		}
		look := x.toProve(forced)
		var next atomic.Int64
		var ahead sync.Once
		work := func() {
			var dirty []string
			var says []*dirScan
			d := &dirScan{scan: s, job: j}
			for s.ctx.Err() == nil {
				from := int(next.Add(batch)) - batch
				if from >= len(look) {
					break
				}
				for _, i := range look[from:min(from+batch, len(look))] {
					v := x.old.At(i)
					d.rel, d.old, d.hasOld = v.Path(), v, true
					d.path = j.copy.path(d.rel)
					if !s.leads(d.path) {
						x.whole[i] = true // nobody asks
						continue
					}
					whole, self := d.unchanged()
					if x.whole[i] = whole && !forced[d.rel]; !x.whole[i] {
						if s.opt.commit {
							ahead.Do(j.copy.copyAhead)
						}
						d.out, d.seen, d.met = nil, nil, nil
						dirty = append(dirty, d.rel)
						if !self && d.rel != "" {
							dirty = append(dirty, parentOf(d.rel))
						}
					} else if d.says() {
						d.path = strings.Clone(d.path)
						says = append(says, d)
						d = &dirScan{scan: s, job: j}
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			done = append(done, says...)
			for _, rel := range dirty {
				x.dirty[rel] = true
			}
		}
		var workers sync.WaitGroup
		for range workerCount() {
			workers.Go(work)
		}
		workers.Wait()
	}
	kept := done[:0]
	for _, d := range done { // made dirty by a directory in it, after it was looked at
		if !d.index.dirty[d.rel] {
			kept = append(kept, d)
		}
	}
	return kept, s.ctx.Err()
}

// changed makes jobs of the directories that are not as the index has them, but
// for those that come up below another one.
func (j job) changed() (jobs []job) {
	x, c := j.index, j.copy
	if len(x.dirty) == 0 {
		return nil
	}
	rec := c.record()
	x.save = x.save && c.key != nil && *c.key == x.keys.Database // somebody may have used svn just now
	if len(x.dirty) > x.old.Len()/10 {
		if err := rec.readAll(); err != nil {
			c.tree.fail(err)
			return nil
		}
	}
	rec.together(func() {
		for rel := range x.dirty {
			if i, ok := x.old.Number(rel); ok {
				x.whole[i] = false
			}
			if rel != "" && x.dirty[parentOf(rel)] {
				continue
			}
			if n := rec.dir(rel); n != nil {
				rec.children(rel)
				jobs = append(jobs, j.anew(rel, n))
			}
		}
	})
	return jobs
}

// anew is the job of a directory that is no child of another job's.
func (j job) anew(rel string, n *node) job {
	c := j.copy
	j.rel, j.node = strings.Clone(rel), n
	j.def = c.record().defaults(rel, c.tree.Names, defaultsOf(c.user))
	if rel != "" {
		j.rules = c.rulesAt(parentOf(rel))
		if v, ok := j.index.old.Find(rel); ok {
			j.self = v.Self().Entry()
			j.self.Flags &^= index.Whole | index.Linked
		}
	}
	return j
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
		d.old, d.hasOld = j.index.old.Find(j.rel)
		var block index.Block
		there, err := d.run()
		if there && err == nil && j.index.save {
			block = d.block()
		}
		d.entries, d.others = nil, nil
		p.mu.Lock()
		if block != nil {
			j.index.fresh[d.rel] = block
		}
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
func (d *dirScan) run() (there bool, err error) {
	if err := d.ctx.Err(); err != nil {
		return false, err
	}
	fd, err := openBeneath(d.root, d.rel)
	if err != nil {
		d.warn("cannot read %s: %v", d.path, err)
		return false, nil
	}
	dir := os.NewFile(uintptr(fd), d.path)
	defer dir.Close()
	d.fd = fd
	if d.rel == "" {
		d.own()
	}
	d.stable()
	found, err := dir.ReadDir(-1)
	if err != nil {
		return false, &os.PathError{Op: "read directory", Path: d.path, Err: cause(err)}
	}
	slices.SortFunc(found, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	d.inherit()
	children := d.copy.record().children(d.rel)
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
	return true, nil
}

// stable notes the device, and whether the directory is still the one that was
// judged: what comes into it from now on moves its times.
func (d *dirScan) stable() {
	var st unix.Stat_t
	if unix.Fstat(d.fd, &st) != nil || statOf(&st) != d.self.Stat {
		d.stirred = true
	}
	d.dev = uint64(st.Dev)
}

// inherit takes the directory's own properties into the rules and defaults for
// its children.
func (d *dirScan) inherit() {
	d.rules = d.node.rules(d.path, d.rules)
	v := d.node.props()[metadata.PropDefaults]
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
