package ignore

import "testing"

func TestFamilyOf(t *testing.T) {
	for _, test := range []struct {
		id, like string
		want     Family
	}{
		{"debian", "", Debian},
		{"ubuntu", "debian", Debian},
		{"neon", "ubuntu debian", Debian},
		{"fedora", "", Fedora},
		{"eurolinux", "rhel fedora centos", Fedora},
		{"opensuse-tumbleweed", "opensuse suse", Fedora},
		{"arch", "", Arch},
		{"cachyos", "arch", Arch},
		{"gentoo", "", Unknown},
		{"", "", Unknown},
	} {
		got := FamilyOf(map[string]string{"ID": test.id, "ID_LIKE": test.like})
		if got != test.want {
			t.Errorf("FamilyOf(ID=%q, ID_LIKE=%q) = %v, want %v", test.id, test.like, got, test.want)
		}
	}
}
