package probes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestLVM(t *testing.T) { testLVM(t, filepath.Join("testdata", "lvm")) }

// testLVM reads the extracts in a directory and compares with what lvm said.
func testLVM(t *testing.T, dir string) {
	texts, err := filepath.Glob(filepath.Join(dir, "*.vgcfg"))
	if err != nil || len(texts) < 3 {
		t.Fatalf("%q, %v", texts, err)
	}
	for _, path := range texts {
		base := strings.TrimSuffix(path, ".vgcfg")
		t.Run(filepath.Base(base), func(t *testing.T) {
			g, pvs := readGroup(t, base)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			said, err := os.ReadFile(base + ".json")
			if err != nil {
				t.Fatal(err)
			}
			compareVGText(t, g, string(text))
			compareReport(t, g, pvs, said)
		})
	}
}

// readGroup reads the extracts of a group.
func readGroup(t *testing.T, base string) (*lvmGroup, []*lvmPV) {
	t.Helper()
	var pvs []*lvmPV
	for i := 0; ; i++ {
		e, err := loadExtract(fmt.Sprintf("%s-%d.img.gz", base, i))
		if os.IsNotExist(err) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		pv, err := readPV(e, e.size)
		if err != nil {
			t.Fatal(err)
		}
		pvs = append(pvs, pv)
	}
	g, err := assembleVG(pvs)
	if err != nil {
		t.Fatal(err)
	}
	return g, pvs
}

// The lines of vgcfgbackup that are stripped, as a shell would do it.
var stripped = regexp.MustCompile(`(?m)[ \t]*#[^"\n]*$|^(description|creation_host|creation_time) = .*\n|^\t\t\tdevice(_id|_id_type)? = .*\n`)

// compareVGText compares with the text of vgcfgbackup, and with itself read
// again.
func compareVGText(t *testing.T, g *lvmGroup, text string) {
	t.Helper()
	want := stripped.ReplaceAllString(text, "")
	want = regexp.MustCompile(`seqno = \d+`).ReplaceAllString(want, "seqno = 1")
	want = strings.ReplaceAll(want, `, "NOTSYNCED"`, "")
	want = regexp.MustCompile(`\n\n+`).ReplaceAllString(strings.TrimSpace(want)+"\n", "\n")
	if got := g.Text.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, text := range []string{text, g.Text.String()} {
		again, err := ParseVGText(text)
		if err != nil || again.String() != g.Text.String() {
			t.Errorf("read again, %v:\n%s", err, again)
		}
	}
}

// lvmReport is what lvm fullreport --units b says of a group.
type lvmReport struct {
	Report []struct {
		VG  []map[string]string
		PV  []map[string]string
		LV  []map[string]string
		Seg []map[string]string
	}
}

func reportBytes(s string) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSuffix(s, "B"), 10, 64)
	return n
}

// compareReport compares the nodes with what fullreport says.
func compareReport(t *testing.T, g *lvmGroup, pvs []*lvmPV, said []byte) {
	t.Helper()
	var report lvmReport
	if err := json.Unmarshal(said, &report); err != nil || len(report.Report) != 1 {
		t.Fatalf("%v: %s", err, said)
	}
	r := report.Report[0]
	vg := r.VG[0]
	if vg["vg_name"] != string(g.ID) || vg["vg_uuid"] != g.VG.UUID || reportBytes(vg["vg_extent_size"]) != g.VG.Extent ||
		vg["vg_allocation_policy"] != or(g.VG.Allocation, "normal") || !sameWords(vg["vg_tags"], g.VG.Tags) {
		t.Errorf("group %+v\nlvm says %v", g.VG, vg)
	}
	for _, p := range r.PV {
		i := slices.IndexFunc(pvs, func(pv *lvmPV) bool { return string(pv.ID) == p["pv_uuid"] })
		if i < 0 {
			t.Errorf("no volume %s", p["pv_uuid"])
			continue
		}
		pv := pvs[i].PV
		if pv.MetadataCopies > 0 && pv.VG != Ref("vg."+g.ID) || fmt.Sprint(pv.MetadataCopies) != p["pv_mda_count"] || pv.MetadataSize != reportBytes(p["pv_mda_size"]) ||
			pv.DataStart != reportBytes(p["pe_start"]) || pv.BootloaderStart != reportBytes(p["pv_ba_start"]) || pv.BootloaderSize != reportBytes(p["pv_ba_size"]) ||
			pvs[i].Size != reportBytes(p["dev_size"]) {
			t.Errorf("volume %+v of %d\nlvm says %v", pv, pvs[i].Size, p)
		}
	}
	types := map[string]string{}
	for _, s := range r.Seg {
		if types[s["lv_uuid"]] == "" {
			types[s["lv_uuid"]] = s["segtype"]
		}
	}
	seen := 0
	for _, l := range r.LV {
		if strings.HasPrefix(l["lv_name"], "[") {
			continue
		}
		seen++
		lv := g.LVs[ID(l["lv_full_name"])]
		if lv == nil {
			t.Errorf("no logical volume %s", l["lv_full_name"])
			continue
		}
		kind := types[l["lv_uuid"]]
		if strings.Contains(l["lv_role"], "snapshot") && kind != "thin" {
			kind = "snapshot"
		}
		pool, origin := strings.Trim(l["pool_lv"], "[]"), strings.Trim(l["origin"], "[]")
		if lv.UUID != l["lv_uuid"] || lv.Type != kind || lv.Size != reportBytes(l["lv_size"]) || lv.Pool != pool || lv.Origin != origin ||
			or(lv.Allocation, "inherit") != l["lv_allocation_policy"] || !sameWords(l["lv_tags"], lv.Tags) {
			t.Errorf("%s %+v\nlvm says %v of type %s", l["lv_full_name"], lv, l, kind)
		}
	}
	if seen != len(g.LVs) {
		t.Errorf("%d logical volumes, lvm says %d", len(g.LVs), seen)
	}
}

