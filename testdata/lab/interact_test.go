package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// keys types on the keyboard.
func (p *tab) keys(keys string, options ...chromedp.KeyOption) {
	p.Helper()
	p.do(chromedp.KeyEvent(keys, options...))
}

// enter presses Enter as a keyboard does where the page takes the key: no character comes of it.
func (p *tab) enter() {
	p.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
				Type: typ, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
			}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// A program that reads its standard input makes the front end ask, with the prompt; so does a command's.
func testInput(p *tab) {
	for _, source := range []string{
		"fmt.Print(\"your name? \")\nvar name string\nfmt.Scanln(&name)\nfmt.Println(\"hello\", name)",
		"!printf 'your name? '; read name; echo hello $name",
	} {
		p.set(free, source)
		eval[bool](p, short, "driver.start(%s)", free)
		p.until("it asks", short, "driver.visible('.jp-Stdin-input')")
		p.shot("asks")
		p.click(".jp-Stdin-input")
		p.keys("Zoë" + kb.Enter)
		p.until("it ends", short, "driver.state(%s) === 'idle'", free)
		if shown := p.text(free); !strings.Contains(shown, "your name? ") || !strings.Contains(shown, "hello Zoë") {
			p.Errorf("it shows %q", shown)
		}
	}
}

// What users print by mistake does not stop the page.
func testPrinting(p *tab) {
	for _, c := range []struct{ name, source, last string }{
		{"bytes that are no text", "!head -c 118000 /dev/urandom; echo; echo the end", "the end"},
		{"a bar that returns", "for n := range 30 {\n\tfor i := range 1000 {\n\t\tfmt.Printf(\"\\r%02d %05d %s\", n, i, strings.Repeat(\"#\", 1+i*70/1000))\n\t}\n\tfmt.Println()\n}\nfmt.Println(\"the end\")", "the end"},
		{"20,000 lines", "for i := range 20000 {\n\tfmt.Println(\"line\", i)\n}", "line 19999"},
	} {
		p.Run(c.name, func(t *testing.T) {
			p := p.with(t)
			p.set(free, c.source)
			took := p.run(free)
			answers := eval[float64](p, short, "driver.answers()")
			t.Logf("%.1f s; then the page answers in %.0f ms", took.Seconds(), answers)
			if took > 15*time.Second || answers > 2000 {
				t.Error("that is too slow")
			}
			var all strings.Builder
			for _, o := range p.outputs(free) {
				all.WriteString(o.Text)
			}
			if !strings.Contains(all.String(), c.last) {
				t.Errorf("it ends with %q", all.String()[max(0, all.Len()-200):])
			}
			p.set(free, "")
			p.run(free)
		})
	}
}

var ofTests = regexp.MustCompile("^(Test|Example|Benchmark|Fuzz)([A-Z_]|$)")

