//go:build unix

package exemplar

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lucigo/interp/interptest"
)

// The test's binary is also the process that is killed, and the one whose disk is full.
func TestMain(m *testing.M) {
	path := os.Getenv("EXEMPLAR_TEST_INDEX")
	switch os.Getenv("EXEMPLAR_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "slow":
		src := childData()
		src.wait = 5 * time.Millisecond
		_, err := childScan(path).Run(ctx, interptest.Branchy(), src)
		fmt.Println(err)
	case "full":
		plan := childScan(path)
		plan.Shards = 2
		if _, err := plan.Run(ctx, interptest.Branchy(), childData()); err != nil {
			fmt.Println("too soon:", err)
			os.Exit(1)
		}
		var limit syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
		limit.Cur = 1000
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}
		if err != nil {
			fmt.Println("no limit:", err)
			os.Exit(1)
		}
		plan.Shard = 1
		ix, err := plan.Run(ctx, interptest.Branchy(), childData())
		done, _ := ix.Scanned()
		fmt.Println(done, err)
	}
}

func childData() numbered { return data(interptest.Branchy(), 400) }

func childScan(path string) Scan {
	return Scan{Layers: layers, K: 3, Batch: 4, Path: path, Every: time.Nanosecond}
}

func child(t *testing.T, what, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "EXEMPLAR_TEST_CHILD="+what, "EXEMPLAR_TEST_INDEX="+path)
	return c
}

// Killed wherever it is, a scan goes on from its last checkpoint and ends with the same file.
func TestLawKill(t *testing.T) {
	m := interptest.Branchy()
	plan := childScan("")
	want := file(t, scan(t, plan, m, childData()))
	plan.Path = filepath.Join(t.TempDir(), "index")
	for kill := range 3 {
		before := scannedOf(plan.Path)
		c := child(t, "slow", plan.Path)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for scannedOf(plan.Path) < before+20 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(kill) * 3 * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // says that it was killed
		if got := scannedOf(plan.Path); got < before+20 || got >= 400 {
			t.Fatalf("killed at %d images", got)
		}
	}
	src := childData()
	before := scannedOf(plan.Path)
	all := scan(t, plan, m, src)
	if n := int(src.reads.Load()); n != 400-before {
		t.Errorf("%d images were in the index, and %d were read again", before, n)
	}
	if !bytes.Equal(file(t, all), want) {
		t.Error("another index")
	}
}

// scannedOf returns how far the index in a file has come: 0 where there is none.
func scannedOf(path string) int {
	ix, err := read(path)
	if err != nil {
		return 0
	}
	done, _ := ix.Scanned()
	return done
}

// A disk that is full costs nothing of the index that is there, and the error says what to do.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	out, err := child(t, "full", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, has := range []string{path, "file too large", "what stood there is as it was", "make room"} {
		if !strings.Contains(string(out), has) {
			t.Errorf("no %q in %s", has, out)
		}
	}
	if got := scannedOf(path); got != 200 {
		t.Errorf("%d images in the index, want the first 200", got)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("beside the index: %v, %v", all, err)
	}
	plan := childScan(path)
	want := file(t, scan(t, childScan(""), interptest.Branchy(), childData()))
	if got := file(t, scan(t, plan, interptest.Branchy(), childData())); !bytes.Equal(got, want) {
		t.Error("with room again, another index")
	}
}