// sameWords compares a list with one that a report sorts.
func sameWords(said string, ours []string) bool {
	ours = slices.Clone(ours)
	slices.Sort(ours)
	return said == strings.Join(ours, ",")
}

// TestRecordedOnly is what a rebuild leaves out, and why.
func TestRecordedOnly(t *testing.T) {
	want := map[ID]string{
		"pools/before":  "a snapshot's content is what its origin once was",
		"pools/written": "its cache may hold what the volume does not",
		"raids/sound":   "raid with integrity",
	}
	for _, group := range []string{"pools", "raids"} {
		g, _ := readGroup(t, filepath.Join("testdata", "lvm", group))
		for id, lv := range g.LVs {
			if lv.Recorded != want[id] {
				t.Errorf("%s: %q, should be %q", id, lv.Recorded, want[id])
			}
			delete(want, id)
		}
	}
	for id := range want {
		t.Errorf("no volume %s", id)
	}
}

// TestOddGroups reads groups that are not whole, and a volume of none.
func TestOddGroups(t *testing.T) {
	load := func(name string) *lvmPV {
		e, err := loadExtract(filepath.Join("testdata", "lvm", name+".img.gz"))
		if err != nil {
			t.Fatal(err)
		}
		pv, err := readPV(e, e.size)
		if err != nil {
			t.Fatal(err)
		}
		return pv
	}
	if pv := load("orphan-0"); pv.Text != nil || pv.PV.VG != "" || pv.PV.MetadataCopies != 1 || pv.PV.DataStart != 1<<20 {
		t.Errorf("%+v", pv)
	}
	exported, err := assembleVG([]*lvmPV{load("exported-0")})
	if err != nil || exported.VG.Unsupported != "the group is EXPORTED" {
		t.Errorf("%v, %+v", err, exported)
	}
	whole, _ := readGroup(t, filepath.Join("testdata", "lvm", "raids"))
	// The volume without a text of its own is missing.
	g, err := assembleVG([]*lvmPV{load("raids-0"), load("raids-1"), load("raids-3"), load("raids-4")})
	if err != nil || !strings.HasPrefix(g.VG.Unsupported, "physical volume ") || !strings.HasSuffix(g.VG.Unsupported, " is missing") {
		t.Errorf("%v, %+v", err, g)
	}
	if g.Text.String() != whole.Text.String() {
		t.Error("the text is another one")
	}
}

