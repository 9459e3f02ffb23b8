package rebuild

import (
	"reflect"
	"testing"

	"rootwc/probes"
)

// TestFitPlaces says in MiB where partitions come to be: the first and the last
// but one of each.
func TestFitPlaces(t *testing.T) {
	const mib = 1 << 20
	type places map[probes.ID][2]uint64
	dos := func(l *probes.Layout) { // 1 to 41, extended 41 to 91 with 42 to 52 and 60 to 80, and 91 to 95
		l.Disk[fitGUID].Table, l.Disk[fitGUID].FirstLBA = "dos", 0
		add := func(id probes.ID, number int, first, end uint64, kind string) {
			l.Partition[id] = &probes.Partition{On: "disk." + fitGUID, Number: number, FirstLBA: first << 11, LastLBA: end<<11 - 1, Type: kind}
		}
		add("a", 1, 1, 41, "83")
		add("b", 2, 41, 91, "f")
		add("e", 5, 42, 52, "83")
		add("f", 6, 60, 80, "83")
		add("c", 3, 91, 95, "83")
	}
	gap := func(l *probes.Layout) { l.Partition["a"].LastLBA = 31<<11 - 1 } // ten MiB are left behind it
	tests := []struct {
		what   string
		change func(*probes.Layout)
		size   uint64 // MiB
		sizes  Sizes
		want   places
	}{
		{"kept", func(*probes.Layout) {}, 100, nil, places{"a": {1, 41}, "b": {41, 61}}},
		{"the last one grows", func(*probes.Layout) {}, 100, Sizes{"partition.b": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 99}}},
		{"the first one grows", func(*probes.Layout) {}, 100, Sizes{"partition.a": {Policy: Grow}}, places{"a": {1, 79}, "b": {79, 99}}},
		{"both share", func(*probes.Layout) {}, 122, Sizes{"partition.a": {Policy: Share}, "partition.b": {Policy: Share}}, places{"a": {1, 81}, "b": {81, 121}}},
		{"nothing is left", func(*probes.Layout) {}, 62, Sizes{"partition.a": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 61}}},
		{"a gap is taken", gap, 62, Sizes{"partition.a": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 61}}},
		{"a gap is given up", gap, 52, Sizes{"partition.a": {Policy: Grow}}, places{"a": {1, 31}, "b": {31, 51}}},
		{"one shrinks", func(*probes.Layout) {}, 52, Sizes{"partition.a": {Grow, 25 * mib}}, places{"a": {1, 31}, "b": {31, 51}}},
		{"both shrink", func(*probes.Layout) {}, 32, Sizes{"partition.a": {Share, mib}, "partition.b": {Share, mib}}, places{"a": {1, 21}, "b": {21, 31}}},
		{"one has come to its least", func(*probes.Layout) {}, 32, Sizes{"partition.a": {Share, 25 * mib}, "partition.b": {Share, mib}}, places{"a": {1, 26}, "b": {26, 31}}},
		{"before the extended one", dos, 105, Sizes{"partition.a": {Policy: Grow}}, places{"a": {1, 51}, "b": {51, 101}, "e": {52, 62}, "f": {70, 90}, "c": {101, 105}}},
		{"a logical one", dos, 105, Sizes{"partition.e": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 101}, "e": {42, 69}, "f": {70, 90}, "c": {101, 105}}},
		{"the last logical one", dos, 105, Sizes{"partition.f": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 101}, "e": {42, 52}, "f": {60, 101}, "c": {101, 105}}},
		{"behind the extended one", dos, 105, Sizes{"partition.c": {Policy: Grow}}, places{"a": {1, 41}, "b": {41, 91}, "e": {42, 52}, "f": {60, 80}, "c": {91, 105}}},
		{"a logical one shrinks", dos, 90, Sizes{"partition.e": {Grow, mib}}, places{"a": {1, 41}, "b": {41, 86}, "e": {42, 54}, "f": {55, 75}, "c": {86, 90}}},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			old := fitLayout(test.change)
			l, _, words, err := Fit(old, nil, map[probes.ID]uint64{fitGUID: test.size * mib}, test.sizes)
			if err != nil {
				t.Fatal(err)
			}
			got, end := places{}, uint64(0)
			for id, p := range l.Partition {
				got[id] = [2]uint64{p.FirstLBA >> 11, (p.LastLBA + 1) >> 11}
				if (p.FirstLBA|p.LastLBA+1)%2048 != 0 {
					t.Errorf("%s: from %d to %d", id, p.FirstLBA, p.LastLBA)
				}
				end = max(end, p.LastLBA+1)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
			if l.Disk[fitGUID].Table == "gpt" {
				end += 33
			}
			if need := l.Disk[fitGUID].Need; len(words) > 0 && need != end*512 {
				t.Errorf("needs %d, not %d", need, end*512)
			}
			if same := reflect.DeepEqual(l.Partition, old.Partition); same != (len(words) == 0) {
				t.Errorf("%q", words)
			}
		})
	}
}

// TestFitHidden has a FAT file system know where its partition has gone.
func TestFitHidden(t *testing.T) {
	l := fitLayout(func(l *probes.Layout) {
		l.FileSystem["0DA4-5EB7"] = &probes.FileSystem{On: []probes.Ref{"partition.b"}, Type: "vfat", FAT: &probes.FAT{Hidden: 41 << 11}}
	})
	l, _, _, err := Fit(l, nil, map[probes.ID]uint64{fitGUID: 100 << 20}, Sizes{"partition.a": {Policy: Grow}})
	if err != nil || l.FileSystem["0DA4-5EB7"].FAT.Hidden != l.Partition["b"].FirstLBA || l.Partition["b"].FirstLBA != 79<<11 {
		t.Error(err, l)
	}
}

func TestDivide(t *testing.T) {
	for _, test := range []struct {
		total   int64
		weights []uint64
		least   []int64
		parts   []int64
		missing int64
	}{
		{10, []uint64{1, 1}, []int64{0, 0}, []int64{5, 5}, 0},
		{10, []uint64{1, 2}, []int64{0, 0}, []int64{3, 7}, 0},
		{10, []uint64{1, 9}, []int64{4, 0}, []int64{4, 6}, 0},
		{-10, []uint64{1, 1}, []int64{-10, -10}, []int64{-5, -5}, 0},
		{-10, []uint64{2, 1, 1}, []int64{-3, -10, -10}, []int64{-3, -4, -3}, 0},
		{-10, []uint64{1, 1}, []int64{-3, -4}, []int64{-3, -4}, 3},
		{-10, nil, nil, []int64{}, 10},
		{0, []uint64{0, 0}, []int64{-5, -5}, []int64{0, 0}, 0},
		{1 << 50, []uint64{1 << 62, 1 << 62}, []int64{0, 0}, []int64{1 << 49, 1 << 49}, 0},
	} {
		parts, missing := divide(test.total, test.weights, test.least)
		if !reflect.DeepEqual(parts, test.parts) || missing != test.missing {
			t.Errorf("%+v: %v, %d", test, parts, missing)
		}
	}
}
