// Bench measures rootwc against its peers, side by side in one run: svn, git,
// fsvs, etckeeper and a bare walk, on trees that it makes below one scratch
// directory and removes at the end. It prints a table of medians and what
// became of the project's own targets. A missed target is no failure.
//
//	make bench BENCHFLAGS='-quick'
//
// Two modes are for its own use, each a process of its own: "bench -walk DIR"
// is the bare walk, "bench -child REPORT PROGRAM ARG..." times one program and
// writes its peak memory down (see child.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	syscall.Umask(0o022) // the trees have the modes that need no property
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "-child":
			os.Exit(childMain(os.Args[2], os.Args[3:]))
		case "-walk":
			os.Exit(walkMain(os.Args[2]))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(bench(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// bench is the program as a function: 0 done, whatever the targets, and 2
// failed.
func bench(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		var r *report
		r, err = measureAll(ctx, o, stderr)
		if r != nil && len(r.Results) > 0 { // of a run that was cut short as well
			r.judge()
			r.text(stdout)
			err = errors.Join(err, r.writeJSON(o.json))
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: error: %v\n", err)
		return 2
	}
	return 0
}

// options are what the command line says.
type options struct {
	rootwc    string // the program that is measured
	etckeeper string // where its package is unpacked; "" for none
	dir       string // the scratch directory is made in it
	json      string // the report goes there; "" for nowhere
	files     []int  // sizes of trees
	settle    time.Duration
	rounds    int      // of every scene; 0 for a number that fits the size
	scenes    []string // names in [scenes]
	peers     []string // names in [tools]
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&o.rootwc, "rootwc", "bin/rootwc", "the `program` to measure")
	set.StringVar(&o.etckeeper, "etckeeper", "", "`directory` where etckeeper's package is unpacked")
	set.StringVar(&o.dir, "dir", os.TempDir(), "make the trees below this `directory`")
	set.StringVar(&o.json, "json", "", "write the report to this `file` as well")
	set.IntVar(&o.rounds, "rounds", 0, "`number` of rounds; without it, fewer for larger trees")
	// git's file times are full seconds
	set.DurationVar(&o.settle, "settle", 2100*time.Millisecond, "wait so long after a change, until everybody trusts file `times`")
	files := set.String("files", "2000,20000,200000", "`sizes` of the trees")
	scenes := set.String("scenes", strings.Join(sceneNames(), ","), "`list` of what to measure")
	peers := set.String("peers", strings.Join(toolNames(), ","), "`list` of what to measure rootwc against")
	quick := set.Bool("quick", false, "2,000 files and few rounds")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if *quick {
		*files = "2000"
		if o.rounds == 0 {
			o.rounds = quickRounds
		}
	}
	for word := range strings.SplitSeq(*files, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("cannot read -files: %q is no number of files", word)
		}
		o.files = append(o.files, n)
	}
	var err error
	if o.scenes, err = among(*scenes, sceneNames()); err != nil {
		return nil, fmt.Errorf("cannot read -scenes: %w", err)
	}
	if o.peers, err = among(*peers, toolNames()); err != nil {
		return nil, fmt.Errorf("cannot read -peers: %w", err)
	}
	return o, o.absolute()
}

// among splits a list whose words have to be among the known ones.
func among(list string, known []string) ([]string, error) {
	var out []string
	for word := range strings.SplitSeq(list, ",") {
		if !slices.Contains(known, word) {
			return nil, fmt.Errorf("%q is none of %s", word, strings.Join(known, ", "))
		}
		out = append(out, word)
	}
	return out, nil
}

// absolute makes the paths absolute: programs run in other directories.
func (o *options) absolute() error {
	for _, path := range []*string{&o.rootwc, &o.etckeeper, &o.dir, &o.json} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}
