package probes

import (
	"reflect"
	"strings"
	"testing"
)

// TestPages: each page has its text, and none takes another's.
func TestPages(t *testing.T) {
	i := &Inventory{Format: Format, Disk: map[ID]*Hardware{
		"5eed0001":                             {Serial: `S "1"`, Bus: "nvme", Size: 1 << 40},
		"5eed0000-0000-4000-8000-000000000000": {Model: "disk", WWN: "naa.5"},
	}}
	var text strings.Builder
	if err := i.Write(&text); err != nil {
		t.Fatal(err)
	}
	const want = `format = "1.0.0"

[disk.5eed0000-0000-4000-8000-000000000000]
wwn = "naa.5"
model = "disk"

[disk.5eed0001]
serial = "S \"1\""
bus = "nvme"
size = 1099511627776
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &text, want)
	}
	again, err := ParseInventory([]byte(want))
	if err != nil || !reflect.DeepEqual(again, i) {
		t.Errorf("%v, %+v", err, again)
	}
	for _, c := range []struct{ text, want string }{
		{want, `line 3: unknown key "disk.5eed0000-0000-4000-8000-000000000000"`},
		{"format = \"1.0.0\"\nfirmware = 1\n", "line 2: "},
		{"format = \"2.0.0\"\n", "format 2.0.0 is not one that this rootwc reads, 1.0.0 is"},
		{"firmware = \"uefi\"\n", `format "" is no version`},
	} {
		if b, err := ParseBoot([]byte(c.text)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v, want %s", c.text, b, err, c.want)
		}
	}
}
