// Package fault names the moments at which the tests kill rootwc. Only a
// build with the tag "faultpoints" can be killed there; otherwise [At] is empty.
package fault

// Points are the named moments, in the order in which an update passes them.
var Points = []string{
	"locked",          // the lock is held, nothing is written
	"staged",          // a stage exists, svn has not run
	"fetched",         // svn has changed the stage
	"committed",       // the repository has the revision, nothing here knows
	"prepared",        // every staged file has its metadata, the journal does not say so
	"journaled",       // the journal has the plan, nothing live is touched
	"place",           // before each change of a live path
	"placed",          // every live path is changed, the record is not
	"published",       // the record is in place, the journal still stands
	"part",            // one working copy is finished, others may follow
	"cleaned",         // the stage is removed, the journal still stands
	"grafted",         // a first checkout's .svn is in place
	"conflict-stored", // a conflict is kept, the merge is not taken back yet
	"promoted",        // the common branch has a promotion, this one does not record it
	"queueing",        // a commit that is to wait is written, and does not count
	"queued",          // it counts, and its stages are still there
	"delivered",       // it is a revision that is recorded here, and still in the queue
}

// DatasetPoints are those of a dataset's flush and update.
var DatasetPoints = []string{
	"dataset-listed", // what is to be sent or fetched is known, nothing is
	"dataset-sent",   // it is sent and not proven
	"dataset-proven", // it is proven, nothing is removed
	"dataset-remove", // before each file that is removed here
	"dataset-held",   // a file is put aside to be removed
}
