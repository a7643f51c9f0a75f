package interp_test

import (
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
)

func TestFingerprint(t *testing.T) {
	of := func(m *interp.Model) string {
		t.Helper()
		s, err := m.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	m := interptest.Branchy()
	same := of(m)
	if again := of(interptest.Branchy()); again != same || len(same) != 64 {
		t.Errorf("%s, and then %s", same, again)
	}
	const path = "/shared/biases"
	w := m.Weights()[path]
	values := w.Values()
	values[len(values)-1] += 1e-3
	other, err := interp.NewWeight(values, w.Dims()...)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := m.With(interp.Weights{path: other})
	if err != nil {
		t.Fatal(err)
	}
	for what, m := range map[string]*interp.Model{"one weight": changed, "precision": m.Float64(), "network": interptest.Smooth()} {
		if of(m) == same {
			t.Errorf("another %s, the same fingerprint", what)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	m := interptest.Branchy()
	for b.Loop() {
		if _, err := m.Fingerprint(); err != nil {
			b.Fatal(err)
		}
	}
}
