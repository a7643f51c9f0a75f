//go:build unix

package cell

import (
	"encoding/gob"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// The test binary is also the program that a notebook runs: CELL says what it displays.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv("CELL") {
	case "":
		os.Exit(m.Run())
	case "claim":
		err = Display(Output{HTML: "<b>1</b>", Text: "one", Type: "application/vnd.lucigo.claim+json",
			Value: map[string]any{"holds": true, "measured": 0.25, "sentence": "1 < 2"}})
	case "update":
		for i := range 3 {
			if err == nil {
				err = Update("same", Output{HTML: fmt.Sprint("<b>", i, "</b>"), Text: fmt.Sprint(i)})
			}
		}
	case "impatient":
		err = send("", Output{HTML: "<b>1</b>", Text: "one"}, 50*time.Millisecond)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	os.Exit(0) // as abruptly as a cell ends
}

// notebook runs this binary as a cell's program, as GoNB does, and returns what it displayed and printed.
func notebook(t *testing.T, cell string, acknowledge bool) (shown []protocol.DisplayData, printed string, err error) {
	t.Helper()
	// What the kernel knows of gob types beside those of gonbui.
	gob.Register(map[string]any{})
	dir := t.TempDir()
	to, from := filepath.Join(dir, "to"), filepath.Join(dir, "from")
	for _, pipe := range []string{to, from} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CELL="+cell, protocol.GONB_PIPE_ENV+"="+to, protocol.GONB_PIPE_BACK_ENV+"="+from)
	done := make(chan []protocol.DisplayData)
	go func() {
		defer close(done)
		r, err := os.Open(to)
		if err != nil {
			return
		}
		defer r.Close()
		w, err := os.OpenFile(from, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer w.Close()
		in, out := gob.NewDecoder(r), gob.NewEncoder(w)
		for {
			var d protocol.DisplayData
			if in.Decode(&d) != nil {
				done <- shown
				return
			}
			value, sync := d.Data[protocol.MIMECommValue].(protocol.CommValue)
			switch {
			case !sync:
				shown = append(shown, d)
			case acknowledge:
				out.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value.Value})
			}
		}
	}()
	out, err := cmd.CombinedOutput()
	select {
	case shown = <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the program did not open its pipes")
	}
	return shown, string(out), err
}

func TestDisplay(t *testing.T) {
	shown, printed, err := notebook(t, "claim", true)
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
	shown, printed, err := notebook(t, "update", true)
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
	_, printed, err := notebook(t, "impatient", false)
	if err == nil || !strings.Contains(printed, "restart the kernel") {
		t.Errorf("error %v, printed %q", err, printed)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func ExampleDisplay() {
	fmt.Println(InNotebook())
	Display(Output{HTML: "<b>one</b>", Text: "one"})
	// Output:
	// false
	// one
}
