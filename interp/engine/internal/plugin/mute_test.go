//go:build cgo && (linux || darwin)

package plugin

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

const envMute = "LUCIGO_PLUGIN_TEST_MUTE"

// TestMute starts itself again as a child that speaks on standard error before, during and after.
func TestMute(t *testing.T) {
	if os.Getenv(envMute) != "" {
		fmt.Fprint(os.Stderr, "before ")
		unmute := mute()
		fmt.Fprint(os.Stderr, "during ")
		unmute()
		fmt.Fprint(os.Stderr, "after")
		os.Exit(0)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestMute$")
	cmd.Env = append(os.Environ(), envMute+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if stderr.String() != "before after" {
		t.Errorf("standard error got %q", &stderr)
	}
}
