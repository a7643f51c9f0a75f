//go:build unix

package exemplar

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lucigo/interp"
	"lucigo/interp/interptest"
)

// The test's binary is also the process that is killed, and the one whose disk is full.
func TestMain(m *testing.M) {
	path := os.Getenv("EXEMPLAR_TEST_INDEX")
	switch os.Getenv("EXEMPLAR_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "stalled":
		from, err := strconv.Atoi(os.Getenv("EXEMPLAR_TEST_FROM"))
		if err != nil {
			panic(err)
		}
		_, err = childScan(path).Run(ctx, interptest.Branchy(), stalled{numbered: childData(), from: from})
		fmt.Println(err)
	case "memory":
		images, err := strconv.Atoi(path)
		if err != nil {
			panic(err)
		}
		if _, err := (Scan{Layers: layers, Batch: 16}).Run(ctx, interptest.Branchy(), endless{images}); err != nil {
			panic(err)
		}
		status, _ := os.ReadFile("/proc/self/status")
		fmt.Printf("%s", status)
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
		end := before + 100 // after which images never come, so that it cannot be done before it is killed
		c := child(t, "stalled", plan.Path)
		c.Env = append(c.Env, fmt.Sprint("EXEMPLAR_TEST_FROM=", end))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); scannedOf(plan.Path) < before+20*(kill+1); time.Sleep(time.Millisecond) {
			if time.Since(start) > 2*time.Minute {
				t.Fatal("no checkpoints", c.Process.Kill())
			}
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // says that it was killed
		if got := scannedOf(plan.Path); got < before+20 || got > end {
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

// endless is a data set that is nowhere: its images are drawn when they are asked for.
type endless struct{ n int }

func (d endless) String() string    { return "endless" }
func (d endless) Len() int          { return d.n }
func (d endless) Name(i int) string { return fmt.Sprint(i) }

func (d endless) Image(_ context.Context, i int) (interp.Images, error) {
	return interptest.ImagesOf(1, interptest.Size, interptest.Size, 3, uint64(i)), nil
}

// Ten times as many images take no more memory: less than a tenth of what the images alone would.
func TestLawPeakMemory(t *testing.T) {
	peak := func(images int) (kilobytes int) {
		out, err := child(t, "memory", fmt.Sprint(images)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, after, _ := strings.Cut(string(out), "VmHWM:")
		if _, err := fmt.Sscan(after, &kilobytes); err != nil {
			t.Skipf("skipped: this system does not tell a process's memory: %v", err)
		}
		return kilobytes
	}
	const few, many = 3_000, 30_000
	a, b := peak(few), peak(many)
	pixels := (many - few) * 3 * interptest.Size * interptest.Size * 8 >> 10
	t.Logf("%d images: %d MB; %d images: %d MB; the further ones have %d MB of pixels", few, a>>10, many, b>>10, pixels>>10)
	if b-a > pixels/10+8<<10 {
		t.Errorf("%d kB more for more images", b-a)
	}
}

// A disk that is full costs nothing of the index that is there, and the error says what to do.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	out, err := child(t, "full", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, has := range []string{path, "file too large", "what was there is as it was", "make room"} {
		if strings.Count(string(out), has) != 1 {
			t.Errorf("not %q once in %s", has, out)
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
