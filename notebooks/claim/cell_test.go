//go:build unix

package claim_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"lucigo/notebooks/claim"
	"lucigo/notebooks/claim/record"
	"lucigo/notebooks/internal/celltest"
)

func TestMain(m *testing.M) {
	celltest.Main(m, map[string]func() error{
		"false":    func() error { return claim.AtMost("It takes %v s", .75, .6) },
		"true":     func() error { return claim.AtLeast("It takes %v s", .75, .6) },
		"NaN":      func() error { return claim.Greater("It is %v", math.NaN(), 0) },
		"infinite": func() error { return claim.Less("It ends in %v", math.Inf(1), 0) },
	})
}

// A claim reaches the notebook as data, and a false one leaves the cell alive.
func TestShow(t *testing.T) {
	for part, want := range map[string]struct{ claim, verdict, sentence string }{
		"false":    {`{"sentence":"It takes %v s","measured":0.75,"relation":"\u003c=","bound":0.6}`, "✗ FAILS", "It takes 0.75 s (required: at most 0.6)"},
		"true":     {`{"sentence":"It takes %v s","measured":0.75,"relation":"\u003e=","bound":0.6}`, "✓ holds", "It takes 0.75 s (required: at least 0.6)"},
		"NaN":      {`{"sentence":"It is %v","measured":"NaN","relation":"\u003e","bound":0}`, "✗ FAILS", "It is NaN (required: more than 0)"},
		"infinite": {`{"sentence":"It ends in %v","measured":"+Inf","relation":"\u003c","bound":0}`, "✗ FAILS", "It ends in ∞ (required: less than 0)"},
	} {
		shown, printed, err := celltest.Run(t, part, true)
		if err != nil || printed != "" || len(shown) != 1 {
			t.Fatalf("%s: %v, %d outputs, printed %q", part, err, len(shown), printed)
		}
		data := shown[0].Data
		b, err := json.Marshal(data[record.MediaType])
		if err != nil {
			t.Fatal(err)
		}
		got, err := record.Read(b)
		if wrote, _ := json.Marshal(got); err != nil || string(wrote) != want.claim {
			t.Errorf("%s: data %s, %v, want %s", part, b, err, want.claim)
		}
		if s, _ := data["text/plain"].(string); s != want.verdict+" "+want.sentence {
			t.Errorf("%s is the text %q", part, s)
		}
		if s, _ := data["text/html"].(string); !strings.Contains(s, want.verdict) {
			t.Errorf("%s is the row %q", part, s)
		}
	}
}
