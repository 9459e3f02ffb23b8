// Package rebuild sets up the storage of a machine again as a [probes.Layout]
// says.
//
// A plan is a list of steps as data. What is printed is what runs. Nothing is
// written before every check has passed, and what is written is only ever on
// the disks that the plan names.
package rebuild

import "rootwc/probes"

// Step makes one node of a layout.
type Step struct {
	Node     probes.Ref
	Title    string // what it does, with the device: "file system ext4 \"root fs\" on /dev/mapper/vg0-root"
	Destroys string // what is lost by it, "" for nothing
	Why      string // why it stands where it does
	Layer
}

// Layer is how a node is made, and made usable for what stands on it. The
// actions of Make and Open run in this order; when a rebuild is continued, what
// was made is only opened.
type Layer struct {
	Make  []Action
	Open  []Action // "cryptsetup open": harmless to do once more
	Close []Action // undoes Open
	After []Action // done when all files are in place: what forbids writing
	Notes []string // sentences on what will not be as it was
}

// Action is one thing that a step does: a program that is started, a file in
// the private directory that a program wants, or a write of rootwc's own.
// Exactly one of Args, File and Do is set.
type Action struct {
	Args  []string // program and arguments
	Env   []string // added to the environment: "MKE2FS_CONFIG=…"
	Stdin string   // text on standard input; nothing secret
	Keys  []Key    // passphrases: the first on standard input, others on descriptors 3, 4, …
	Fails []int    // exit statuses besides 0 that are no failure

	File    string // path of a file to write, mode 0600
	Content string

	Do    func() error
	Words string // what Do does, for the plan: "write boot code to /dev/sda: 440 bytes at 0"
}

// Key names a passphrase, which is never part of a plan.
type Key struct {
	LUKS probes.ID
	Slot probes.ID
}
