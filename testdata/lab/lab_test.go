package lab

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// The front ends in the browser, with a notebook of a figure and a claim.
func TestFrontEnds(t *testing.T) {
	e := need(t)
	for _, f := range frontEnds {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			file := write(t, dir, "small.ipynb", greeting, figure, claims, "", "")
			s := f.serve(t, e, dir, map[string]string{"lab": "JupyterLab Light", "notebook": "JupyterLab Dark"}[f.name])
			p := f.open(t, s, file, 1300, 1000)
			for _, sub := range []struct {
				name string
				test func(*tab)
			}{
				{"run all", testRunAll}, {"errors", testErrors}, {"stop at an error", testStop}, {"interrupt", testInterrupt},
				{"restart", testRestart}, {"input", testInput}, {"completion", testCompletion}, {"tooltip", testTooltip},
				{"printing", testPrinting}, {"progress", testProgress}, {"dream", testDream}, {"console", testConsole},
			} {
				if sub.name == "console" && f.name != "lab" {
					continue // Notebook 7 opens it on a page of its own.
				}
				t.Run(sub.name, func(t *testing.T) { sub.test(p.with(t)) })
			}
			t.Run("log", s.checkLog)
			t.Run("end", s.checkEnd)
		})
	}
}

// The cells of the small notebook. Cells free and free + 1 are empty.
const (
	greeting = `fmt.Println("größer als", 1)`
	figure   = `x := interp.Images{N: 4, H: 48, W: 48, C: 3, Pix: make([]float64, 4*48*48*3)}
for i := range x.Pix {
	x.Pix[i] = .5 + .5*math.Sin(float64(i)/(300+float64(i/(48*48*3))))
}
must.M(show.Pictures{Title: "waves", Images: x, Captions: []string{"one", "two", "three", "four"}}.Show())`
	claims = `must.M(claim.AtMost("One is small: it is %v", 1, 2))`
	free   = 3
)

func testRunAll(p *tab) {
	if !eval[bool](p, time.Minute, "driver.runAll()") {
		p.Error("a cell failed")
	}
	p.shot("end")
	if shown := p.text(0); shown != "größer als 1\n" && shown != "größer als 1" {
		p.Errorf("it shows %q", shown)
	}
	if shown := p.text(2); !strings.Contains(shown, "✓ holds") || !strings.Contains(shown, "One is small: it is 1 (required: at most 2)") {
		p.Errorf("the claim is shown as %q", shown)
	}
	p.checkPictures(1)
	for i := range 3 {
		for _, o := range p.outputs(i) {
			if o.Type == "error" || o.Name == "stderr" {
				p.Errorf("cell %d: %+v", i, o)
			}
		}
	}
}

// picture is what the page has of a picture.
type picture struct {
	Complete       bool
	Data           bool // its source is in the page
	Natural, Shown [2]int
	Shades         int  // colours among 1,024 of its pixels
	Inside         bool // within the output's width
}

// checkPictures fails where a code cell's output has a picture that is not decoded or has one colour, or none, and
// returns their number.
func (p *tab) checkPictures(cell int) int {
	p.Helper()
	eval[bool](p, short, "driver.reveal(%s)", cell)
	all := eval[[]picture](p, short, "driver.pictures(%s)", cell)
	if len(all) == 0 {
		p.Errorf("cell %d shows no picture", cell)
	}
	for i, one := range all {
		if !one.Complete || !one.Data || one.Natural[0] < 8 || one.Natural[1] < 8 || one.Shown[0] < 8 || one.Shades < 2 {
			p.Errorf("cell %d, picture %d: %+v", cell, i, one)
		}
	}
	return len(all)
}

// A message has the line, what the line is, and a place in it.
func testErrors(p *tab) {
	for _, c := range []struct {
		name, source, error string
		shown               []string
	}{
		{"compile", "x := 1\nfmt.Println(x, y)", "CompileError", []string{"line 2: undefined: y", "    fmt.Println(x, y)\n                   ^"}},
		{"syntax", "x := (1\nfmt.Println(x)", "SyntaxError", []string{"line 1:", "    x := (1\n"}},
		{"name", "fmt.Println(show.Gird{})", "CompileError", []string{"line 1:", "Gird", "Grid"}},
		{"panic", "var a []int\ni := 3\nfmt.Println(a[i])", "Panic", []string{"index out of range [3] with length 0", "line 3", "fmt.Println(a[i])"}},
		{"exit", "os.Exit(3)", "ExitError", []string{"exit status 3"}},
		{"exit 0", "os.Exit(0)", "ExitError", []string{"os.Exit(0)"}},
		{"command", "!ls /does/not/exist", "CommandError", []string{"ls /does/not/exist", "exit status 2"}},
		{"magic", "%tset", "", []string{"tset"}},
		{"claim", `must.M(claim.AtMost("Two is small: it is %v", 2, 1))` + "\n" + `must.M(claim.AtMost("One is small: it is %v", 1, 2))`,
			"ClaimError", []string{"✗ FAILS", "✓ holds", "a claim does not hold: Two is small: it is 2"}},
	} {
		p.Run(c.name, func(t *testing.T) {
			p := p.with(t)
			shown := strings.ReplaceAll(p.try(free, c.source), "\u00a0", " ")
			for _, want := range c.shown {
				if !strings.Contains(shown, want) {
					p.Errorf("it lacks %q:\n%s", want, shown)
				}
			}
			out := p.outputs(free)
			if len(out) == 0 || out[len(out)-1].Type != "error" || c.error != "" && out[len(out)-1].EName != c.error {
				p.Fatalf("the last output is no %s: %+v", c.error, out)
			}
			if bad := regexp.MustCompile(`flag\.Parse|main\.go|lucigo-cells|/tmp/|goroutine|exit status 1\b`).FindString(shown); bad != "" {
				p.Errorf("it has %q:\n%s", bad, shown)
			}
			if worst := eval[legible](p, short, "driver.contrast(%s)", free); worst.Ratio < 4 {
				p.Errorf("%+v", worst)
			}
			p.shot("shown")
		})
	}
}

