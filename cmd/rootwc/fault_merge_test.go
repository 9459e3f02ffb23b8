package main

import (
	"strings"
	"testing"
)

func init() {
	faultScenarios = append(faultScenarios,
		faultScenario{
			name: "merge",
			args: []string{"merge"},
			exit: 4, // one is in conflict
			world: func(t *testing.T, w *faultWorld) {
				faultPackage(t, w)
				w.sh(t, faultUpgrade+`for f in merge clash old.conf; do cp ship/$f root/etc/$f.dpkg-dist; done`)
			},
			want: map[string]string{
				"etc/merge":              `file 0644 0:0 "one\nTWO\nthree\nfour\nfive\nSIX\nseven\n"`,
				"etc/clash":              `file 0644 0:0 "left\nmine\nright\n"`,
				"etc/old.conf":           `file 0644 0:0 "newer\n"`,
				"etc/merge.dpkg-dist":    ``,
				"etc/clash.dpkg-dist":    ``,
				"etc/old.conf.dpkg-dist": ``,
			},
			check: faultAsked,
		},
		faultScenario{
			name:  "materialize-release",
			comes: true,
			args:  []string{"materialize"},
			exit:  4, // one is in conflict
			world: func(t *testing.T, w *faultWorld) {
				faultPackage(t, w)
				w.sh(t, faultUpgrade+`
mv root lost
mkdir -p root/etc/dir.d root/home/anna root/srv root/var/lib/dpkg
chown $A:$A root/home/anna
cp -p lost/etc/passwd lost/etc/group root/etc
cp ship/* root/etc
mv lost/var/lib/dpkg/status root/var/lib/dpkg
rm -rf lost
`)
			},
			want: map[string]string{
				"etc/merge":    `file 0644 0:0 "one\nTWO\nthree\nfour\nfive\nSIX\nseven\n"`,
				"etc/clash":    `file 0644 0:0 "left\ntheirs\nright\n"`,
				"etc/old.conf": `file 0644 0:0 "newer\n"`,
				"etc/hostname": `file 0644 0:0 "host1\n"`,
			},
			check: faultAsked,
		},
	)
}

// faultPackage makes a machine that a package has three files on, two of which
// a person has changed.
func faultPackage(t *testing.T, w *faultWorld) {
	t.Helper()
	w.sh(t, "mkdir -p ship root/var/lib/dpkg\nprintf 'one\\ntwo\\nthree\\nfour\\nfive\\nsix\\nseven\\n' >ship/merge\nprintf 'left\\nmiddle\\nright\\n' >ship/clash\necho old >ship/old.conf\n"+faultDpkg)
	faultMachine(t, w, "clear")
	w.sh(t, "sed -i s/two/TWO/ root/etc/merge\nsed -i s/middle/mine/ root/etc/clash\n")
	w.do(t, "commit", "-m", "changed here")
}

// faultDpkg is what dpkg records of the package.
const faultDpkg = `{
	printf 'Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nConffiles:\n'
	for f in merge clash old.conf; do echo " /etc/$f $(md5sum <ship/$f | cut -d' ' -f1)"; done
	echo
} >root/var/lib/dpkg/status
`

// faultUpgrade is a newer version of the package, nothing of it in place yet.
const faultUpgrade = `
sed -i s/six/SIX/ ship/merge
sed -i s/middle/theirs/ ship/clash
echo newer >ship/old.conf
` + faultDpkg

// faultAsked checks that the conflict waits with all its sides.
func faultAsked(t *testing.T, w *faultWorld) {
	t.Helper()
	if got := w.sh(t, "cd root/var/lib/rootwc/conflicts; cat */base */mine */theirs"); strings.ReplaceAll(got, "\n", " ") != "left middle right left mine right left theirs right " {
		t.Errorf("the sides of the conflict are %q", got)
	}
}
