package rebuild

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rootwc/internal/run"
	"rootwc/probes"
)

// RAID makes an array of all its devices. It is at [RAIDDevice] when it is
// open, and may be used while the kernel makes its members consistent.
func RAID(id probes.ID, r *probes.RAID, devices map[probes.Ref]string) (Layer, error) {
	if err := checkRAID(id, r, devices); err != nil {
		return Layer{}, fmt.Errorf("array %s: %w", id, err)
	}
	name := RAIDDevice(id, r)
	var members []string
	for _, ref := range r.On {
		members = append(members, devices[ref])
	}
	all := slices.Clone(members)
	if r.Journal != "" {
		all = append(all, devices[r.Journal])
	}
	create := append([]string{"mdadm", "--create", name, "--config=none", "--run", "--force"}, raidOptions(id, r)...)
	if r.Journal != "" {
		create = append(create, "--write-journal="+devices[r.Journal])
	}
	for i, m := range members {
		if r.DataOffsets != nil {
			m += ":" + sectors(r.DataOffsets[i])
		}
		create = append(create, m)
	}
	l := Layer{Make: append(clearDevices(all...), Action{Args: create, Env: toolEnv()})}
	l.mark(name, "writemostly", r.WriteMostly, devices)
	l.mark(name, "failfast", r.FailFast, devices)
	assemble := append([]string{"mdadm", "--assemble", name, "--config=none", "--run", "--uuid=" + string(id)}, all...)
	l.Open = []Action{
		{Args: assemble, Env: toolEnv(), Fails: []int{1, 2}}, // it is running, see the next
		checkStands(name, all...),
	}
	l.Close = []Action{
		{Words: "wait for udevd", Do: settle},
		{Args: []string{"mdadm", "--stop", name}, Env: toolEnv()},
	}
	if r.Name == "" && r.Metadata != "0.90" {
		l.note("array %s gets a name, %s: it had none", id, filepath.Base(name))
	}
	return l, nil
}

