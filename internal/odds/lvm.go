package odds

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Groups are names that LVM takes.
var Groups = []string{"g", "group-with-dashes", "a.b+c_d", "0" + strings.Repeat("x", 100)}

// PV is a command of LVM that makes a physical volume; the device is to follow.
func PV(r *rand.Rand) []string {
	args := []string{"pvcreate", "--pvmetadatacopies", Pick(r, "1", "2"), "--metadatasize", fmt.Sprint(r.IntN(3000), "k")}
	if r.IntN(3) == 0 {
		args = append(args, "--dataalignment", Pick(r, "2m", "64k", "3m"))
	}
	if r.IntN(3) == 0 {
		args = append(args, "--bootloaderareasize", Pick(r, "1m", "64k"))
	}
	return args
}

// VG is one that makes a volume group; the devices are to follow.
func VG(r *rand.Rand, group string) []string {
	return []string{"vgcreate", "--physicalextentsize", Pick(r, "4m", "1m", "128k"), "--alloc", Pick(r, "normal", "cling", "anywhere", "contiguous"), group}
}

// LV is one that makes a logical volume which need not be active.
func LV(r *rand.Rand, group string, n int) []string {
	args := []string{"lvcreate", "--activate", "n", "--zero", "n", "--wipesignatures", "n", "--alloc", Pick(r, "inherit", "anywhere", "normal"),
		"--name", fmt.Sprint(Pick(r, "lv", "x-y", "home.old", "_a"), n), "--size", fmt.Sprint(1+r.IntN(40), "m")}
	if r.IntN(3) == 0 {
		args = append(args, "--stripes", "2", "--stripesize", Pick(r, "4k", "64k"))
	}
	if r.IntN(3) == 0 {
		args = append(args, "--addtag", "os", "--addtag", "backup")
	}
	return append(args, "--permission", Pick(r, "rw", "r"), group)
}
