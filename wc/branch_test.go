package wc

import "testing"

func TestBranchBeside(t *testing.T) {
	for _, c := range []struct{ own, word, want string }{
		{"home/branches/laptop", "trunk", "home/trunk"},
		{"home/branches/laptop", "branches/desk", "home/branches/desk"},
		{"home/branches/laptop/docs", "trunk", "home/trunk/docs"},
		{"home/trunk", "branches/laptop", "home/branches/laptop"},
		{"trunk", "branches/laptop", "branches/laptop"},
		{"branches/laptop", "trunk", "trunk"},
		{"branches/laptop", "trunk/", ""},
		{"branches/old/branches/laptop", "trunk", "branches/old/trunk"},
		{"home/branches/trunk", "trunk", "home/trunk"},
		{"hosts/laptop", "trunk", "hosts/trunk"},
		{"hosts/laptop/etc", "hosts/desk", "hosts/desk/etc"},
		{"hosts/trunk", "hosts/laptop", "hosts/laptop"},
		{"hosts/laptop", "branches/desk", ""},
		{"home/branches/laptop", "hosts/desk", ""},
		{"home/branches/laptop", "desk", ""},
		{"home/branches/laptop", "branches/", ""},
		{"home/branches", "trunk", ""},
		{"anna", "trunk", ""},
		{"", "trunk", ""},
	} {
		got, err := branchBeside(c.own, c.word)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("branchBeside(%q, %q) = %q, %v; want %q", c.own, c.word, got, err, c.want)
		}
	}
}