// Run All ends at the first error: the next cell does not run.
func testStop(p *tab) {
	for _, source := range []string{`panic("stop here")`, `must.M(claim.AtMost("Two is small: it is %v", 2, 1))`, "!false"} {
		p.set(free, source)
		p.set(free+1, `fmt.Println("it goes on")`)
		if eval[bool](p, time.Minute, "driver.runAll()") {
			p.Errorf("%s: the run is a success", source)
		}
		p.until("the kernel is at rest", short, "driver.kernel() === 'idle'")
		time.Sleep(300 * time.Millisecond)
		if shown := p.text(free + 1); shown != "" {
			p.Errorf("%s: the cell after it shows %q", source, shown)
		}
	}
	// So it does at an interrupt.
	p.set(free, "fmt.Println(\"begun\")\ntime.Sleep(time.Minute)")
	eval[bool](p, short, "driver.startAll()")
	p.until("it begins", time.Minute, "driver.text(%s).includes('begun')", free)
	p.click(stopButton)
	p.until("it ends", short, "driver.idle()")
	time.Sleep(300 * time.Millisecond)
	if shown := p.text(free + 1); shown != "" {
		p.Errorf("after an interrupt the next cell shows %q", shown)
	}
	p.set(free, "")
	p.set(free+1, "")
}

// The button that interrupts, in each front end.
const stopButton = `[data-command="notebook:interrupt-kernel"], [title*="Interrupt the kernel"]`

// A cell ends within two seconds, and what it has shown stays.
func testInterrupt(p *tab) {
	p.try(free+1, "func answer() int { return 40 + 2 }")
	for _, c := range []struct{ name, source, shown string }{
		{"wait", "fmt.Println(\"begun\")\ntime.Sleep(time.Minute)", "begun"},
		{"busy", "fmt.Println(\"begun\")\nfor {\n}", "begun"},
		{"command", "!echo begun; sleep 60", "begun"},
		{"endless print", "for i := 0; ; i++ {\n\tfmt.Println(\"line\", i)\n}", "line"},
	} {
		p.Run(c.name, func(t *testing.T) {
			p := p.with(t)
			var took time.Duration
			for range 3 { // A machine that has other work may be late once.
				p.set(free, c.source)
				eval[bool](p, short, "driver.start(%s)", free)
				p.until("it prints", time.Minute, "driver.text(%s).includes(%s)", free, c.shown)
				time.Sleep(time.Second)
				begin := time.Now()
				p.click(stopButton)
				p.until("it ends", 2*time.Minute, "driver.state(%s) === 'idle'", free)
				took = time.Since(begin)
				out := p.outputs(free)
				t.Logf("interrupted in %.2f s, with %d characters", took.Seconds(), len(out[0].Text))
				if last := out[len(out)-1]; last.Type != "error" || last.EName != "Interrupted" {
					p.Errorf("the last output is %+v", last)
				}
				if !strings.Contains(p.text(free), c.shown) {
					p.Errorf("what was shown is gone: %q", p.text(free))
				}
				if took < 2*time.Second {
					return
				}
			}
			t.Errorf("interrupted after %v", took)
		})
	}
	if shown := p.try(free, "fmt.Println(answer())"); !strings.Contains(shown, "42") {
		p.Errorf("after the interrupts: %q", shown)
	}
}

// A restarted kernel has forgotten declarations.
func testRestart(p *tab) {
	p.try(free, "func answer() int { return 42 }")
	if shown := p.try(free+1, "fmt.Println(answer())"); !strings.Contains(shown, "42") {
		p.Errorf("before: %q", shown)
	}
	begin := time.Now()
	eval[bool](p, time.Minute, "driver.restart()")
	p.Logf("restarted in %.2f s", time.Since(begin).Seconds())
	if shown := p.try(free+1, "fmt.Println(answer())"); !strings.Contains(shown, "undefined: answer") {
		p.Errorf("after: %q", shown)
	}
	if shown := p.try(free+1, "fmt.Println(40 + 2)"); !strings.Contains(shown, "42") {
		p.Errorf("after: %q", shown)
	}
}