// Tab completes what stands before the cursor.
func testCompletion(p *tab) {
	p.run(0) // The language server starts with the kernel.
	for i, c := range []struct {
		typed string
		want  []string // in the list
		whole string   // what a single completion makes of it
	}{
		{"show.", []string{"Grid", "Figure", "Progress", "Dream"}, ""},
		{"saliency.", []string{"Gradient", "SmoothGrad", "Guided"}, ""},
		{"fmt.Println(\"größer → 1\", 1); show.Pic", nil, "fmt.Println(\"größer → 1\", 1); show.Pictures"},
		{"größe := 1\ngrö", nil, "größe := 1\ngröße"},
		{"fmt.Println(\"𝐚🦋\"); show.Pic", nil, "fmt.Println(\"𝐚🦋\"); show.Pictures"}, // beyond 16 bits
		{"%he", nil, "%help"},
	} {
		p.Run(c.typed, func(t *testing.T) {
			p := p.with(t)
			before := eval[string](p, short, "driver.completions().join()")
			eval[bool](p, short, "driver.edit(%s, %s)", free, c.typed)
			begin := time.Now()
			p.keys(kb.Tab)
			var list []string
			if c.whole == "" {
				p.until("a list appears", 30*time.Second, "driver.completions().length > 0 && driver.completions().join() !== %s", before)
				list = eval[[]string](p, short, "driver.completions()")
			} else {
				p.until("it is completed", 30*time.Second, "driver.source(%s) === %s || driver.completions().length > 0", free, c.whole)
				list = eval[[]string](p, short, "driver.completions()")
			}
			took := time.Since(begin)
			t.Logf("%d names in %.2f s: %.60q", len(list), took.Seconds(), strings.Join(list, " "))
			limit := 700 * time.Millisecond // of which the key and the page take a part
			if i == 0 {
				limit = 2500 * time.Millisecond
			}
			if took > limit {
				t.Errorf("it took %v", took)
			}
			for _, name := range c.want {
				if !slices.Contains(list, name) {
					p.Errorf("the list lacks %s: %q", name, list)
				}
			}
			for _, name := range list {
				if ofTests.MatchString(name) {
					p.Errorf("the list has %s", name)
				}
			}
			if slices.Sort(list); len(slices.Compact(slices.Clone(list))) != len(list) {
				p.Errorf("a name is there twice: %q", list)
			}
			if c.whole != "" {
				time.Sleep(300 * time.Millisecond) // A front end may take a single name at once.
				if eval[string](p, short, "driver.source(%s)", free) != c.whole {
					p.enter()
				}
				p.until("it is completed", short, "driver.source(%s) === %s", free, c.whole)
			}
			p.shot("list")
			p.keys(kb.Escape)
			eval[bool](p, short, "driver.edit(%s, '')", free)
		})
	}
}

