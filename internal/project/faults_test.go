package project

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every row of FAULTS.md names tests, and those exist in the packages that it says.
func TestFaultsAreTested(t *testing.T) {
	root, err := Root(".")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "FAULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`\b(Test|Fuzz)\w+`)
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.Trim(cells[1], "-") == "" || strings.TrimSpace(cells[3]) == "tests" {
			continue
		}
		rows++
		for group := range strings.SplitSeq(cells[3], ";") {
			parts := strings.Split(group, "`")
			if len(parts) != 3 || !name.MatchString(parts[2]) {
				t.Errorf("%q names no package and its tests", group)
				continue
			}
			source := testSource(t, filepath.Join(root, parts[1]))
			for _, n := range name.FindAllString(parts[2], -1) {
				if !strings.Contains(source, "\nfunc "+n+"(") {
					t.Errorf("%s has no %s", parts[1], n)
				}
			}
		}
	}
	if rows < 50 {
		t.Errorf("%d rows were read, and there are more", rows)
	}
}

// testSource returns the tests of a package.
func testSource(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
