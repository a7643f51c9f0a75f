//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"lucigo/internal/project"
	"lucigo/kernel/jupyter"
)

// TestMain lets the test program be the kernel.
func TestMain(m *testing.M) {
	if os.Getenv("LUCIGO_TEST_KERNEL") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func start(t *testing.T) *jupyter.Kernel {
	t.Helper()
	if testing.Short() {
		t.Skip("it compiles cells")
	}
	root, err := project.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	k, err := jupyter.Start(t.Context(), jupyter.Command{Argv: []string{os.Args[0], "{connection_file}"}, Dir: t.TempDir(),
		Env: append(os.Environ(), "LUCIGO_TEST_KERNEL=1", project.EnvRoot+"="+root)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	return k
}

// execute runs a cell and returns what it printed and the value of its error.
func execute(t *testing.T, ctx context.Context, k *jupyter.Kernel, code string, printed func(string)) (text, value string, err error) {
	t.Helper()
	_, err = k.Execute(ctx, jupyter.Request{Code: code, OnMessage: func(typ string, content json.RawMessage) error {
		var m struct{ Text, EValue string }
		if err := json.Unmarshal(content, &m); err != nil {
			return err
		}
		text += m.Text
		if typ == "error" {
			value = m.EValue
		}
		if printed != nil && m.Text != "" {
			printed(m.Text)
		}
		return nil
	}})
	return text, value, err
}

// A cell ends at once when it is interrupted, and the kernel goes on.
func TestInterrupt(t *testing.T) {
	k := start(t)
	for _, code := range []string{
		"fmt.Println(\"begun\")\ntime.Sleep(time.Minute)",
		"fmt.Println(\"begun\")\nfor {\n}",
		"for i := 0; ; i++ {\n\tfmt.Println(i)\n}",
		"!echo begun; sleep 60",
	} {
		ctx, stop := context.WithCancel(t.Context())
		var at time.Time
		_, value, err := execute(t, ctx, k, code, func(string) {
			if at.IsZero() {
				at = time.Now()
				stop()
			}
		})
		if took := time.Since(at); took > 2*time.Second || !errors.Is(err, context.Canceled) || value != "the cell was interrupted" {
			t.Errorf("%q ends after %v: %q, %v", code, took, value, err)
		}
	}
	if text, value, err := execute(t, t.Context(), k, "fmt.Println(\"on\")", nil); text != "on\n" || value != "" || err != nil {
		t.Errorf("%q, %q, %v", text, value, err)
	}
}

// A kernel that is killed leaves no cell.
func TestKilled(t *testing.T) {
	k := start(t)
	var guard, kernel, cell int
	_, _, err := execute(t, t.Context(), k, "fmt.Println(os.Getppid(), os.Getpid())\nselect {\ncase <-time.After(time.Hour):\n}", func(text string) {
		if n, _ := fmt.Sscan(text, &guard, &cell); n == 2 {
			out, _ := exec.Command("ps", "-o", "ppid=", "-p", fmt.Sprint(guard)).Output()
			if fmt.Sscan(string(out), &kernel); kernel > 1 {
				syscall.Kill(kernel, syscall.SIGKILL)
			}
		}
	})
	if !errors.Is(err, jupyter.ErrDied) || cell == 0 {
		t.Fatalf("%v, the cell is process %d", err, cell)
	}
	for end := time.Now().Add(10 * time.Second); syscall.Kill(cell, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the cell, process %d, lives on", cell)
		}
	}
}

func TestIsComplete(t *testing.T) {
	k := &kernel{}
	for code, want := range map[string]string{
		"fmt.Println(1)": "complete", "var x = 1": "complete", "func f() {\n}": "complete", "%%\nx := 1": "complete", "": "complete",
		"func f() {": "incomplete\t", "if x {\n\tfor {": "incomplete\t\t", "x := `": "incomplete", "/* a": "incomplete", "x := 1 +": "incomplete",
		"!echo \\": "incomplete", "f(1,": "incomplete\t", "%%bash\necho \"`{\"": "complete", "%%writefile x\n{": "complete", "func f( }": "invalid", "x := ) 1": "invalid", "%tset": "invalid",
	} {
		if status, indent := k.IsComplete(code); status+indent != want {
			t.Errorf("%q is %q, want %q", code, status+indent, want)
		}
	}
}

// Front ends count code points.
func TestBytesOf(t *testing.T) {
	for _, c := range []struct {
		code   string
		points int
		want   int
	}{{"", 0, 0}, {"abc", 1, 1}, {"äö", 1, 2}, {"a😀b", 2, 5}, {"a😀b", 3, 6}, {"ä", 9, 2}} {
		if got := bytesOf(c.code, c.points); got != c.want {
			t.Errorf("%d of %q is at byte %d, want %d", c.points, c.code, got, c.want)
		}
	}
}
