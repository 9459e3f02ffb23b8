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

// Words tell the decision in a few words, for people.
func (d *Decision) Words() string {
	words := map[Verdict]string{
		Same:     "the same as the version of " + d.Package,
		Mine:     "as it was here: " + d.Package + " has nothing new",
		Theirs:   "the version of " + d.Package + ": not changed here",
		Merged:   "merged with the version of " + d.Package,
		Conflict: "in conflict with the version of " + d.Package,
		Left:     "left alone",
	}[d.Verdict]
	switch {
	case d.Why == "":
		return words
	case d.Package == "" || d.Leftover != "" && d.Verdict != Conflict && d.Verdict != Left:
		return d.Why
	}
	return words + ": " + d.Why
}
