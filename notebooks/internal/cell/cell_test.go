//go:build unix

package cell

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"

	"lucigo/notebooks/internal/celltest"
)

func TestMain(m *testing.M) {
	celltest.Main(m, map[string]func() error{
		"claim": func() error {
			return Display(Output{HTML: "<b>1</b>", Text: "one", Type: "application/vnd.lucigo.claim+json",
				Value: map[string]any{"holds": true, "measured": 0.25, "sentence": "1 < 2"}})
		},
		"update": func() error {
			for i := range 3 {
				if err := Update("same", Output{HTML: fmt.Sprint("<b>", i, "</b>"), Text: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			return nil
		},
		"impatient": func() error { return send("", Output{HTML: "<b>1</b>", Text: "one"}, 50*time.Millisecond) },
	})
}

func TestDisplay(t *testing.T) {
	shown, printed, err := celltest.Run(t, "claim", true)
	if err != nil || printed != "" {
		t.Fatalf("%v: %s", err, printed)
	}
	want := []protocol.DisplayData{{Data: map[protocol.MIMEType]any{
		"text/html": "<b>1</b>", "text/plain": "one",
		"application/vnd.lucigo.claim+json": map[string]any{"holds": true, "measured": 0.25, "sentence": "1 < 2"},
	}}}
	if !reflect.DeepEqual(shown, want) {
		t.Errorf("displayed %v, want %v", shown, want)
	}
}

func TestUpdate(t *testing.T) {
	shown, printed, err := celltest.Run(t, "update", true)
	if err != nil || printed != "" {
		t.Fatalf("%v: %s", err, printed)
	}
	if len(shown) != 3 {
		t.Fatalf("%d outputs, want 3: %v", len(shown), shown)
	}
	for i, d := range shown {
		if html := fmt.Sprint("<b>", i, "</b>"); d.DisplayID != "same" || d.Data["text/html"] != html {
			t.Errorf("output %d is %v of %q, want %q", i, d.Data, d.DisplayID, html)
		}
	}
}

// A kernel that reads and never answers must not hang the cell.
func TestSilentKernel(t *testing.T) {
	start := time.Now()
	_, printed, err := celltest.Run(t, "impatient", false)
	if err == nil || !strings.Contains(printed, "restart the kernel") {
		t.Errorf("error %v, printed %q", err, printed)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEscape(t *testing.T) {
	const in = "<a href=\"x\">'&amp;\x00\x1b[31m\xff\u0085é\n\t"
	const want = "&lt;a href=&#34;x&#34;&gt;&#39;&amp;amp;\ufffd\ufffd[31m\ufffd\ufffdé\n\t"
	if got := Escape(in); got != want {
		t.Errorf("Escape(%q) = %q, want %q", in, got, want)
	}
}

func ExampleDisplay() {
	fmt.Println(InNotebook())
	Display(Output{HTML: "<b>one</b>", Text: "one"})
	// Output:
	// false
	// one
}
