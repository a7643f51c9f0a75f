package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lucigo/kernel/notebook"
)

func render(nb *notebook.Notebook, info Info) ([]byte, error) {
	var b bytes.Buffer
	err := Render(context.Background(), &b, nb, info)
	return b.Bytes(), err
}

// cells is what lies between <main> and </main> of the page of nb.
func cells(t *testing.T, nb *notebook.Notebook, info Info) string {
	t.Helper()
	b, err := render(nb, info)
	if err != nil {
		t.Fatal(err)
	}
	_, s, ok := strings.Cut(string(b), "<main>")
	s, _, ok2 := strings.Cut(s, "</main>")
	if !ok || !ok2 {
		t.Fatalf("no <main> in\n%s", b)
	}
	return s
}

func prose(source string) *notebook.Notebook {
	return &notebook.Notebook{Cells: []*notebook.Cell{{ID: "m", Type: notebook.Markdown, Source: source}}}
}

func code(source string, outputs ...*notebook.Output) *notebook.Notebook {
	one := 1
	return &notebook.Notebook{Cells: []*notebook.Cell{{ID: "c", Type: notebook.Code, Source: source, Outputs: outputs, ExecutionCount: &one}}}
}

func show(mime, content string) *notebook.Output {
	raw, _ := json.Marshal(content)
	return &notebook.Output{Type: notebook.DisplayData, Data: notebook.MIMEBundle{mime: raw}}
}

func TestProse(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"# A *b*", `<h1 id="a-b">A <em>b</em></h1>`},
		{"a <b>x</b> c", `<p>a &lt;b&gt;x&lt;/b&gt; c</p>`},
		{"<script>\nalert(1)\n</script>", "<p>&lt;script&gt;\nalert(1)\n&lt;/script&gt;</p>"},
		{"<!-- a -->", "<p>&lt;!-- a --&gt;</p>"},
		{"[x](javascript:alert(1))", `<a href="">x</a>`},
		{"<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>"},
		{"<a@b.c> https://go.dev", `<a href="mailto:a@b.c">a@b.c</a> <a href="https://go.dev">https://go.dev</a>`},
		{"|a|\n|-|\n|$x$|", `<td><math>`},
		{"between $5 and $6", "<p>between $5 and $6</p>"},
		{"$5, US$6", "<p>$5, US$6</p>"},
		{"a $ b $ c", "<p>a $ b $ c</p>"},
		{`\$x$`, "<p>$x$</p>"},
		{"`$x$`", "<code>$x$</code>"},
		{"$a_1*b*c_2$", "<msub><mi>a</mi><mn>1</mn></msub><mo>∗</mo>"},
		{"so $x\n+y$ end", `<mi>x</mi><mo>+</mo><mi>y</mi>`},
		{"$\\foo$", `<p><code>\foo</code></p>`},
		{"$<img src=x>$", `&lt;`},
		{"a $$x$$ b", `<p>a <math display="block">`},
		{"$$\n- x\n= y\n$$\nafter", `<mo>−</mo><mi>x</mi><mo>=</mo><mi>y</mi>`},
		{"$$\n- x\n$$\nafter", "<p>after</p>"},
		{"$$ x $$", `<math display="block">`},
		{"$$x$$ begins a paragraph", "begins a paragraph</p>"},
		{"$$\nunclosed", `<mi>u</mi>`},
		{"```go\nfunc f() {}\n```", `<pre><span class="hk">func</span> <span class="hf">f</span>() {}` + "\n</pre>"},
		{"```\na < b\n```", "<pre>a &lt; b\n</pre>"},
		{"![alt <](https://example.org/x.png)", "alt &lt; (https://example.org/x.png)"},
	} {
		if got := cells(t, prose(c.source), Info{File: "x.ipynb"}); !strings.Contains(got, c.want) {
			t.Errorf("%q gives\n%s\nwithout %s", c.source, got, c.want)
		}
	}
}