// TestLVMSyntax parses what LVM reads, and names the line of what it does not.
func TestLVMSyntax(t *testing.T) {
	tests := []struct{ text, want string }{
		{"a = 1", "a = 1\n"},
		{"a=1b = -2.5 c = +3", "a = 1\nb = -2.5\nc = +3\n"},
		{`a = "q\"uo\\te\n" b='si"ngle\' c = bare-word`, `a = "q\"uo\\te\\n"` + "\n" + `b = "si\"ngle\\"` + "\n" + `c = "bare-word"` + "\n"},
		{"s { t { } }# comment", "s {\n\tt {\n\t}\n}\n"},
		{"\"odd key\" { 'x' = [ ] }", "\"odd key\" {\n\tx = []\n}\n"},
		{"l = [ 1 , \"two\" three, ]", "l = [1, \"two\", \"three\"]\n"},
		{"stripes = [\"pv0\", 0 \"pv1\", 5]", "stripes = [\n\t\"pv0\", 0,\n\t\"pv1\", 5\n]\n"},
		{"a", `line 1: "a" has neither a value nor a section`},
		{"\n\na = ", `line 3: "a" has no value`},
		{"a = \"", "line 1: a string has no end"},
		{"a {\n b = 1\n", `line 3: section "a" has no end`},
		{"}", `line 1: '}' where a key should be`},
		{"a = [ 1", `line 1: "a" has no value`},
		{"a = }", `line 1: '}' where the value of "a" should be`},
		{strings.Repeat("a{", 40), "line 1: more than 32 sections in each other"},
	}
	for _, test := range tests {
		root, err := parseLVM(test.text)
		var b strings.Builder
		if err == nil {
			root.write(&b, 0)
		} else {
			b.WriteString(err.Error())
		}
		if b.String() != test.want {
			t.Errorf("%q: got %q, want %q", test.text, b.String(), test.want)
		}
	}
}

// TestVGParts compares the places of metadata with those of the volumes that
// have LVM's names for such, and finds the thin pools.
func TestVGParts(t *testing.T) {
	for group, least := range map[string]int{"pools": 3, "raids": 15} {
		base := filepath.Join("testdata", "lvm", group)
		g, _ := readGroup(t, base)
		text, err := os.ReadFile(base + ".vgcfg")
		if err != nil {
			t.Fatal(err)
		}
		number := func(s string) uint64 {
			n, _ := strconv.ParseUint(s, 10, 64)
			return n
		}
		pvs := map[string][]string{}
		for _, m := range regexp.MustCompile(`(?s)\t\t(pv\d+) \{\n\t\t\tid = "(.{38})".*?pe_start = (\d+)`).FindAllStringSubmatch(string(text), -1) {
			pvs[m[1]] = m
		}
		want := map[PVArea]bool{}
		for _, m := range regexp.MustCompile(`(?s)\t\t\S+_(?:tmeta|cmeta|mlog|rmeta_\d+) \{\n.*?extent_count = (\d+).*?stripe_count = 1\t.*?"(pv\d+)", (\d+)`).FindAllStringSubmatch(string(text), -1) {
			pv := pvs[m[2]]
			want[PVArea{ID(pv[2]), number(pv[3])*512 + number(m[3])*g.VG.Extent, number(m[1]) * g.VG.Extent}] = true
		}
		// of a cache volume, 8 MiB of 16
		for _, m := range regexp.MustCompile(`(?s)\t\tvolume_cvol \{\n.*?"(pv\d+)", (\d+)`).FindAllStringSubmatch(string(text), -1) {
			pv := pvs[m[1]]
			want[PVArea{ID(pv[2]), number(pv[3])*512 + number(m[2])*g.VG.Extent, 8 << 20}] = true
		}
		if len(want) < least {
			t.Errorf("%s: %d places of metadata", group, len(want))
		}
		areas, err := g.Text.MetadataAreas()
		if err != nil {
			t.Fatal(err)
		}
		for _, area := range areas {
			if !want[area] {
				t.Errorf("%s: %+v is no metadata", group, area)
			}
			delete(want, area)
		}
		for area := range want {
			t.Errorf("%s: %+v is metadata", group, area)
		}
	}
	g, _ := readGroup(t, filepath.Join("testdata", "lvm", "pools"))
	pools := g.Text.ThinPools()
	if fmt.Sprint(pools) != "[{pool 6 [2 3 4 5]}]" {
		t.Errorf("%v", pools)
	}
	again, left, err := g.Text.NewPools().Restorable()
	if err != nil || len(left) != 2 || left["before"] == "" || left["written"] == "" {
		t.Errorf("left out are %q, %v", left, err)
	}
	if text := again.String(); strings.Contains(text, "before") || strings.Contains(text, `"snapshot"`) || strings.Contains(text, "written") || strings.Contains(text, "write_cvol") || fmt.Sprint(again.ThinPools()) != "[{pool 0 [2 3 4 5]}]" {
		t.Errorf("%s", text)
	}
}
