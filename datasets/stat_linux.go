package datasets

import "syscall"

// unixStat is what os.FileInfo.Sys holds.
type unixStat = syscall.Stat_t