func TestHeadingsOfDifferentCellsDiffer(t *testing.T) {
	nb := prose("# Same")
	nb.Cells = append(nb.Cells, &notebook.Cell{ID: "n", Type: notebook.Markdown, Source: "# Same"})
	got := cells(t, nb, Info{})
	if !strings.Contains(got, `id="same"`) || !strings.Contains(got, `id="same-1"`) {
		t.Error(got)
	}
}

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	gif := "GIF89a\x01\x00\x01\x00\x80\x00\x00"
	write := func(name, content string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("nb/pic/a.gif", gif)
	write("nb/text.gif", "no picture")
	write("outside.gif", gif)
	info := Info{File: filepath.Join(dir, "nb", "x.ipynb")}
	uri := `<img src="data:image/gif;base64,` + base64.StdEncoding.EncodeToString([]byte(gif)) + `" alt="a &#34;b&#34;">`
	for source, want := range map[string]string{
		`![a "b"](pic/a.gif)`:      uri,
		`![t](text.gif)`:           "t (text.gif)",
		`![t](../outside.gif)`:     "t (../outside.gif)",
		`![t](pic)`:                "t (pic)",
		`![t](attachment:no.gif)`:  "t (attachment:no.gif)",
		`![t](attachment:pic.png)`: `<img src="data:image/png;base64,AAAA" alt="t">`,
	} {
		nb := prose(source)
		nb.Cells[0].Attachments = map[string]notebook.MIMEBundle{"pic.png": {"image/png": json.RawMessage(`"AA\nAA\n"`)}}
		if got := cells(t, nb, info); !strings.Contains(got, want) {
			t.Errorf("%s gives\n%s\nwithout %s", source, got, want)
		}
	}
}

func TestOutputs(t *testing.T) {
	for _, c := range []struct {
		out  *notebook.Output
		want string
	}{
		{show("text/html", "<b onclick=1>x</b>"), `<div class="output html"><b onclick=1>x</b></div>`},
		{show("text/plain", "<b>"), `<pre class="output text">&lt;b&gt;</pre>`},
		{show("text/markdown", "*a* <b>"), "<em>a</em> &lt;b&gt;"},
		{show("image/png", "AAAA\n"), `<img src="data:image/png;base64,AAAA" alt="">`},
		{show("image/png", `AA" onerror="x`), `AA&#34;onerror=&#34;x"`},
		{show("image/svg+xml", "<svg><script/></svg>"), `<img src="data:image/svg+xml;base64,`},
		{show("text/latex", "$$x^2$$"), `<math display="block"><semantics><mrow><msup>`},
		{&notebook.Output{Type: notebook.DisplayData, Data: notebook.MIMEBundle{"application/json": json.RawMessage(`{"a":"<"}`)}}, "{\n  &#34;a&#34;: &#34;&lt;&#34;\n}"},
		{&notebook.Output{Type: notebook.Stream, Name: "stdout", Text: "a\rb\n<"}, "<pre class=\"output text\">b\n&lt;</pre>"},
		{&notebook.Output{Type: notebook.Stream, Name: "stderr", Text: "\x1b[7mx\x1b[0m"}, `<pre class="output stderr"><span class="ansi-inverse">x</span></pre>`},
		{&notebook.Output{Type: notebook.Error, EName: "E", EValue: "v"}, `<pre class="output error">E: v</pre>`},
		{&notebook.Output{Type: notebook.Error, EName: "E", EValue: "v", Traceback: []string{"a\x1b[31mb", "c"}}, "a<span class=\"ansi-1\">b\nc</span></pre>"},
	} {
		if got := cells(t, code("x", c.out), Info{}); !strings.Contains(got, c.want) {
			t.Errorf("%+v gives\n%s\nwithout %s", c.out, got, c.want)
		}
	}
	both := show("text/plain", "plain")
	both.Data["text/html"] = json.RawMessage(`["<i>","rich</i>"]`)
	if got := cells(t, code("x", both), Info{}); !strings.Contains(got, "<i>rich</i>") || strings.Contains(got, "plain") {
		t.Errorf("not the richest representation alone:\n%s", got)
	}
	if got := cells(t, code("x", show("text/html", "")), Info{}); strings.Contains(got, `class="output`) {
		t.Errorf("an empty display leaves a trace:\n%s", got)
	}
}

