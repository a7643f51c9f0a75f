package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lucigo/kernel/notebook"
)

// hostile are texts of about n bytes each for which parsers of Markdown are known to take the square of their length,
// in time or in room.
func hostile(n int) map[string]string {
	times := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"headings": times("# a\n"), "formulas": times("$$a\n"), "formulas in a line": times("$a"), "open formulas": times("a $$a\n"),
		"links": times("[a]("), "pictures": times("![a]("), "addresses": times("[a](<"), "titles": times(`[a](b "`),
		"references": times("[a]["), "[": times("["), "nested []": strings.Repeat("[", n/2) + strings.Repeat("]", n/2),
		`[\\`: "[" + times(`\`), "*_": times("*_"), "a**b c*": strings.Repeat("a**b", n/8) + strings.Repeat("c* ", n/6),
		"emphasis": strings.Repeat("**a ", n/8) + strings.Repeat("b** ", n/8), "~~a": times("~~a "), "~": times("~"), "`": times("`a ``b "),
		"<": times("<a:"), "comments": times("a <!--"), "quotes": times(">"), "nested quotes": strings.Repeat("> ", n/2) + "a\nb",
		"nested lists": times("- "), "lists or rules": times("* ") + "a", "columns": strings.Repeat("a|", n/6) + "\n" +
			strings.Repeat("-|", n/6) + "\n" + strings.Repeat("a\n", n/6),
		"definitions": times("[a]: /b\n"), "open definitions": times("[a]: /u \"\n"), "expanded": "[a]: " + strings.Repeat("x", n/2) +
			"\n\n" + strings.Repeat("[a]\n\n", n/10),
		"autolinks": times("www."), "closing": "http://a" + times(")"), "mail": times("a@"), "entities": times("&"), "fences": times("```\n"),
		"setext": times("a\n") + "===", "indents": steps(n), "blank lines": "- a\n" + times("\n"), "spaces": "a" + times(" ") + "b",
		"links in paragraphs":    times(strings.Repeat("[a](", maxBrackets) + "\n\n"),
		"nested in paragraphs":   times(strings.Repeat("[", maxBrackets) + strings.Repeat("]", maxBrackets) + "\n\n"),
		"marks in paragraphs":    times(strings.Repeat("a**b", maxMarks/4) + strings.Repeat("c* ", maxMarks/2) + "\n\n"),
		"formulas in paragraphs": times(strings.Repeat("$a", maxMarks) + "\n\n"),
		"code":                   "```go\n" + times("(") + "\n```", "controls": times("\x00"),
	}
}

// steps is a list of lists, each a step deeper than the one before.
func steps(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(" ", 2*i) + "- a\n")
	}
	return b.String()
}

// TestHostileProse: what would take 97 s takes a moment, and becomes no more than a multiple of what it was.
func TestHostileProse(t *testing.T) {
	const n = 100_000
	for name, source := range hostile(n) {
		begin := time.Now()
		got := cells(t, prose(source), Info{})
		if len(got) > maxExpanded*len(source)+128<<10 {
			t.Errorf("%s: %d bytes have become %d", name, len(source), len(got))
		}
		t.Logf("%-20s %6.2f s, %d bytes%s", name, time.Since(begin).Seconds(), len(got),
			map[bool]string{true: ", as written"}[strings.Contains(got, "shown as it is written")])
	}
}

// TestOrdinaryProseIsRendered: what people write is far from any bound.
func TestOrdinaryProseIsRendered(t *testing.T) {
	table := "|a|b|c|\n|-|-|-|\n" + strings.Repeat("|[x](http://a)|$y$|*z*|\n", 900)
	for _, source := range []string{
		table, strings.Repeat("> ", 30) + "deep", strings.Repeat("- a\n  - b\n    - c\n\n", 1000), strings.Repeat("-", 200),
		strings.Repeat("* ", 30),
		strings.Repeat("# a\n\ntext [a][b] $x$ **c**\n\n", 1000) + "[b]: http://example.org/" + strings.Repeat("x", 1000),
		"a|b\n" + strings.Repeat("-", 100) + "|" + strings.Repeat("-", 100) + "\n1|2", strings.Repeat("word ", 20000),
	} {
		if got := cells(t, prose(source), Info{}); strings.Contains(got, "shown as it is written") {
			t.Errorf("%.60q is not rendered", source)
		}
	}
}

// TestLawHeadingsDiffer: no two have one id, whatever they are called.
func TestLawHeadingsDiffer(t *testing.T) {
	ids, seen := headings{}, map[string]bool{}
	for i := range 1000 {
		id := string(ids.Generate([]byte([]string{"A b", "a-b", "a-b-1", "a b-2", "", "heading 1", "é", "a-b-1-1"}[i*i%8]), 0))
		if seen[id] || id == "" {
			t.Fatalf("%q is given twice", id)
		}
		seen[id] = true
	}
	if !seen["a-b"] || !seen["heading"] {
		t.Errorf("the first of a name does not have it: %v", seen)
	}
}

// TestPicturesAreBounded: a picture that prose names again and again is in the page as often as there is room.
func TestPicturesAreBounded(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.gif"), append([]byte("GIF89a"), make([]byte, 10<<20)...), 0o666); err != nil {
		t.Fatal(err)
	}
	nb := prose(strings.Repeat("![p](a.gif)\n\n", 1000) + strings.Repeat("![q](attachment:b.png)\n\n", 1000))
	big, _ := json.Marshal(strings.Repeat("A", 10<<20))
	nb.Cells[0].Attachments = map[string]notebook.MIMEBundle{"b.png": {"image/png": big}}
	got := cells(t, nb, Info{File: filepath.Join(dir, "x.ipynb")})
	if n := strings.Count(got, "<img"); n != 6 || len(got) > 2*maxPictures {
		t.Errorf("%d pictures in %d bytes", n, len(got))
	}
}

// TestDeepJSON: what is indented becomes no more than a few times as long.
func TestDeepJSON(t *testing.T) {
	deep := strings.Repeat("[", 9000) + strings.Repeat("]", 9000)
	out := &notebook.Output{Type: notebook.DisplayData, Data: notebook.MIMEBundle{"application/json": json.RawMessage(deep)}}
	if got := cells(t, code("x", out), Info{}); len(got) > 2*len(deep) || !strings.Contains(got, "[[[[") {
		t.Errorf("%d bytes have become %d", len(deep), len(got))
	}
}

// TestRenderHeedsItsContext.
func TestRenderHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	for i, nb := range []*notebook.Notebook{prose("x"), code("x"), code("", show("text/plain", "x"))} {
		if err := Render(ctx, io.Discard, nb, Info{}); !errors.Is(err, why) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestPolicy: nothing that an output holds may run or load anything, and the policy comes before anything that it is
// for.
func TestPolicy(t *testing.T) {
	b, err := render(code("x", show("text/html", "<script>1</script>")), Info{})
	if err != nil {
		t.Fatal(err)
	}
	policy := fmt.Sprintf("<meta http-equiv=\"Content-Security-Policy\" content=%q>",
		"default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'")
	head, _, _ := strings.Cut(string(b), "<style>")
	if !strings.Contains(head, policy) || strings.Contains(head, "<title>") && strings.Index(head, policy) > strings.Index(head, "<title>") {
		t.Errorf("the head is\n%s", head)
	}
	if !Is(b[:1024]) || Is([]byte("<!DOCTYPE html>")) {
		t.Error("a page is not told from another")
	}
}
