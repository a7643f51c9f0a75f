package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The lecture's notebooks run in JupyterLab, and are right to look at wherever they are opened.
func TestLecture(t *testing.T) {
	e := need(t)
	files, err := filepath.Glob(filepath.Join(e.root, "notebooks", "lecture", *lecture+".ipynb"))
	if err != nil || files == nil {
		t.Fatalf("no notebooks fit %q (%v)", *lecture, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ipynb"), func(t *testing.T) { testLecture(t, e, file) })
	}
}

func testLecture(t *testing.T, e environment, file string) {
	dir := t.TempDir()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, filepath.Base(file))
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	lab, notebook := frontEnds[0], frontEnds[1]
	var pictures []int
	t.Run("run all", func(t *testing.T) {
		p := lab.open(t, lab.serve(t, e, dir, "JupyterLab Light"), file, 1300, 1000)
		begin := time.Now()
		if !eval[bool](p, 20*time.Minute, "driver.runAll()") {
			t.Error("a cell failed")
		}
		t.Logf("%.0f s", time.Since(begin).Seconds())
		pictures = p.checkFigures(t, "light")
		eval[bool](p, time.Minute, "driver.save()")
	})
	if t.Failed() {
		return
	}
	// On another machine, where nobody trusts it.
	for _, c := range []struct {
		frontEnd frontEnd
		theme    string
		width    int64
	}{
		{lab, "JupyterLab Dark", 1300},
		{notebook, "JupyterLab Light", 420},
		{notebook, "JupyterLab Dark", 1000},
	} {
		name := fmt.Sprintf("untrusted in %s, %s, %d pixels", c.frontEnd.name, c.theme, c.width)
		t.Run(name, func(t *testing.T) {
			p := c.frontEnd.open(t, c.frontEnd.serve(t, e, dir, c.theme), file, c.width, 1000)
			p.until("the theme is there", short, "driver.theme() === %s", c.theme)
			if eval[bool](p, short, "driver.trusted()") {
				t.Error("the notebook is trusted")
			}
			got := p.checkFigures(t, "untrusted")
			if fmt.Sprint(got) != fmt.Sprint(pictures) {
				t.Errorf("there are %v pictures, and were %v", got, pictures)
			}
		})
	}
}

// checkFigures looks at every output, and returns the number of pictures of each cell.
func (p *tab) checkFigures(t *testing.T, shot string) (pictures []int) {
	claims, figures := 0, 0
	for i := range eval[int](p, short, "driver.cells()") {
		n := 0
		eval[bool](p, short, "driver.reveal(%s)", i)
		for _, o := range p.outputs(i) {
			html := string(o.Data["text/html"])
			n += strings.Count(html, "<img ")
			switch {
			case o.Type == "error" || o.Name == "stderr":
				t.Errorf("cell %d: %s %s %s", i, o.EName, o.EValue, o.Text)
			case o.Data["application/vnd.lucigo.claim+json"] != nil:
				claims++
			}
		}
		shown := p.text(i)
		if strings.Contains(shown, "✗") {
			t.Errorf("cell %d: %s", i, shown)
		}
		if got := strings.Count(shown, "✓ holds"); strings.Contains(shown, "✓ holds") {
			claims -= got
		}
		if n > 0 {
			figures++
			if got := p.checkPictures(i); got != n {
				t.Errorf("cell %d shows %d of %d pictures", i, got, n)
			}
			p.checkColumns(t, i)
			p.shotOf(i, shot)
		}
		if worst := eval[legible](p, short, "driver.contrast(%s)", i); worst.Ratio < 4 { // 4.5 is asked of small text
			t.Errorf("cell %d: %+v", i, worst)
		}
		pictures = append(pictures, n)
	}
	if claims != 0 {
		t.Errorf("%d claims are not shown", claims)
	}
	if figures == 0 {
		t.Error("there is no figure")
	}
	return pictures
}

// legible is the text that is hardest to read.
type legible struct {
	Ratio                float64
	Text, Colour, Behind string
}

// checkColumns fails where the columns of a figure differ in width, or are cut off.
func (p *tab) checkColumns(t *testing.T, cell int) {
	got := eval[struct {
		Rows         [][]int
		Cut, Scrolls bool
	}](p, short, "driver.columns(%s)", cell)
	for _, row := range got.Rows {
		least, most := row[0], row[0]
		for _, width := range row {
			least, most = min(least, width), max(most, width)
		}
		if most-least > 1 {
			t.Errorf("cell %d: columns of %v pixels", cell, row)
			break
		}
		if least < 40 {
			t.Errorf("cell %d: columns of %d pixels, and no scrolling", cell, least)
			break
		}
	}
	if got.Cut {
		t.Errorf("cell %d is cut off", cell)
	}
}

// shotOf takes a picture of a cell's output, of all its height, where pictures are wanted.
func (p *tab) shotOf(cell int, name string) {
	if *shots == "" {
		return
	}
	box := eval[[]float64](p, short, "driver.box(%s)", cell)
	yes := true
	action := func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &yes,
			Clip: &page.Viewport{X: box[0], Y: box[1], Width: box[2], Height: box[3], Scale: 1}})
		return r.Data, err
	}
	b, err := chromedp.Run(p.ctx, action)
	if err != nil {
		p.Log(err)
		return
	}
	p.save(fmt.Sprintf("%s-%02d", name, cell), b)
}
