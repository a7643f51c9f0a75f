package page

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"lucigo/kernel/notebook"
)

// TestNothingRunsInABrowser: Chromium runs nothing of what a notebook holds; without the policy it
// would.
func TestNothingRunsInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("it needs Chromium, and some seconds")
	}
	const mark = "document.documentElement.setAttribute('data-ran','')"
	var outputs []*notebook.Output
	for _, payload := range []string{
		"<script>" + mark + "</script>", `<img src=x onerror="` + mark + `">`, `<svg onload="` + mark + `"></svg>`,
		`<details open ontoggle="` + mark + `">x</details>`,
		`<iframe srcdoc="<script>parent.` + mark + `</script>"></iframe>`,
		`<base href="https://example.org/"><form id=f action="https://example.org"></form>`,
		`<link rel=stylesheet href="other.css"><style>@import "other.css";</style>`, `<video src="x" onerror="` + mark + `"></video>`,
		`<body onload="` + mark + `">`,
	} {
		outputs = append(outputs, show("text/html", payload), show("text/markdown", payload), show("image/svg+xml", payload),
			show("text/plain", payload))
	}
	nb := code("// </pre><script>"+mark+"</script>", outputs...)
	nb.Cells = append(nb.Cells, &notebook.Cell{ID: "m", Type: notebook.Markdown, Source: "<script>" + mark +
		"</script> [a](javascript:" + mark + ") ![a](x\" onerror=\"" + mark + ")"})
	page, err := render(nb, Info{File: "x.ipynb", Note: "<script>" + mark + "</script>"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	policy := regexp.MustCompile(`<meta http-equiv="Content-Security-Policy"[^>]*>`)
	ran := func(page []byte) bool {
		file := filepath.Join(dir, "page.html")
		if err := os.WriteFile(file, page, 0o666); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu",
			"--user-data-dir="+filepath.Join(dir, "profile"), "--virtual-time-budget=2000", "--dump-dom", "file://"+file)
		cmd.WaitDelay = time.Second
		dom, err := cmd.Output()
		if err != nil {
			t.Skipf("Chromium does not start here: %v", err)
		}
		_, root, ok := strings.Cut(string(dom), "<html")
		root, _, _ = strings.Cut(root, ">")
		if !ok || !strings.Contains(string(dom), "<main>") {
			t.Fatalf("the page is not there:\n%s", dom)
		}
		return strings.Contains(root, "data-ran")
	}
	if ran(page) {
		t.Error("a notebook's script ran")
	}
	if !ran(policy.ReplaceAll(page, nil)) {
		t.Error("without the policy nothing runs: this test shows nothing")
	}
}
