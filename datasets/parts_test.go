package datasets

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"rootwc/system"
)

func list(spec string) listing {
	l := listing{}
	for f := range strings.FieldsSeq(spec) {
		var s stamp
		name, rest, _ := strings.Cut(f, "=")
		s.Kind = 'f'
		fmt.Sscanf(rest, "%d@%d", &s.Size, &s.Time)
		l[name] = s
	}
	return l
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name, from, to, last string
		want                 changes
	}{
		{"equal", "a=1@1", "a=1@1", "", changes{}},
		{"new there", "a=1@1", "", "", changes{add: []string{"a"}}},
		{"gone here", "a=1@1", "", "a=1@1", changes{add: []string{"a"}}},
		{"changed there", "a=2@2", "a=1@1", "a=1@1", changes{replace: []string{"a"}}},
		{"changed here", "a=1@1", "a=2@2", "a=1@1", changes{own: []string{"a"}}},
		{"changed on both sides", "a=2@2", "a=3@3", "a=1@1", changes{conflict: []string{"a"}}},
		{"unknown and different", "a=2@2", "a=1@1", "", changes{conflict: []string{"a"}}},
		{"gone there", "", "a=1@1", "a=1@1", changes{remove: []string{"a"}}},
		{"gone there, changed here", "", "a=2@2", "a=1@1", changes{own: []string{"a"}}},
		{"only here", "", "a=1@1", "", changes{own: []string{"a"}}},
		{"only a time", "a=1@2", "a=1@1", "a=1@1", changes{replace: []string{"a"}}},
	} {
		if got := compare(list(test.from), list(test.to), list(test.last)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestChoose(t *testing.T) {
	there := list("albums/x/1.flac=10@1 albums/y/2.flac=20@2 pod/3.mp3=30@3 pod/4.mp3=40@4 pod/5.part=5@5")
	for _, test := range []struct {
		name string
		d    system.Dataset
		want string
	}{
		{"everything", system.Dataset{}, "albums/x/1.flac albums/y/2.flac pod/3.mp3 pod/4.mp3 pod/5.part"},
		{"below", system.Dataset{Include: []string{"albums/**"}}, "albums/x/1.flac albums/y/2.flac"},
		{"a directory", system.Dataset{Include: []string{"albums/y"}}, "albums/y/2.flac"},
		{"a name at any depth", system.Dataset{Include: []string{"*.mp3"}}, "pod/3.mp3 pod/4.mp3"},
		{"alternatives", system.Dataset{Include: []string{"pod/{3,5}.*"}}, "pod/3.mp3 pod/5.part"},
		{"newest", system.Dataset{Include: []string{"pod/*"}, Newest: 2}, "pod/4.mp3 pod/5.part"},
		{"budget", system.Dataset{Budget: "60"}, "albums/x/1.flac pod/4.mp3 pod/5.part"},
		{"both", system.Dataset{Newest: 3, Budget: "50"}, "pod/4.mp3 pod/5.part"},
		{"none", system.Dataset{Include: []string{"nothing"}}, ""},
	} {
		if got := strings.Join((&job{Dataset: test.d}).choose(there).paths(), " "); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestMounts(t *testing.T) {
	mounts := parseMountinfo(`22 1 0:20 / / rw - ext4 /dev/vda1 rw
30 22 0:40 / /net rw shared:5 - autofs systemd-1 rw
31 30 0:41 / /net/my\040server rw shared:6 master:1 - nfs server:/x rw
`)
	table := parseFstab("# comment\nUUID=1 / ext4 defaults 0 1\nserver:/y /mnt/y/ nfs noauto\n/dev/x none swap sw\n")
	for dir, want := range map[string]string{
		"/net/my server/audio": "server:/x at /net/my server", "/net/my serverx": "/dev/vda1 at /", "/net/other": "/dev/vda1 at /",
	} {
		if got := innermost(mounts, dir).String(); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
	if got := innermost(table, "/mnt/y/z").String(); got != "server:/y at /mnt/y" {
		t.Errorf("fstab: %s", got)
	}
}

func TestParseItem(t *testing.T) {
	for line, want := range map[string]string{
		">f+++++++++\t12\t2026/11/23-19:56:20\td/b c\n":           "f+++++++++ d/b c 12",
		".f         \t1\t2026/11/23-19:56:20\ta\\#012b\\#134#x\n": "f          a\nb\\#x 1",
		"cd+++++++++\t40\t2026/11/23-19:56:20\td/e/\n":            "d+++++++++ d/e 40",
	} {
		it, ok := parseItem(line)
		if got := fmt.Sprintf("%c%s %s %d", it.kind, it.flags, it.name, it.size); !ok || got != want {
			t.Errorf("%q: %q, %v", line, got, ok)
		}
	}
	for _, line := range []string{"created directory x\n", "*deleting  x", ">f+++++++++\tx\t2026/11/23-19:56:20\ta\n", ""} {
		if _, ok := parseItem(line); ok {
			t.Errorf("%q is an item", line)
		}
	}
}

func TestProgress(t *testing.T) {
	var got []string
	w := &progressWriter{show: func(percent int, speed string) { got = append(got, fmt.Sprintf("%d %s", percent, speed)) }}
	for _, part := range []string{"\r        1,234  12%    1.20", "MB/s    0:00:01 (xfr#1, to-chk=3/5)\r", "  9.99M 100%  2.00MB/s  0:00:00\n", "other\n"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if want := "12 1.20MB/s|100 2.00MB/s"; strings.Join(got, "|") != want {
		t.Errorf("got %v", got)
	}
}

func TestNamed(t *testing.T) {
	for dir, want := range map[string]system.DatasetType{
		"home/anna/audio-selection": system.Selection, "photos-buffer": system.Buffer, "home/audio": system.Copy, "x-selection/music": system.Copy,
	} {
		if got := Named(dir); got != want {
			t.Errorf("%s is a %s, want %s", dir, got, want)
		}
	}
}
