//go:build unix

package claim_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"lucigo/notebooks/claim"
	"lucigo/notebooks/internal/celltest"
)

func TestMain(m *testing.M) {
	celltest.Main(m, map[string]func() error{
		"false": func() error {
			return claim.Claim{Sentence: "It is quick.", Measured: .75, Relation: claim.LE, Bound: .6, Unit: "s"}.Show()
		},
		"NaN":      func() error { return claim.Greater("It is a number.", math.NaN(), 0) },
		"infinite": func() error { return claim.Less("It ends.", math.Inf(1), 0) },
	})
}

// A claim reaches the notebook as data, and a false one leaves the cell alive.
func TestShow(t *testing.T) {
	for part, want := range map[string]map[string]any{
		"false":    {"sentence": "It is quick.", "measured": .75, "relation": "<=", "bound": .6, "unit": "s", "holds": false},
		"NaN":      {"sentence": "It is a number.", "relation": ">", "bound": 0., "unit": "", "holds": false},
		"infinite": {"sentence": "It ends.", "relation": "<", "bound": 0., "unit": "", "holds": false},
	} {
		shown, printed, err := celltest.Run(t, part, true)
		if err != nil || printed != "" || len(shown) != 1 {
			t.Fatalf("%s: %v, %d outputs, printed %q", part, err, len(shown), printed)
		}
		data := shown[0].Data
		if !reflect.DeepEqual(data[claim.MediaType], want) {
			t.Errorf("%s: data %v, want %v", part, data[claim.MediaType], want)
		}
		for _, form := range []string{"text/html", "text/plain"} {
			if s, _ := data[protocol.MIMEType(form)].(string); !strings.Contains(s, want["sentence"].(string)) || !strings.Contains(s, "FAILS") {
				t.Errorf("%s as %s is %q", part, form, s)
			}
		}
	}
}
