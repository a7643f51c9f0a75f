package label

import (
	"strings"
	"testing"
)

// Whatever a name is, what is said of it is short and printable; a usual one is itself.
func TestLawText(t *testing.T) {
	for name, usual := range map[string]bool{
		"": true, "conv1/7x7_s2.weight": true, "Käse 7 →.png": true,
		"\x1b[2Jgone": false, "a\nb": false, "\xff": false, "a\u202eb": false, strings.Repeat("a", 16<<20): false, strings.Repeat("\x1b", 1<<20): false,
	} {
		err := Check(name)
		if (err == nil) != usual || (Text(name) == name) != usual {
			t.Errorf("%.20q: %.100v, %.100s", name, err, Text(name))
		}
		said := Text(name)
		if err != nil {
			said += err.Error()
		}
		if len(said) > 10<<10 || !printable(said) {
			t.Errorf("%.20q: what is said has %d bytes: %.100q", name, len(said), said)
		}
	}
}
