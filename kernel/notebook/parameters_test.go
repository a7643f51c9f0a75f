package notebook

import (
	"strings"
	"testing"
)

func withParameters(source string) *Notebook {
	return &Notebook{Cells: []*Cell{
		{ID: "a", Type: Markdown, Source: "text"},
		{ID: "b", Type: Code, Source: source, Metadata: Metadata{"tags": []byte(`["parameters"]`)}},
		{ID: "c", Type: Code, Source: "%%\nfmt.Println(1)", Metadata: Metadata{}},
	}}
}

const declarations = `%env X=1
// The model.
var model = "scenes"
var (
	n, eps   = 3, 0.5
	on       bool
	d        = 2 * time.Second
	big uint8 = 1
	layers   = []string{"a"}
)
/* A comment may hold
%text = 1
!text */
var raw = ` + "`\n! text\n%% text`" + `
const size = 224
var x, y = f()
func helper() {}`

func TestInject(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"model", `goo"gle`, `var model string = "goo\"gle"`},
		{"model", "3", `var model string = "3"`},
		{"n", "-7", "var n int = -7"},
		{"eps", "1", "var eps float64 = 1"},
		{"eps", "-1e-3", "var eps float64 = -1e-3"},
		{"on", "1", "var on bool = true"},
		{"d", "time.Minute", "var d = time.Minute"},
		{"big", "255", "var big uint8 = 255"},
		{"layers", `[]string{"b", "c"}`, `var layers = []string{"b", "c"}`},
		{"size", "32", "const size = 32"},
		{"raw", "a\n%b", `var raw string = "a\n%b"`},
		{"x", "4", "var x = 4"},
	} {
		nb := withParameters(declarations)
		if err := nb.Inject(map[string]string{c.name: c.value}); err != nil {
			t.Errorf("%s=%s: %v", c.name, c.value, err)
			continue
		}
		if len(nb.Cells) != 4 || !nb.Cells[2].Tagged("injected-parameters") {
			t.Fatalf("%s: no injected cell after the parameters", c.name)
		}
		if got := nb.Cells[2].Source; got != "// Parameters of this run\n"+c.want {
			t.Errorf("%s=%s injects %q, want %q", c.name, c.value, got, c.want)
		}
		if nb.Cells[2].ID == "" {
			t.Error("the injected cell has no id")
		}
	}
}

func TestInjectReplacesAndOrders(t *testing.T) {
	nb := withParameters(declarations)
	for _, v := range []string{"1", "2"} {
		if err := nb.Inject(map[string]string{"n": v, "model": "m"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(nb.Cells) != 4 {
		t.Fatalf("%d cells, want 4", len(nb.Cells))
	}
	if want := "// Parameters of this run\nvar model string = \"m\"\nvar n int = 2"; nb.Cells[2].Source != want {
		t.Errorf("%q, want %q", nb.Cells[2].Source, want)
	}
}

func TestInjectErrors(t *testing.T) {
	for _, c := range []struct{ source, name, value, want string }{
		{declarations, "n", "2.5", `parameter n: its value is "2.5", must be of type int`},
		{declarations, "n", "1; os.Exit(0)", "must be of type int"},
		{declarations, "big", "256", "must be of type uint8"},
		{declarations, "on", "perhaps", "must be true or false"},
		{declarations, "eps", "f()", `"f()", must be of type float64`},
		{declarations, "eps", "1e999", "must be of type float64"},
		{declarations, "eps", "0.5)+float64(1", "must be of type float64"},
		{declarations, "n", strings.Repeat("(", 100_000), `its value is "` + strings.Repeat("(", 40) + `…", must be of type int`},
		{declarations, "d", "5s", "must be a Go expression, as its default 2 * time.Second is"},
		{declarations, "d", "1\nfunc main() {}", "must be a Go expression"},
		{"x :=", "x", "1", "not a list of declarations"},
	} {
		err := withParameters(c.source).Inject(map[string]string{c.name: c.value})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v, want %q", c.name, c.value, err, c.want)
		}
	}
	nb := &Notebook{Cells: []*Cell{{Type: Code, Source: "var n = 1", Metadata: Metadata{}}}}
	for _, values := range []map[string]string{nil, {"n": "1"}} {
		if err := nb.Inject(values); err != nil || len(nb.Cells) != 1 {
			t.Errorf("a notebook without parameters: %v", err)
		}
	}
	nb = withParameters(declarations)
	if err := nb.Inject(map[string]string{"modle": "x"}); err != nil || len(nb.Cells) != 3 {
		t.Errorf("nothing to inject: %v", err)
	}
}
