package odd

import (
	"os"
	"strings"
	"testing"
	"time"

	"rootwc/internal/vm"
)

// show looks at what the scripts left, in the words of each layer's own tool.
const show = `
	lsblk --output NAME,TYPE,SIZE,MOUNTPOINTS
	sfdisk --dump /dev/vda
	mdadm --detail /dev/md/data
	cryptsetup luksDump /dev/vda9
	lvs --all --noheadings --separator : --options vg_name,lv_name,segtype,lv_tags
	blkid --probe --match-tag TYPE --match-tag LABEL /dev/vda[249] /dev/vdd[234] /dev/md/data /dev/main/[hrt]* /dev/thin-est/second
`

// TestOddMachine makes the machine; another guest starts it again.
func TestOddMachine(t *testing.T) {
	if os.Getenv("ROOTWC_VM") == "" {
		t.Skip("starts virtual machines; ROOTWC_VM=1 asks for it (make vmtest)")
	}
	image, err := vm.Build(t.Context(), vm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	disks, err := Disks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	layers := []string{
		"table-length: 64", `name="Gr\xc3\xb6\xc3\x9fe \xe2\x98\x82"`, `attrs="LegacyBIOSBootable GUID:48,59"`,
		"Spare Devices : 1", "elsewhere:data",
		"allow-discards no-read-workqueue no-write-workqueue", "Priority:   preferred", "5: luks2 (unbound)", "2: luks2-keyring", "6: rootwc-note",
		"main-twice_rimage_1", "thin--est-third", "main:root:linear:os", "main:before:linear:", "thin-est:yesterday:thin:",
		`LABEL="it's old"`, `TYPE="f2fs"`, `TYPE="exfat"`,
	}
	for _, stage := range []struct {
		name    string
		command []string
		want    []string
	}{
		{"make", Make, layers},
		{"use", Use, append(layers, "[SWAP]", "/mnt/use/_dev_md_data", "/mnt/use/_dev_main_root")},
	} {
		r, err := image.Run(t.Context(), vm.Machine{
			Command: []string{"sh", "-euc", strings.Join(stage.command, " ") + show},
			Files:   files, Disks: disks, Timeout: 15 * time.Minute,
		})
		if err != nil || r.Status != 0 {
			t.Fatalf("%s: status %d, %v\n%s", stage.name, r.Status, err, r.Console)
		}
		t.Logf("%s: %.1f s, the command %.1f s of them\n%s", stage.name, r.Took.Seconds(), r.Command.Seconds(), r.Console)
		for _, w := range stage.want {
			if !strings.Contains(r.Console, w) {
				t.Errorf("%s: no %q", stage.name, w)
			}
		}
	}
}
