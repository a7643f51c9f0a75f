package imagenet

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The order by identifier is what index searches, and what networks' logits follow; the names are unique
// because people ask for classes by name.
func TestLawSynsets(t *testing.T) {
	all, names := synsets(), Names()
	if len(all) != Classes || len(names) != Classes {
		t.Fatalf("%d synsets and %d names, want %d", len(all), len(names), Classes)
	}
	form := regexp.MustCompile(`^n\d{8}$`)
	seen := map[string]int{}
	for i, s := range all {
		if !form.MatchString(s.id) || len(s.words) == 0 || slices.Contains(s.words, "") {
			t.Errorf("class %d is %q", i, s)
		}
		if i > 0 && all[i-1].id >= s.id {
			t.Errorf("class %d, %s, comes after %s", i, s.id, all[i-1].id)
		}
		if got, ok := index(s.id); !ok || got != i {
			t.Errorf("index(%s) is %d, %v; want %d", s.id, got, ok, i)
		}
		if j, twice := seen[names[i]]; twice {
			t.Errorf("classes %d and %d are both %q", j, i, names[i])
		}
		seen[names[i]] = i
		if !strings.HasPrefix(names[i], s.words[0]) {
			t.Errorf("class %d, %q, is named %q", i, s.words, names[i])
		}
	}
	for i, want := range map[int]string{0: "tench", 340: "zebra", 134: "crane (bird)", 517: "crane (machine)", 639: "maillot, tank suit", 999: "toilet tissue"} {
		if names[i] != want {
			t.Errorf("class %d is named %q, want %q", i, names[i], want)
		}
	}
}

func TestClassOf(t *testing.T) {
	for file, want := range map[string]int{
		"n02391049_zebra.JPEG":                 340,
		"x/n02391049/1.jpg":                    340,
		"n02391049/n04146614_school_bus.jpg":   779,
		"a/n99999999_n01440764_other-name.jpg": 0,
	} {
		if got, err := ClassOf(file); err != nil || got != want {
			t.Errorf("%s: class %d, %v; want %d", file, got, err, want)
		}
	}
	for _, file := range []string{"zebra.jpg", "n02391049/deeper/zebra.jpg", "n99999999.jpg", ""} {
		if i, err := ClassOf(file); err == nil {
			t.Errorf("%s is of class %d", file, i)
		}
	}
}