func TestCode(t *testing.T) {
	got := cells(t, code("%% --n=<1>\nx := \"</pre>\" // é\n!ls"), Info{})
	for _, want := range []string{
		"<span class=\"hm\">%% --n=&lt;1&gt;\n</span>", `<span class="hs">&#34;&lt;/pre&gt;&#34;</span>`, "<span class=\"hc\">// é</span>\n", `<span class="hm">!ls</span>`, `<span class="count">1</span>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if got := cells(t, code("var s = `\n!text\n%% text`\n// a\n%help\n"), Info{}); strings.Contains(got, `"hm">!text`) || strings.Contains(got, `"hm">%% text`) || !strings.Contains(got, "<span class=\"hm\">%help\n</span>") {
		t.Errorf("text in a raw string is no command, after it there is one:\n%s", got)
	}
	long := cells(t, code("%%\n// Many lines <\n"+strings.Repeat("x()\n", 40)), Info{})
	if !strings.Contains(long, "<summary>Many lines &lt; (43 lines)</summary>") {
		t.Errorf("long code is not folded:\n%s", long)
	}
	failed := cells(t, code("x", &notebook.Output{Type: notebook.Error, EName: "E"}), Info{})
	if !strings.Contains(failed, `class="cell failed"`) {
		t.Errorf("a failed cell is not marked:\n%s", failed)
	}
	idle := code("x")
	idle.Cells[0].ExecutionCount = nil
	if got := cells(t, idle, Info{}); !strings.Contains(got, `class="cell idle"`) {
		t.Errorf("a cell that did not run is not marked:\n%s", got)
	}
}

// TestLawCodeIsUnchanged: highlighting adds tags and takes nothing away.
func TestLawCodeIsUnchanged(t *testing.T) {
	tags := regexp.MustCompile(`<[^>]*>`)
	entities := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&")
	for _, source := range []string{"", "\n", "x", "a\n\n%%\nfunc f[T any](x T) { y := `raw\nstring` }\n// é\t'x'", "/* open", "\"open", "%%", "!a\n!b\n", "x\r\ny"} {
		if got := entities.Replace(tags.ReplaceAllString(string(highlight(source)), "")); got != strings.ReplaceAll(source, "\r\n", "\n") && got != source {
			t.Errorf("%q becomes %q", source, got)
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	nb := prose("# Title <x>\n\n![a](https://example.org/a.png) $x$")
	b, err := render(nb, Info{File: "x.ipynb", Note: "note <", Broken: "broken <"})
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"<title>Title &lt;x&gt;</title>", `<p class="note">note &lt;</p>`, `<p class="broken">broken &lt;</p>`, "<!DOCTYPE html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if m := regexp.MustCompile(`(?i)<script|<link|<iframe|@import|url\(|src="[^d]`).FindString(page); m != "" {
		t.Errorf("the page loads something: %s", m)
	}
	if got := cells(t, code("x"), Info{Cell: "c", Halt: "halt <"}); !strings.Contains(got, "<p class=\"broken\">halt &lt;</p>\n</section>") {
		t.Errorf("the cell at which the run stopped does not say so:\n%s", got)
	}
	if got := cells(t, code("x"), Info{Cell: "another", Halt: "halt"}); strings.Contains(got, "halt") {
		t.Errorf("another cell says so:\n%s", got)
	}
	b, err = render(&notebook.Notebook{}, Info{File: "/a/name.ipynb"})
	if err != nil || !strings.Contains(string(b), "<title>name</title>") {
		t.Errorf("an empty notebook: %v", err)
	}
}

// FuzzProse holds that no Markdown gets an element into the page that could run or load something.
func FuzzProse(f *testing.F) {
	for _, s := range []string{"<script>x", "[a](javascript:1)", "![a](x)", "$<script>$", "$$\n<script>\n$$", "a <img src=x onerror=1>", "<a href='x'>", "```go\n</pre><script>\n```", "[a]: javascript:1\n[a]", "<javascript:1>", "# <script>"} {
		f.Add(s)
	}
	active := regexp.MustCompile(`(?i)<(script|img|iframe|svg|object|embed|link|style|form|meta)|<[^>]* on[a-z]+=|(href|src)="\s*(javascript|vbscript|data):`)
	f.Fuzz(func(t *testing.T, source string) {
		html, err := newMarkdown(t.Context(), filepath.Join(t.TempDir(), "x.ipynb")).render(source, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m := active.FindString(string(html)); m != "" {
			t.Errorf("%q gives %s in %s", source, m, html)
		}
	})
}
