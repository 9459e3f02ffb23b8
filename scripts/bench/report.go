package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what a run found out. It is also the JSON, in which sizes are bytes
// and times seconds.
type report struct {
	Format  string    `json:"format"`
	Date    time.Time `json:"date"`
	Machine *machine  `json:"machine"`
	LeftOut []string  `json:"leftOut,omitempty"` // peers, and why
	Results []*result `json:"results"`
	Targets []verdict `json:"targets"`
}

// result is one scene in one tree.
type result struct {
	Scene       string `json:"scene"`
	Title       string `json:"title"`
	Files       int    `json:"files"`
	Directories int    `json:"directories"`
	Rounds      int    `json:"rounds"`
	Rows        []row  `json:"rows"`
}

// row is one command in a scene.
type row struct {
	Command string    `json:"command"`
	Args    []string  `json:"args"`
	Median  float64   `json:"medianSeconds"`
	Min     float64   `json:"minSeconds"`
	CPU     float64   `json:"cpuSeconds"` // median
	Ratio   float64   `json:"ratio"`      // rootwc's median, the first row's, to this one; 0 for rootwc's own rows
	Peak    uint64    `json:"peakBytes"`  // the highest of all rounds
	Seconds []float64 `json:"seconds"`    // every round

	used []usage
}

// add works a scene's rows out and takes them in.
func (r *report) add(one *result) {
	for i := range one.Rows {
		one.Rows[i].summarize()
	}
	for i := range one.Rows {
		if row := &one.Rows[i]; !strings.HasPrefix(row.Command, "rootwc") && row.Median > 0 {
			row.Ratio = one.Rows[0].Median / row.Median
		}
	}
	r.Results = append(r.Results, one)
}

func (r *row) summarize() {
	var cpu []float64
	for _, u := range r.used {
		r.Seconds = append(r.Seconds, u.Seconds)
		cpu = append(cpu, u.CPU)
		r.Peak = max(r.Peak, u.PeakBytes)
	}
	r.Median, r.CPU = median(r.Seconds), median(cpu)
	if len(r.Seconds) > 0 {
		r.Min = slices.Min(r.Seconds)
	}
}

// median is 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// find is the row of a command in a scene; nil when it was not measured.
func (r *report) find(scene string, files int, command string) *row {
	for _, one := range r.Results {
		if one.Scene != scene || one.Files != files {
			continue
		}
		if i := slices.IndexFunc(one.Rows, func(r row) bool { return r.Command == command }); i >= 0 {
			return &one.Rows[i]
		}
	}
	return nil
}

func (one *result) heading() string {
	return fmt.Sprintf("%s: %s files in %s directories, rounds: %d", one.Title, grouped(one.Files), grouped(one.Directories), one.Rounds)
}

// text prints the tables and the targets.
func (r *report) text(out io.Writer) {
	fmt.Fprintf(out, "%s, %s\n", r.Date.Format(time.DateOnly), r.Machine)
	for _, why := range r.LeftOut {
		fmt.Fprintf(out, "left out: %s\n", why)
	}
	for _, one := range r.Results {
		fmt.Fprintf(out, "\n%s\n", one.heading())
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "median s\tmin s\tCPU s\trootwc takes\tpeak MiB\t  command")
		for _, row := range one.Rows {
			ratio := ""
			if row.Ratio > 0 {
				ratio = fmt.Sprintf("%.2f", row.Ratio)
			}
			fmt.Fprintf(table, "%.3f\t%.3f\t%.3f\t%s\t%.0f\t  %s\n", row.Median, row.Min, row.CPU, ratio, mebibytes(row.Peak), row.Command)
		}
		table.Flush()
	}
	fmt.Fprintf(out, "\nPeak memory is that of the largest process, and cannot be told below %.0f MiB.\n", mebibytes(r.Machine.PeakFloor))
	r.textTargets(out)
}

func (r *report) textTargets(out io.Writer) {
	if len(r.Targets) == 0 {
		return
	}
	fmt.Fprintln(out, "\ntargets")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range r.Targets {
		word := "met"
		if !v.Met {
			word = "missed"
		}
		fmt.Fprintf(table, "%s\t%.2f\tof at most %s\t%s\n", word, v.Value, strconv.FormatFloat(v.AtMost, 'f', -1, 64), v.What)
	}
	table.Flush()
}

func (r *report) writeJSON(name string) error {
	if name == "" {
		return nil
	}
	r.Format = "1.0.0"
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

// grouped writes 20000 as 20,000.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