// Shift-Tab shows what a function is.
func testTooltip(p *tab) {
	eval[bool](p, short, "driver.edit(%s, %s)", free, "fmt.Println")
	begin := time.Now()
	p.keys(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	p.until("a text appears", short, "driver.visible('.jp-Tooltip') && document.querySelector('.jp-Tooltip').innerText.trim() !== ''")
	p.Logf("%.2f s", time.Since(begin).Seconds())
	p.shot("text")
	shown := eval[string](p, short, "document.querySelector('.jp-Tooltip').innerText")
	if !strings.Contains(shown, "Println(a ...any)") && !strings.Contains(shown, "gopls") {
		p.Errorf("it shows %q", shown)
	}
	p.keys(kb.Escape)
	p.keys(kb.Escape)
	eval[bool](p, short, "driver.edit(%s, '')", free)
}

// A line changes in its place: there is one output at any time.
func testProgress(p *tab) {
	p.set(free, "line := show.Progress{Title: \"work\", Total: 30}\nfor i := range 31 {\n\tmust.M(line.Set(i, \"\"))\n\ttime.Sleep(50 * time.Millisecond)\n}")
	eval[bool](p, short, "driver.watch(%s)", free)
	p.run(free)
	seen := eval[watched](p, short, "driver.watched()")
	if seen.Most != 1 || len(seen.Texts) < 5 {
		p.Errorf("%d outputs at once, and %d states: %q", seen.Most, len(seen.Texts), seen.Texts)
	}
	if shown := p.text(free); !strings.Contains(shown, "work: 30 of 30") {
		p.Errorf("in the end: %q", shown)
	}
}

// watched is what a code cell's output showed while it ran.
type watched struct {
	Most     int // outputs at once
	Least    int // since the first
	Texts    []string
	Pictures int // different ones
	Blank    bool
}

// aDream is compiled each time: nothing is kept in the folder of programs that it is given.
const aDream = `os.Setenv("LUCIGO_COMPILE_CACHE", %q)
ctx := context.Background()
n := must.M1(subject.Open(ctx, "scenes-robust"))
x := must.M1(n.Picture("", 96))
layers := must.M1(n.Stages())
d := dream.Dream{Iterations: %d, Octaves: 2}
must.M1(show.Dream{Title: "a dream", Images: x, Frames: d.Frames(ctx, n.Model, objective.Energy(layers[1]), x)}.Show())`

// A dream's line and picture change in their places, from the moment when it is being compiled.
func testDream(p *tab) {
	p.set(free, fmt.Sprintf(aDream, p.TempDir(), 60))
	eval[bool](p, short, "driver.watch(%s)", free)
	p.run(free)
	p.shot("end")
	seen := eval[watched](p, short, "driver.watched()")
	p.Logf("%d pictures, %d states: %.300q", seen.Pictures, len(seen.Texts), seen.Texts)
	if seen.Most != 2 || seen.Pictures < 3 || len(seen.Texts) < 4 || seen.Blank {
		p.Errorf("%+v", seen)
	}
	if len(seen.Texts) > 0 && !strings.Contains(seen.Texts[0], "compiling") {
		p.Errorf("it does not begin with compiling: %q", seen.Texts[0])
	}
	p.checkPictures(free)

	// It is interrupted, and what there is stays.
	p.set(free, fmt.Sprintf(aDream, p.TempDir(), 100000))
	eval[bool](p, short, "driver.start(%s)", free)
	p.until("a picture appears", time.Minute, "driver.shownPictures(%s) > 0", free)
	time.Sleep(time.Second)
	begin := time.Now()
	p.click(stopButton)
	p.until("it ends", time.Minute, "driver.state(%s) === 'idle'", free)
	took := time.Since(begin)
	p.Logf("interrupted in %.2f s", took.Seconds())
	if took > 2*time.Second {
		p.Errorf("interrupted after %v", took)
	}
	p.checkPictures(free)
	if out := p.outputs(free); len(out) != 3 || out[2].EName != "Interrupted" {
		p.Errorf("%d outputs: %+v", len(out), out)
	}
	p.shot("interrupted")
}

// In a console, Enter runs what is complete, and makes a line where it is not.
func testConsole(p *tab) {
	eval[bool](p, time.Minute, "driver.console()")
	p.click(".jp-CodeConsole-promptCell .cm-content")
	p.keys("func double(x int) int {")
	eval[bool](p, short, "driver.enter()")
	p.until("a line begins", short, "/\\n\\s+$/.test(driver.prompt())")
	p.keys("return 2 * x" + kb.Enter)
	eval[bool](p, short, "driver.replace(%s)", "func double(x int) int {\n\treturn 2 * x\n}")
	eval[bool](p, short, "driver.enter()")
	p.until("it runs", short, "driver.prompt() === ''")
	p.click(".jp-CodeConsole-promptCell .cm-content")
	p.keys("fmt.Println(double(21))")
	eval[bool](p, short, "driver.enter()")
	p.until("it prints", short, "document.querySelector('.jp-CodeConsole-content').innerText.includes('42')")
	p.shot("end")
	eval[bool](p, short, "driver.back()")
}

// Without the language server Tab knows packages, and says what is missing for the rest.
func TestWithoutGopls(t *testing.T) {
	e := need(t)
	b, err := os.ReadFile(filepath.Join(e.data, "kernels", "lucigo", "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(b, &spec); err != nil {
		t.Fatal(err)
	}
	spec["env"].(map[string]any)["LUCIGO_GOPLS"] = "/nowhere/gopls"
	if b, err = json.Marshal(spec); err != nil {
		t.Fatal(err)
	}
	e.data = t.TempDir()
	if err := os.MkdirAll(filepath.Join(e.data, "kernels", "lucigo"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(e.data, "kernels", "lucigo", "kernel.json"), b, 0o666); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := frontEnds[0]
	p := f.open(t, f.serve(t, e, dir, "JupyterLab Light"), write(t, dir, "small.ipynb", greeting, ""), 1300, 1000)
	p.run(0)
	eval[bool](p, short, "driver.edit(1, %s)", "show.")
	p.keys(kb.Tab)
	p.until("a list appears", short, "driver.completions().includes('Grid')")
	p.keys(kb.Escape)
	eval[bool](p, short, "driver.edit(1, %s)", "g := show.Grid{}\ng.")
	p.keys(kb.Tab)
	p.until("a hint appears", short, "driver.completions().some(c => c.includes('go run ./kernel install'))")
	p.shot("hint")
	p.keys(kb.Escape)
	eval[bool](p, short, "driver.edit(1, %s)", "fmt.Println")
	p.keys(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	p.until("a hint appears", short, "document.querySelector('.jp-Tooltip')?.innerText.includes('go run ./kernel install')")
}
