package conffiles

// Decision is what was decided about a conffile, for the plan and the log.
type Decision struct {
	Path     string  `json:"path"`               // relative to the machine's root
	Leftover string  `json:"leftover,omitempty"` // the file that was beside it
	Package  string  `json:"package,omitempty"`  // "" when no package ships it
	Verdict  Verdict `json:"verdict"`
	Why      string  `json:"why,omitempty"` // more than the verdict says
}

func (d *Decision) take(o Outcome) { d.Verdict, d.Why = o.Verdict, o.Why }

// Words tell the decision in a few words, for people and for the log: nothing of
// a file's content is in them, as a validator may have quoted it in Why.
func (d *Decision) Words() string {
	if d.Why != "" && d.Verdict != Conflict {
		return d.Why
	}
	switch d.Verdict {
	case Same:
		return "the same as the version of " + d.Package
	case Mine:
		return "has all that the version of " + d.Package + " brings"
	case Theirs:
		return "the version of " + d.Package + ": not changed here"
	case Merged:
		return "merged with the version of " + d.Package
	case Conflict:
		return "in conflict with the version of " + d.Package
	}
	return "left alone"
}
