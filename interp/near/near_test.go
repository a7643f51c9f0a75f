package near

import (
	"slices"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	have := []string{"conv1", "mixed3a", "mixed4a", "mixed4b", "inception_4a/output"}
	for _, c := range []struct {
		name string
		want []string
	}{
		{"mixd4a", []string{"mixed4a", "mixed3a", "mixed4b"}},
		{"MIXED4A", []string{"mixed4a", "mixed3a", "mixed4b"}},
		{"4a", []string{"mixed4a", "inception_4a/output"}},
		{"logits", nil},
		{strings.Repeat("x", 1000), nil},
	} {
		if got := Names(c.name, have, 3); !slices.Equal(got, c.want) {
			t.Errorf("near %q: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLawEdits(t *testing.T) {
	words := []string{"", "a", "kitten", "sitting", "mixed4a", "mixed"}
	if d := edits("kitten", "sitting"); d != 3 {
		t.Errorf("kitten to sitting: %d, want 3", d)
	}
	for _, a := range words {
		for _, b := range words {
			if edits(a, b) != edits(b, a) || (edits(a, b) == 0) != (a == b) {
				t.Errorf("edits(%q, %q) is no distance", a, b)
			}
		}
	}
}

func TestError(t *testing.T) {
	for _, c := range []struct {
		have []string
		want string
	}{
		{[]string{"mixed4a"}, `no layer "mixed4"; near it: mixed4a`},
		{[]string{"a", "b"}, `no layer "mixed4"; there are: a, b`},
		{nil, `no layer "mixed4"; there are none`},
		{strings.Split("q r s t u v w x y z ä ö ü", " "), `no layer "mixed4"; there are 13, the first: q, r, s, t, u, v, w, x, y, z, ä, ö`},
	} {
		if got := Error("layer", "mixed4", c.have).Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
