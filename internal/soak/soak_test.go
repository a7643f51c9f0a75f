//go:build unix

package soak

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"lucigo/internal/malloc"
)

var (
	length = flag.Duration("soak", 0, "how long the soak takes, after each question has been answered once")
	seed   = flag.Uint64("seed", 1, "of what is drawn")
	only   = flag.Int("draw", -1, "do this draw alone")
)

// task is one kind of work.
type task struct {
	name      string
	questions int      // how many there are; each has one answer, whatever happens on the way
	leaves    []string // patterns of what is in its folder in the end
	do        func(ctx context.Context, d *draw) (answer string, err error)
}

// draw is one piece of work: a question, and faults that depend on seed and number alone. When they happen depends on
// the machine too.
type draw struct {
	*rand.Rand
	question int
	calm     bool   // without faults
	dir      string // its own folder
}

// fault says whether something goes wrong now, one time in n.
func (d *draw) fault(n int) bool { return !d.calm && d.IntN(n) == 0 }

// soon returns a context that ends after at most so long.
func (d *draw) soon(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(d.Int64N(int64(most))))
}

// digest identifies what it is given.
func digest(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%v\n", p)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// soak is a run of tasks. Everything that they write is in dir.
type soak struct {
	tasks   []task
	seed    uint64
	length  time.Duration
	dir     string
	log     func(format string, args ...any)
	patient time.Duration // how long a draw may take; what is over gets a small part of it to be gone

	drawn   atomic.Int64
	mu      sync.Mutex
	answers map[string]string
	counts  map[string]int
}

// workers is how many draws go on at once.
const workers = 2

// run answers each question once, without faults, and then draws until the time is over. It returns the first thing that
// is wrong.
func (s *soak) run(ctx context.Context) error {
	s.answers, s.counts = map[string]string{}, map[string]int{}
	for _, t := range s.tasks {
		begin := time.Now()
		for q := range t.questions {
			if err := s.do(ctx, t, &draw{Rand: rand.New(rand.NewPCG(0, 0)), question: q, calm: true}, "calm"); err != nil {
				return err
			}
		}
		s.log("%s: %d questions, %v", t.name, t.questions, time.Since(begin).Round(10*time.Millisecond))
	}
	if *only >= 0 {
		return s.draw(ctx, *only)
	}
	first, round := min(s.length/6, time.Minute), min(s.length/6, 10*time.Second)
	var levels []level
	reference := 0 // how many of them are the first minute's
	for begin := time.Now(); ; {
		l, err := s.level(levels)
		if err != nil {
			return err
		}
		past := time.Since(begin)
		s.log("%8v  %v  %s", past.Round(time.Second), l, s.counted())
		if levels = append(levels, l); reference == 0 && past >= first {
			reference = len(levels)
		}
		if err := grown(levels, reference); err != nil {
			return err
		}
		if past >= s.length && reference > 0 && len(levels) >= reference+last {
			return nil
		}
		if past >= first && s.length > 10*time.Minute {
			round = time.Minute
		}
		if err := s.round(ctx, time.Now().Add(round)); err != nil {
			return err
		}
	}
}

// round draws until the time is over or something is wrong.
func (s *soak) round(ctx context.Context, end time.Time) error {
	var wg sync.WaitGroup
	wrong := make([]error, workers)
	for i := range workers {
		wg.Go(func() {
			for wrong[i] == nil && time.Now().Before(end) {
				wrong[i] = s.draw(ctx, int(s.drawn.Add(1)-1))
			}
		})
	}
	wg.Wait()
	return errors.Join(wrong...)
}

// draw does the draw of a number.
func (s *soak) draw(ctx context.Context, number int) error {
	r := rand.New(rand.NewPCG(s.seed, uint64(number)))
	t := s.tasks[r.IntN(len(s.tasks))]
	again := fmt.Sprintf("draw %d (again: -soak %v -seed %d -draw %d)", number, s.length, s.seed, number)
	return s.do(ctx, t, &draw{Rand: r, question: r.IntN(t.questions)}, again)
}

// do has a draw done, and compares its answer with the first one. It waits for no work that does not end.
func (s *soak) do(ctx context.Context, t task, d *draw, name string) (err error) {
	question := fmt.Sprintf("%s %d", t.name, d.question)
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %s: %w", question, name, err)
		}
	}()
	if d.dir, err = os.MkdirTemp(s.dir, "work-"); err != nil {
		return err
	}
	defer os.RemoveAll(d.dir)
	var answer string
	done := make(chan error, 1)
	go func() {
		var err error
		answer, err = t.do(ctx, d)
		done <- err
	}()
	select {
	case err = <-done:
	case <-time.After(s.patient):
		return fmt.Errorf("it does not end:\n%s", stacks())
	}
	if ctx.Err() != nil { // whatever it says now
		return context.Cause(ctx)
	}
	if err == nil {
		err = s.compare(question, answer)
	}
	return errors.Join(err, strays(d.dir, t.leaves))
}

func (s *soak) compare(question, answer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, _, _ := strings.Cut(question, " ")
	s.counts[name]++
	if first, ok := s.answers[question]; ok && first != answer {
		return fmt.Errorf("the answer is %s, and was %s", answer, first)
	}
	s.answers[question] = answer
	return nil
}

func (s *soak) counted() string {
	var b strings.Builder
	for _, t := range s.tasks {
		fmt.Fprintf(&b, " %s %d", t.name, s.counts[t.name])
	}
	return b.String()
}

