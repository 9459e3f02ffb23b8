package datasets

import "rootwc/system"

// Action is what a person asks for.
type Action string

// The actions.
const (
	Checkout Action = "checkout" // set it up
	Update   Action = "update"   // from the repository to the machine
	Commit   Action = "commit"   // from the machine to the repository
	Flush    Action = "flush"    // send it away from the machine
	Backup   Action = "backup"
	Restore  Action = "restore"
)

// Actions lists the actions.
var Actions = []Action{Checkout, Update, Commit, Flush, Backup, Restore}

// deed is what a driver does.
type deed int

const (
	nothing deed = iota
	setUp        // only the directory
	link         // only see that the repository is there
	pull         // make this side follow the other one
	pick         // the chosen part of that
	regain       // the same, and take back what changed here
	repick       // the same, of the chosen part
	push         // make the other side follow this one
	flush        // send, prove, remove
	drain        // remove everything
)

// Meant is what an action means for a dataset.
type Meant struct {
	Words  string // for people
	deed   deed
	beside bool // with the repository NAME-extension, where the dataset names NAME
}

// row has a meaning for each of Actions.
type row [6]Meant

var (
	onlyDirectory = Meant{Words: "only the directory", deed: setUp}
	theRepository = Meant{Words: "the directory is the repository", deed: nothing}
	seeThere      = Meant{Words: "see that the repository is mounted there", deed: link}
	mirrorIn      = Meant{Words: "bring what the repository holds", deed: pull}
	takeBack      = Meant{Words: "bring what the repository holds, in the place of what changed here", deed: regain}
	mirrorOut     = Meant{Words: "send what changed here", deed: push}
	fetchChosen   = Meant{Words: "bring the chosen part, drop what is no longer chosen", deed: pick}
	takeChosen    = Meant{Words: "bring the chosen part, in the place of what changed here", deed: repick}
	sendAway      = Meant{Words: "send, prove, then remove here", deed: flush}
	noFlush       = Meant{Words: "only a buffer is flushed, and a cache emptied", deed: nothing}
	noCache       = Meant{Words: "a cache is wanted in no repository", deed: nothing}
	whole         = row{mirrorIn, mirrorIn, mirrorOut, noFlush, mirrorOut, takeBack}
)

// table is the model of ddm, for vfs repositories.
var table = map[system.DatasetType]row{
	system.Blob: whole,
	system.Copy: whole,
	system.Buffer: {
		onlyDirectory, {Words: "nothing comes into a buffer", deed: nothing}, sendAway, sendAway, sendAway, {Words: "what a buffer sent away is in the repository", deed: nothing},
	},
	system.Cache: {
		onlyDirectory, noCache, noCache, {Words: "remove everything", deed: drain}, noCache, noCache,
	},
	system.Direct: {
		seeThere, seeThere, theRepository, noFlush, theRepository, theRepository,
	},
	system.Extension: {
		onlyDirectory, {Words: "an extension is only here", deed: nothing}, {Words: "an extension is only here; did you mean backup", deed: nothing}, noFlush,
		{Words: "send to the repository of that name with -extension", deed: push, beside: true}, {Words: "bring from the repository of that name with -extension", deed: regain, beside: true},
	},
	system.Selection: {
		fetchChosen, fetchChosen, {Words: "a selection is only brought here", deed: nothing}, noFlush, {Words: "a selection is only brought here", deed: nothing}, takeChosen,
	},
}

// Meaning tells what an action means for a dataset.
func Meaning(d system.Dataset, action Action) Meant {
	at := 0
	for i, a := range Actions {
		if a == action {
			at = i
		}
	}
	m := table[d.Type][at]
	driver, _ := d.Source()
	switch {
	case driver == system.VFS || driver == "":
		return m
	case d.Type == system.Direct:
		return Meant{Words: "only a directory can be used directly", deed: nothing}
	case d.Type == system.Selection && (action == Commit || action == Backup):
		return mirrorOut
	case d.Type == system.Extension && action == Update && driver == system.SVN:
		return Meant{Words: "bring from the repository of that name with -extension", deed: pull, beside: true}
	}
	return m
}

// Means says whether there is anything to do.
func (m Meant) Means() bool { return m.deed != nothing }
