package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

//go:embed driver.js
var driver string

// browser is a running Chromium.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); name != "" && err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, fmt.Errorf("there is no Chromium: install it (apt install chromium), or set CHROMIUM to its program")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(filepath.Join(scratch, "chromium")), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", false))
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	closeBrowser = func() { chromedp.Cancel(ctx) }
	return ctx, chromedp.Do(ctx)
})

// closeBrowser ends the browser, if there is one.
var closeBrowser = func() {}

// tab is a page of the browser.
type tab struct {
	*testing.T
	ctx    context.Context
	server *server
}

// newTab opens an empty page, which is closed with the test.
func newTab(t *testing.T, s *server, width, height int64) *tab {
	t.Helper()
	b, err := browser()
	if err != nil {
		t.Skip("SKIPPED, no browser: ", err)
	}
	ctx, cancel := chromedp.NewContext(b)
	t.Cleanup(cancel)
	p := &tab{t, ctx, s}
	if err := chromedp.Do(ctx); err != nil { // The page lives as long as the context of the first action.
		t.Fatal(err)
	}
	p.do(chromedp.EmulateViewport(width, height))
	return p
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.Fatal(err)
	}
}

// with is the tab of a subtest.
func (p *tab) with(t *testing.T) *tab { return &tab{t, p.ctx, p.server} }

// eval is the value of a JavaScript expression; a promise is waited for, up to a limit.
func eval[T any](p *tab, limit time.Duration, expression string, args ...any) (v T) {
	p.Helper()
	v, err := tryEval[T](p, limit, expression, args...)
	if err != nil {
		p.shot("failed")
		p.Fatalf("%s: %v", expression, err)
	}
	return v
}

func tryEval[T any](p *tab, limit time.Duration, expression string, args ...any) (T, error) {
	quoted := make([]any, len(args))
	for i, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			return *new(T), err
		}
		quoted[i] = string(b)
	}
	if args != nil {
		expression = fmt.Sprintf(expression, quoted...)
	}
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

const short = 20 * time.Second

// until waits until a JavaScript condition is true, and returns how long that took.
func (p *tab) until(what string, limit time.Duration, condition string, args ...any) time.Duration {
	p.Helper()
	begin := time.Now()
	for {
		ok, err := tryEval[bool](p, short, "!!("+condition+")", args...)
		if took := time.Since(begin); ok {
			return took
		} else if took > limit {
			p.shot("failed")
			p.Fatalf("%s: not within %v (%v)", what, limit, err)
		}
		time.Sleep(30 * time.Millisecond)
	}
}

// open opens a notebook, and waits until its kernel has answered.
func (f frontEnd) open(t *testing.T, s *server, file string, width, height int64) *tab {
	t.Helper()
	p := newTab(t, s, width, height)
	p.do(chromedp.Navigate(s.base + fmt.Sprintf(f.path, url.PathEscape(filepath.Base(file)))))
	p.until("the notebook opens", 2*time.Minute, "window.jupyterapp?.shell?.currentWidget?.context?.isReady")
	p.do(chromedp.Evaluate[chromedp.Void](driver))
	eval[bool](p, time.Minute, "driver.ready()")
	return p
}

// output is one of a cell's outputs, as the front end holds it.
type output struct {
	Type      string                     `json:"output_type"`
	Name      string                     `json:"name"` // of a stream
	Text      string                     `json:"text"`
	Data      map[string]json.RawMessage `json:"data"`
	EName     string                     `json:"ename"`
	EValue    string                     `json:"evalue"`
	Traceback []string                   `json:"traceback"`
}

// outputs are those of a code cell.
func (p *tab) outputs(cell int) []output {
	p.Helper()
	return eval[[]output](p, short, "driver.outputs(%s)", cell)
}

// text is what the page shows below a code cell.
func (p *tab) text(cell int) string {
	p.Helper()
	return eval[string](p, short, "driver.text(%s)", cell)
}

// run runs a code cell and waits for its end.
func (p *tab) run(cell int) time.Duration {
	p.Helper()
	begin := time.Now()
	eval[bool](p, 2*time.Minute, "driver.run(%s)", cell)
	return time.Since(begin)
}

// set replaces a code cell's text.
func (p *tab) set(cell int, source string) {
	p.Helper()
	eval[bool](p, short, "driver.set(%s, %s)", cell, source)
}

// try runs a text in a code cell, and returns what the page shows then.
func (p *tab) try(cell int, source string) string {
	p.Helper()
	p.set(cell, source)
	p.run(cell)
	return p.text(cell)
}

// click clicks on the middle of the first element that fits.
func (p *tab) click(selector string) {
	p.Helper()
	at := eval[[]float64](p, short, "driver.place(%s)", selector)
	if len(at) != 2 {
		p.shot("failed")
		p.Fatalf("there is no %s on the page", selector)
	}
	p.do(chromedp.MouseClickXY(at[0], at[1]))
}

// shot takes a picture of the window, where pictures are wanted.
func (p *tab) shot(name string) {
	p.Helper()
	if *shots == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	b, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.Log(err)
		return
	}
	p.save(name, b)
}

// save keeps a picture.
func (p *tab) save(name string, png []byte) {
	name = strings.NewReplacer("/", "-", " ", "-", ",", "").Replace(p.Name() + "-" + name)
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o666); err != nil {
		p.Log(err)
	}
}