// isArrayName is a name that mdadm takes for a device, and does not take for a
// number: "md0", "0".
var isArrayName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,30}$`)
var isArrayNumber = regexp.MustCompile(`^(md|d|md_d)[0-9]*$`)

// RAIDDevice is the node of an array: by its name, or by its UUID where the
// name is odd.
func RAIDDevice(id probes.ID, r *probes.RAID) string {
	if isArrayName.MatchString(r.Name) && !isArrayNumber.MatchString(r.Name) {
		return "/dev/md/" + r.Name
	}
	return "/dev/md/array-" + strings.ReplaceAll(string(id), ":", "")[:min(16, len(id))]
}

// raidOptions are those of mdadm --create that the array as a whole has.
func raidOptions(id probes.ID, r *probes.RAID) []string {
	args := []string{"--uuid=" + string(id), "--metadata=" + r.Metadata, "--level=" + r.Level,
		"--raid-devices=" + strconv.Itoa(r.Devices)}
	add := func(option, value string) {
		if value != "" {
			args = append(args, option+"="+value)
		}
	}
	number := func(option string, n uint64, unit string) {
		if n > 0 {
			add(option, strconv.FormatUint(n, 10)+unit)
		}
	}
	number("--spare-devices", uint64(r.Spares), "")
	if r.Metadata != "0.90" { // which has no names
		homehost := r.Homehost
		if homehost == "" {
			homehost = "<none>"
		}
		args = append(args, "--homehost="+homehost)
		if r.Name != "" { // which may be "0"
			args = append(args, "--name="+r.Name)
		}
	}
	add("--layout", r.Layout)
	number("--chunk", r.Chunk>>10, "K")
	number("--size", r.Size>>10, "K")
	if r.DataOffsets != nil {
		args = append(args, "--data-offset=variable")
	} else {
		number("--data-offset", r.DataOffset/512, "s")
	}
	switch r.Consistency {
	case "bitmap":
		args = append(args, "--bitmap=internal")
		number("--bitmap-chunk", r.BitmapChunk>>10, "K")
		number("--delay", r.BitmapDelay, "")
		number("--write-behind", r.WriteBehind, "")
	case "ppl":
		args = append(args, "--consistency-policy=ppl")
	case "resync":
		args = append(args, "--bitmap=none")
	}
	return args
}

// sectors is an offset in mdadm's unit for any; it has been checked.
func sectors(bytes string) string {
	n, _ := strconv.ParseUint(bytes, 10, 64)
	return strconv.FormatUint(n/512, 10) + "s"
}

// mark sets a flag of some members. mdadm --create has options for it, which go
// for all devices behind them: not for the first alone.
func (l *Layer) mark(array, flag string, members []probes.Ref, devices map[probes.Ref]string) {
	for _, ref := range members {
		device := devices[ref]
		l.Make = append(l.Make, Action{
			Words: fmt.Sprintf("set the flag %s of %s in %s", flag, run.Quote([]string{device}), array),
			Do: func() error {
				file := filepath.Join(sysfs(array), "md", "dev-"+filepath.Base(sysfs(device)), "state")
				return os.WriteFile(file, []byte(flag), 0)
			},
		})
	}
}

// Forms and words of what goes into arguments.
var (
	isArrayID   = regexp.MustCompile(`^[0-9a-f]{8}(:[0-9a-f]{8}){3}$`)
	isLayout    = regexp.MustCompile(`^[nfo][1-9][0-9]{0,2}$`)
	isHomehost  = regexp.MustCompile(`^[A-Za-z0-9(][A-Za-z0-9_.()-]*$`) // "(none)" is that of an initramfs
	raidLevels  = []string{"linear", "raid0", "raid1", "raid4", "raid5", "raid6", "raid10"}
	raidLayouts = map[string][]string{
		"raid0": {"original", "alternate"},
		"raid5": {"left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric", "parity-first", "parity-last",
			"ddf-zero-restart", "ddf-N-restart", "ddf-N-continue"},
		"raid6": {"left-asymmetric", "right-asymmetric", "left-symmetric", "right-symmetric", "parity-first", "parity-last",
			"ddf-zero-restart", "ddf-N-restart", "ddf-N-continue",
			"left-asymmetric-6", "right-asymmetric-6", "left-symmetric-6", "right-symmetric-6", "parity-first-6"},
	}
)

func checkRAID(id probes.ID, r *probes.RAID, devices map[probes.Ref]string) error {
	switch {
	case r.Unsupported != "":
		return errors.New(r.Unsupported)
	case !isArrayID.MatchString(string(id)):
		return errors.New("that is no UUID of an array")
	case !slices.Contains([]string{"0.90", "1.0", "1.1", "1.2"}, r.Metadata):
		return fmt.Errorf("metadata %q", r.Metadata)
	case !slices.Contains(raidLevels, r.Level):
		return fmt.Errorf("level %q", r.Level)
	case r.Layout != "" && !slices.Contains(raidLayouts[r.Level], r.Layout) && !(r.Level == "raid10" && isLayout.MatchString(r.Layout)):
		return fmt.Errorf("layout %q of %s", r.Layout, r.Level)
	case !slices.Contains([]string{"", "resync", "bitmap", "ppl", "journal"}, r.Consistency):
		return fmt.Errorf("consistency policy %q", r.Consistency)
	case (r.Consistency == "journal") != (r.Journal != ""):
		return fmt.Errorf("consistency policy %q, journal %q", r.Consistency, r.Journal)
	case r.Devices < 1 || r.Spares < 0 || r.Devices > 1920 || r.Spares > 1920 || len(r.On) != r.Devices+r.Spares:
		return fmt.Errorf("%d devices and %d spares, it stands on %d", r.Devices, r.Spares, len(r.On))
	case r.BitmapDelay > 3600 || r.WriteBehind > 16383:
		return fmt.Errorf("bitmap delay %d, write-behind %d", r.BitmapDelay, r.WriteBehind)
	case r.DataOffset%512 != 0 || r.DataOffset > 1<<50:
		return fmt.Errorf("data at %d", r.DataOffset)
	}
	for what, size := range map[string]uint64{"size": r.Size, "chunk": r.Chunk, "bitmap chunk": r.BitmapChunk} {
		if size%1024 != 0 || size > 1<<60 {
			return fmt.Errorf("%s of %d bytes", what, size)
		}
	}
	if err := checkArrayName(r); err != nil {
		return err
	}
	return checkMembers(r, devices)
}

// checkArrayName checks what is put together in 32 bytes of the superblock.
// Some words mean something to mdadm.
func checkArrayName(r *probes.RAID) error {
	whole := r.Name
	if r.Homehost != "" {
		whole = r.Homehost + ":" + r.Name + "\x00"
	}
	switch {
	case r.Metadata == "0.90" && r.Name+r.Homehost != "":
		return fmt.Errorf("name %q: this metadata has none", r.Name)
	case r.Homehost != "" && !isHomehost.MatchString(r.Homehost), strings.EqualFold(r.Homehost, "any"):
		return fmt.Errorf("home host %q", r.Homehost)
	case len(whole) > 32, strings.ContainsAny(r.Name, "\x00/:\n"):
		return fmt.Errorf("name %q of %q", r.Name, r.Homehost)
	}
	return nil
}

// checkMembers checks that each device is there, once.
func checkMembers(r *probes.RAID, devices map[probes.Ref]string) error {
	refs := slices.Clone(r.On)
	if r.Journal != "" {
		refs = append(refs, r.Journal)
	}
	seen := map[string]bool{}
	for _, ref := range refs {
		if err := checkDevice(devices[ref]); err != nil {
			return fmt.Errorf("%s: %w", ref, err)
		}
		if seen[devices[ref]] {
			return fmt.Errorf("%s is on %s, as another is", ref, devices[ref])
		}
		seen[devices[ref]] = true
	}
	for _, ref := range slices.Concat(r.WriteMostly, r.FailFast) {
		if !slices.Contains(r.On, ref) {
			return fmt.Errorf("%s is none of its devices", ref)
		}
	}
	if r.DataOffsets == nil {
		return nil
	}
	if len(r.DataOffsets) != len(r.On) {
		return fmt.Errorf("%d data offsets of %d devices", len(r.DataOffsets), len(r.On))
	}
	for _, text := range r.DataOffsets {
		if n, err := strconv.ParseUint(text, 10, 50); err != nil || n%512 != 0 {
			return fmt.Errorf("data offset %q", text)
		}
	}
	return nil
}
