package lab

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The launcher has a tile for the kernel, with its picture.
func TestLauncher(t *testing.T) {
	e := need(t)
	lab := frontEnds[0]
	p := newTab(t, lab.serve(t, e, t.TempDir(), "JupyterLab Light"), 1300, 1000)
	p.do(chromedp.Navigate(p.server.base + "/lab?reset"))
	const tile = `document.querySelector('.jp-LauncherCard[title="Go (LuciGo)"] img, .jp-LauncherCard[data-category="Notebook"][title*="LuciGo"] img')`
	p.until("the tile has a picture", 2*time.Minute, tile+"?.naturalWidth > 0")
	p.shot("tile")
}

// ours are lines that Jupyter's servers write about their own business.
var ours = regexp.MustCompile(`^\[I |^Setting websocket_ping|^\[W .*(` +
	`Notebook .* is not trusted|No such file or directory: \.ipynb_checkpoints|Could not determine jupyterlab build status|` +
	`The websocket_ping_timeout|delete /|wrote error|404 (GET|DELETE) |No checkpoint|Replacing stale connection|` +
	`All authentication is disabled|Extension package .* took|wrapped|Got events for closed stream|jupyter_lsp|nodejs)`)

// The kernel says nothing in the server's log while all is right.
func (s *server) checkLog(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(s.lines()) {
		if line = strings.TrimSpace(line); line != "" && !ours.MatchString(line) {
			t.Errorf("the log has %q", line)
		}
	}
}
