package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The command writes a site, finds it whole when it is run again, and says what is wrong with what it is asked.
func TestMicroscope(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "site")
	args := []string{"microscope", "scenes-dense", "--out", dir, "--layers", "logits", "--count", "16", "--steps", "2"}
	page := filepath.Join(dir, "index.html")
	for range 2 {
		out, err := command(t, args...).CombinedOutput()
		if lines := strings.Split(strings.TrimSpace(string(out)), "\n"); err != nil || lines[len(lines)-1] != page {
			t.Fatalf("%s %v, want %s at last", out, err, page)
		}
		if _, err := os.Stat(page); err != nil {
			t.Error(err)
		}
	}
	for want, args := range map[string][]string{
		"near it: scenes, scenes-dense": {"microscope", "scenes-dens", "--out", dir},
		"--out":                         {"microscope", "scenes-dense"},
		"site of other steps, 2, not 3": append(args[:len(args)-1:len(args)-1], "3"),
		"count is 0":                    {"microscope", "scenes-dense", "--out", dir, "--count", "0"},
		`no layer "logit"`:              {"microscope", "scenes-dense", "--out", dir, "--layers", "logit"},
	} {
		if out, err := command(t, args...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %s %v, want %q", args, out, err, want)
		}
	}
}
