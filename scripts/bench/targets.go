package main

import "fmt"

// target is a limit that the project has set itself.
type target struct {
	scene  string
	files  int    // of the tree; 0 for every one
	row    string // rootwc's
	peer   string // its median is the measure; "" for memory, in MiB
	atMost float64
}

var targets = []target{
	{sceneClean, 2000, rootwcStatus, svnStatus, 0.4},
	{sceneClean, 20000, rootwcStatus, svnStatus, 0.3},
	{sceneClean, 20000, rootwcStatus, gitStatus, 0.75},
	{sceneClean, 20000, rootwcStatus, bareWalk, 1.3},
	{sceneClean, 200000, rootwcStatus, svnStatus, 0.3},
	{sceneClean, 200000, rootwcStatus, gitStatus, 0.75},
	{sceneClean, 200000, rootwcStatus, bareWalk, 1.3},
	{sceneClean, 200000, rootwcStatus, "", 150},
	{sceneWatched, 200000, rootwcWatched, rootwcStatus, 0.1},
	{sceneWatched, 0, rootwcIdle, "", 60},
	{sceneTouched, 0, rootwcStatus, svnStatus, 0.5},
	{sceneTouched, 0, rootwcStatus + ", again", rootwcStatus, 1.2}, // the normal time, and noise
	{sceneTouched, 200000, rootwcStatus, "", 150},
	{sceneExternals, 0, rootwcStatus, svnStatus, 0.3},
	{sceneGather, 0, rootwcMaterialize, svnCheckout, 0.65},
	{sceneGatherFar, 0, rootwcMaterialize, svnCheckout, 0.4},
	{sceneUpdateFar, 0, rootwcUpdate, svnUpdate, 0.033},
	{sceneCommit, 20000, rootwcCommit, svnCommit, 0.5},
	{sceneCommit, 200000, rootwcCommit, svnCommit, 0.3},
	{sceneCommit, 200000, rootwcCommit, "", 150},
}

// verdict is what became of a target.
type verdict struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"` // a ratio of medians, or MiB
	AtMost float64 `json:"atMost"`
	Met    bool    `json:"met"`
}

// judge compares what was measured with the targets.
func (r *report) judge() {
	for _, t := range targets {
		for _, one := range r.Results {
			if one.Scene != t.scene || t.files != 0 && one.Files != t.files {
				continue
			}
			if v, ok := r.verdict(&t, one); ok {
				r.Targets = append(r.Targets, v)
			}
		}
	}
}

// verdict is not to be had when a row was not measured.
func (r *report) verdict(t *target, one *result) (v verdict, ok bool) {
	own, measure := r.find(one.Scene, one.Files, t.row), t.peer
	if own == nil {
		return v, false
	}
	v = verdict{What: fmt.Sprintf("%s, %s files: %s", one.Title, grouped(one.Files), t.row), AtMost: t.atMost}
	if measure == "" {
		v.What += ", peak MiB"
		v.Value = mebibytes(own.Peak)
	} else {
		scene := one.Scene
		if measure == rootwcStatus && one.Scene != sceneWatched {
			scene = sceneClean
			measure += " of the clean tree"
		}
		peer := r.find(scene, one.Files, t.peer)
		if peer == nil || peer.Median == 0 {
			return v, false
		}
		v.What += " to " + measure
		v.Value = own.Median / peer.Median
	}
	v.Met = v.Value <= v.AtMost
	return v, true
}