// strays is an error that names the files below dir that fit none of the patterns.
func strays(dir string, patterns []string) error {
	var list []string
	err := filepath.WalkDir(dir, func(file string, f fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, file)
		fits := func(pattern string) bool { ok, _ := filepath.Match(pattern, name); return ok }
		if err == nil && file != dir && !slices.ContainsFunc(patterns, fits) {
			list = append(list, name)
		}
		return err
	})
	if list != nil {
		err = errors.Join(err, fmt.Errorf("files are left: %q", list))
	}
	return err
}

// temporary is where everything makes its temporary files, and programs where compiled programs are kept.
func (s *soak) temporary() string { return filepath.Join(s.dir, "tmp") }
func (s *soak) programs() string  { return filepath.Join(s.dir, "compile") }

// level is what the process takes while it does nothing: the memory that is left to it once C's malloc and Go have given
// back what is free. Both keep much of that otherwise.
type level struct{ resident, native, heap, goroutines, files int }

func (l level) String() string {
	return fmt.Sprintf("%3d MiB resident, %.1f of C's, %.1f of Go's, %d goroutines, %d files;",
		l.resident>>20, float64(l.native)/(1<<20), float64(l.heap)/(1<<20), l.goroutines, l.files)
}

// level returns what the process takes when what is over is gone. It is an error if a file or a process is left.
func (s *soak) level(before []level) (level, error) {
	least := 1
	for i, l := range before {
		if i == 0 || l.goroutines < least {
			least = l.goroutines
		}
	}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := errors.Join(strays(s.temporary(), nil), strays(s.programs(), []string{"*.pjrt"}), s.processes())
		waited := time.Since(begin)
		if err == nil && (runtime.NumGoroutine() <= least || waited > s.patient/100) || waited > s.patient/20 {
			if pid, e := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err == nil && e != syscall.ECHILD {
				err = fmt.Errorf("a child that nobody waits for is left: %d", pid)
			}
			return measure(), err
		}
	}
}

// processes is an error that names the processes that this one has started, or those have: wherever they are now, their
// environment tells.
func (s *soak) processes() error {
	var list []string
	for _, pid := range members(s.dir) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		list = append(list, fmt.Sprintf("%d %s", pid, bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	if list == nil {
		return nil
	}
	return fmt.Errorf("processes are left: %q", list)
}

// measure collects garbage until nothing more goes: a network, its programs and what C has of them go one after the other,
// each in a collection of its own.
func measure() level {
	var l level
	for same := 0; same < 3; same++ {
		debug.FreeOSMemory()
		time.Sleep(20 * time.Millisecond) // Finalizers run beside.
		malloc.Trim()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		files, _ := os.ReadDir("/proc/self/fd") // Systems without it tell less.
		now := level{resident(), int(malloc.InUse()), int(m.HeapAlloc), runtime.NumGoroutine(), len(files)}
		if before := l.native + l.heap; before == 0 || now.native+now.heap < before-before/1000 {
			same = 0
		}
		l = now
	}
	return l
}

// resident is the memory of this process, 0 where the system does not say.
func resident() int {
	var all, pages int
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(b), &all, &pages)
	}
	return pages * os.Getpagesize()
}

// last is how many levels are compared with those of the first minute.
const last = 3

// grown is an error if a level has grown by more than a tenth beyond those of the first minute: the middle one of the last
// beyond the greatest of the first. One alone may be that of an unlucky moment.
func grown(levels []level, first int) error {
	if first == 0 || len(levels) < first+last {
		return nil
	}
	of := func(what string, f func(level) int, more func() string) error {
		var all []int
		for _, l := range levels {
			all = append(all, f(l))
		}
		most, ends := slices.Max(all[:first]), slices.Sorted(slices.Values(all[len(all)-last:]))
		if now := ends[last/2]; now*10 > most*11 {
			return fmt.Errorf("%s: %d, and in the beginning at most %d\n%s", what, now, most, more())
		}
		return nil
	}
	return errors.Join(
		of("resident memory", func(l level) int { return l.resident }, heap),
		of("memory that is in use", func(l level) int { return l.native + l.heap }, heap),
		of("goroutines", func(l level) int { return l.goroutines }, stacks),
		of("open files", func(l level) int { return l.files }, openFiles))
}

func stacks() string { return profile("goroutine", 1) }
func heap() string   { return profile("heap", 1) }

func profile(name string, how int) string {
	var b bytes.Buffer
	pprof.Lookup(name).WriteTo(&b, how)
	return b.String()
}

func openFiles() string {
	var list []string
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, f := range files {
		to, _ := os.Readlink(f)
		list = append(list, to)
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// TestMain gives everything a temporary folder, which it removes.
func TestMain(m *testing.M) {
	if of := os.Getenv(envChild); of != "" {
		if err := child(of); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	home = &soak{dir: dir, patient: 5 * time.Minute}
	os.Mkdir(home.temporary(), 0o700)
	os.Mkdir(home.programs(), 0o700)
	os.Setenv("TMPDIR", home.temporary())
	os.Setenv("LUCIGO_COMPILE_CACHE", home.programs())
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// home is the soak of this process.
var home *soak

func TestSoak(t *testing.T) {
	if *length == 0 {
		t.Skip("skipped: it takes a while; for an hour, go test ./internal/soak -soak 1h -timeout 70m -v")
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // A second one kills.
	tasks, err := prepare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home.tasks, home.seed, home.length, home.log = tasks, *seed, *length, t.Logf
	t.Logf("seed %d", *seed)
	if err := home.run(ctx); err != nil {
		t.Fatal(err)
	}
}
