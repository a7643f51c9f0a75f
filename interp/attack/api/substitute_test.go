package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/random"
	"lucigo/interp/train"
	"lucigo/models/dataset"
	"lucigo/models/digits"
)

// TestMain is also the processes that tests start: servers, and an attacker.
func TestMain(m *testing.M) {
	what, args, _ := strings.Cut(os.Getenv("API_TEST_CHILD"), " ")
	var err error
	switch what {
	case "":
		os.Exit(m.Run())
	case "server": // address and ledger
		address, ledger, _ := strings.Cut(args, " ")
		err = child(Server{Model: interptest.Branchy(), Ledger: ledger, Rate: 150, Images: 16}, address)
	case "digits": // folder of MNIST
		var v *interp.Model
		if v, err = victim(args); err == nil {
			err = child(Server{Model: v}, "127.0.0.1:0")
		}
	case "attacker": // URL and log
		address, path, _ := strings.Cut(args, " ")
		var c *Copy
		if c, err = attackBy(address, path); err == nil {
			fmt.Println(c.Queries(), digestOf(c))
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// child serves until it is killed, and says where.
func child(s Server, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return s.Serve(context.Background(), l)
}

// process is a child of the test.
type process struct {
	*exec.Cmd
	out output
}

// output is what a process has said so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// begin starts a child, which is killed when the test ends at the latest.
func begin(t testing.TB, what ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self)}
	p.Env = append(os.Environ(), "API_TEST_CHILD="+strings.Join(what, " "))
	p.Stdout, p.Stderr = &p.out, os.Stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.Process.Kill() // it may have ended
	_ = p.Wait()         // says that it was killed
}

// plan is a small attack on the server of Branchy.
func plan() (Substitute, interp.Images) {
	return Substitute{Queries: 400, Doubled: 2, Sample: 60, Training: train.Training{Epochs: 4, Batch: 16},
		Seed: 7}, interptest.ImagesOf(40, interptest.Size, interptest.Size, 3, 11)
}

func attackBy(address, path string) (*Copy, error) {
	o, err := Dial(ctx, address, Terms{Budget: 400, Log: path})
	if err != nil {
		return nil, err
	}
	defer o.Close()
	s, start := plan()
	return s.Copy(ctx, o, start)
}

// digestOf identifies all that was asked and answered, in order.
func digestOf(c *Copy) string {
	return fmt.Sprintf("%x %v", contents(c.Images.Pix), c.Images.Class)
}

// Both sides are killed in the middle, as by kill -9, and started again: the same images are asked about as if nothing had happened, all
// are answered, and the server counts each of them once.
func TestLawKill(t *testing.T) {
	s, start := plan()
	whole, err := s.Copy(ctx, Local{interptest.Branchy(), false}, start)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Queries() != 400 {
		t.Fatalf("%d queries", whole.Queries())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	ledger, path := filepath.Join(dir, "ledger"), filepath.Join(dir, "log")
	server := begin(t, "server", address, ledger)
	attacker := begin(t, "attacker", "http://"+address, path)
	reached := func(n int64) {
		t.Helper()
		end, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		for {
			c, err := Dial(end, "http://"+address, Terms{Patience: 3 * time.Minute})
			if err != nil {
				t.Fatal(err, attacker.out.String())
			}
			q, err := c.Queries(end)
			c.Close()
			if err == nil && q.Total >= n {
				t.Logf("%d images are answered", q.Total)
				return
			}
			if end.Err() != nil {
				t.Fatal(err, attacker.out.String())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	reached(50)
	server.kill()
	server = begin(t, "server", address, ledger)
	reached(120)
	attacker.kill()
	attacker = begin(t, "attacker", "http://"+address, path)
	reached(200)
	server.kill()
	attacker.kill()
	begin(t, "server", address, ledger)
	attacker = begin(t, "attacker", "http://"+address, path)
	if err := attacker.Wait(); err != nil {
		t.Fatal(err, attacker.out.String())
	}
	if got, want := strings.TrimSpace(attacker.out.String()), fmt.Sprint(400, " ", digestOf(whole)); got != want {
		t.Errorf("after kills %.60s…, without %.60s…", got, want)
	}
	c, err := Dial(ctx, "http://"+address, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if q, err := c.Queries(ctx); err != nil || q.Total != 400 {
		t.Errorf("the server counts %d, %v; %d images were answered", q.Total, err, 400)
	}
}

// Each image that is asked about is one of the first, or one before it and a step of λ at most in each pixel; none comes twice, and
// there are never more than Queries.
func TestLawAugmentation(t *testing.T) {
	m := interptest.Smooth()
	for _, s := range []Substitute{
		{Queries: 90, Training: train.Training{Epochs: 1}},
		{Queries: 61, Doubled: 1, Sample: 8, Period: 1, Step: .25, Seed: 3, Training: train.Training{Epochs: 1}},
		{Queries: 1000, Rounds: 2, Training: train.Training{Epochs: 1}},
		{Queries: 15, Training: train.Training{Epochs: 1}},
	} {
		start := interptest.Images(m, 12, 5)
		given := slices.Clone(start.Pix)
		var rounds []Round
		s.Progress = func(r Round) { rounds = append(rounds, r) }
		twice, err := interp.Join(start, start.Slice(2, 5)) // which are asked about once
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Copy(ctx, Local{m, true}, twice)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(start.Pix, given) {
			t.Error("the first images are changed")
		}
		d := s.defaults()
		for i, r := range rounds[1:] {
			moved := rounds[i].Images // all that there are
			if i >= d.Doubled {
				moved = min(moved, d.Sample)
			}
			if moved = min(moved, d.Queries-rounds[i].Images); r.New != moved {
				t.Errorf("round %d asks about %d images, want %d", r.Number, r.New, moved)
			}
		}
		want := s.Queries
		if s.Rounds > 0 {
			want = 12 << s.Rounds
		}
		if c.Queries() != want || len(c.Scores) != want || c.Images.N != rounds[len(rounds)-1].Images {
			t.Errorf("%d queries, want %d; rounds %+v", c.Queries(), want, rounds)
		}
		if got := truth(t, m, c.Images).Labels; !slices.Equal(got, c.Images.Class) {
			t.Error("labels are not the oracle's")
		}
		step := .1
		if s.Step > 0 {
			step = s.Step
		}
		seen := map[digest]bool{}
		end := 0 // of the rounds before
		for _, r := range rounds {
			for i := end; i < r.Images; i++ {
				if id := contents(c.Images.Of(i)); seen[id] {
					t.Errorf("image %d comes twice", i)
				} else {
					seen[id] = true
				}
				if r.Number > 0 && !slices.ContainsFunc(slices.Collect(upTo(end)), func(j int) bool {
					return stepped(c.Images.Of(j),
						c.Images.Of(i), step)
				}) {
					t.Errorf("image %d of round %d is no step from an image before", i, r.Number)
				}
			}
			end = r.Images
		}
	}
}

func upTo(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func stepped(x, y []float64, step float64) bool {
	for i, v := range x {
		to, edge := math.Abs(y[i]-v), y[i] == 0 || y[i] == 1
		if math.Abs(to-step) > 1./grid && to != 0 && !(edge && to < step) {
			return false
		}
	}
	return true
}

// A step is along the sign of the derivative of the answered class, and turns after Period rounds.
func TestMove(t *testing.T) {
	m := interptest.Linear()
	rows := interptest.Rows(m)
	x := interp.Images{N: 1, H: 2, W: 3, C: 1, Pix: slices.Repeat([]float64{.5}, 6), Class: []int{1}}
	c := &Copy{Model: m, Images: x}
	p, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	for round, sign := range []float64{1, 1, -1, -1, 1} {
		y, err := Substitute{Period: 2}.defaults().move(ctx, c, round)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range y.Pix {
			slope := rows[1][i] // of log p₁: w₁ − Σ p w
			for k := range rows {
				slope -= p.Prob(0, k) * rows[k][i]
			}
			if want := .5 + sign*math.Copysign(.1, slope); math.Abs(v-want) > 1./grid {
				t.Errorf("round %d, pixel %d: %g, want %g", round, i, v, want)
			}
		}
	}
}

// Where the derivative is 0, a pixel stays; a step back ends at the very image where the step forth began; and with Vary, an image is
// varied before it is moved, in each round in its own way.
func TestMoveAndBack(t *testing.T) {
	m := interptest.Linear()
	weights := m.Weights()
	for name, w := range weights {
		if len(w.Dims()) != 2 {
			continue
		}
		v := slices.Clone(w.Values())
		clear(v[:3]) // of pixel 0
		var err error
		if weights[name], err = interp.NewWeight(v, w.Dims()...); err != nil {
			t.Fatal(err)
		}
	}
	m, err := m.With(weights)
	if err != nil {
		t.Fatal(err)
	}
	x := snapped(interp.Images{N: 1, H: 2, W: 3, C: 1, Pix: []float64{.3, .3, .4, .5, .6, .7}})
	x.Class = []int{1}
	s := Substitute{Period: 1}.defaults()
	move := func(x interp.Images, round int) interp.Images {
		t.Helper()
		y, err := s.move(ctx, &Copy{Model: m, Images: x}, round)
		if err != nil {
			t.Fatal(err)
		}
		y.Class = x.Class[:y.N]
		return y
	}
	forth := move(x, 0)
	if forth.Pix[0] != x.Pix[0] || forth.Pix[1] == x.Pix[1] {
		t.Errorf("%v is moved to %v", x.Pix, forth.Pix)
	}
	asked := map[digest]bool{contents(x.Pix): true}
	if back := move(forth, 1); unasked(asked, back).N != 0 {
		t.Errorf("back at %v, not at %v", back.Pix, x.Pix)
	}
	s.Vary = Vary{Turn: .5}
	varied := move(x, 0)
	first := x
	first.Pix = s.Vary.image(x, 0, random.New(s.Seed, varying, 1))
	s.Vary = Vary{}
	if want := move(snapped1(first), 0); interptest.Distance(varied.Pix, want.Pix) > 3./grid || slices.Equal(varied.Pix, forth.Pix) {
		t.Errorf("varied %v, want %v", varied.Pix, want.Pix)
	}
	two, err := interp.Join(x, x)
	if err != nil {
		t.Fatal(err)
	}
	s.Vary, s.Sample, s.Doubled = Vary{Turn: .5}, 1, 1
	if again := move(two, 2); slices.Equal(again.Of(0), varied.Of(0)) {
		t.Error("in another round, it is varied in the same way")
	}
	many := snapped(interptest.Images(m, 50, 1))
	many.Class = make([]int, 50)
	s.Vary, s.Sample = Vary{}, 5
	if slices.Equal(move(many, 2).Pix, move(many, 4).Pix) {
		t.Error("in another round, the same images are drawn")
	}
}

// snapped1 is snapped with the classes.
func snapped1(x interp.Images) interp.Images {
	y := snapped(x)
	y.Class = x.Class
	return y
}

// Where no step leads to a new image, Copy ends.
func TestNothingNew(t *testing.T) {
	m := interptest.Smooth()
	flat := func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), graph.MulScalar(layer.Flatten(x), 0), interptest.Classes)
	}
	c, err := Substitute{Net: flat, Training: train.Training{Epochs: 1}}.Copy(ctx, Local{m, false}, interptest.Images(m, 12, 5))
	if err != nil || c.Queries() != 12 || len(c.Rounds) != 1 {
		t.Errorf("%d queries in %d rounds, %v", c.Queries(), len(c.Rounds), err)
	}
}

// Training on images that are hardly varied is training on the images, with their labels and with their scores; varied ones are others.
func TestVariedTraining(t *testing.T) {
	m := interptest.Smooth()
	x := interptest.Images(m, 40, 5)
	a := truth(t, m, x)
	begin, err := train.New(interp.Spec{Name: "copy", Forward: trio(interptest.Classes), Input: [3]int{x.H, x.W, x.C}, Classes: m.Classes()}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, scores := range [][][]float64{nil, a.Scores} {
		c := Copy{Images: x, Scores: scores}
		c.Images.Class = a.Labels
		trained := func(v Vary) interp.Rows {
			s := Substitute{Vary: v, Seed: 3, Training: train.Training{Epochs: 2, Batch: 16, Seed: 3}}
			got, err := s.fit(ctx, begin, c.examples(), 0)
			if err != nil {
				t.Fatal(err)
			}
			p, err := got.Predict(ctx, x)
			if err != nil {
				t.Fatal(err)
			}
			return p.Logits
		}
		plain := trained(Vary{})
		if d := interptest.Distance(trained(Vary{Shift: 1e-9}).Data, plain.Data); d > 1e-4 { // float32, over 6 steps
			t.Errorf("with scores %t, hardly varied: logits are %g away", scores != nil, d)
		}
		if d := interptest.Distance(trained(Vary{Shift: 3}).Data, plain.Data); d < 1e-2 {
			t.Errorf("with scores %t, varied: logits are %g away", scores != nil, d)
		}
	}
}

// Every number is drawn equally often.
func TestReservoir(t *testing.T) {
	const trials, count, n = 20_000, 10, 3
	var seen [count]float64
	for k := range uint64(trials) {
		drawn := reservoir(random.New(1, k, 0), count, n)
		for i, d := range drawn {
			seen[d]++
			if i > 0 && d <= drawn[i-1] {
				t.Fatalf("%v", drawn)
			}
		}
	}
	const p = float64(n) / count
	for i, s := range seen {
		if sigma := math.Sqrt(trials * p * (1 - p)); math.Abs(s-trials*p) > 5*sigma {
			t.Errorf("%d was drawn %g times of %d, want %g ± %g", i, s, trials, trials*p, sigma)
		}
	}
}

// limited is an oracle whose budget ends in the middle of a round.
type limited struct {
	Local
	left int
}

func (l *limited) Ask(ctx context.Context, x interp.Images) (Answers, error) {
	n := min(l.left, x.N)
	l.left -= n
	if n == 0 {
		return Answers{}, ErrBudget
	}
	a, err := l.Local.Ask(ctx, x.Slice(0, n))
	if err == nil && n < x.N {
		err = ErrBudget
	}
	return a, err
}

func TestSubstituteErrors(t *testing.T) {
	m := interptest.Smooth()
	start := interptest.Images(m, 12, 5)
	quick := Substitute{Queries: 60, Training: train.Training{Epochs: 1}}
	c, err := quick.Copy(ctx, &limited{Local{m, false}, 30}, start)
	if !errors.Is(err, ErrBudget) || c.Queries() != 30 || c.Model == nil || len(c.Rounds) != 3 || c.Rounds[2].New != 6 {
		t.Errorf("a budget that ends in the middle: %+v, %v", c.Rounds, err)
	}
	if c, err := quick.Copy(ctx, &limited{Local{m, false}, 0}, start); !errors.Is(err, ErrBudget) || c.Queries() != 0 {
		t.Errorf("no budget: %v", err)
	}
	end, cancel := context.WithCancel(ctx)
	stopping := quick
	stopping.Progress = func(Round) { cancel() }
	if c, err := stopping.Copy(end, Local{m, false}, start); !errors.Is(err, context.Canceled) || c.Queries() < 12 || c.Model == nil {
		t.Errorf("interrupted: %v", err)
	}
	large := interptest.Images(m, 12, 5)
	large.Pix[3] = 200
	for says, f := range map[string]func() error{
		"the oracle is nil":     func() error { _, err := quick.Copy(ctx, nil, start); return err },
		"Substitute.Step is -1": func() error { _, err := Substitute{Step: -1}.Copy(ctx, Local{m, false}, start); return err },
		"Substitute.Step is NaN": func() error {
			_, err := Substitute{Step: math.NaN()}.Copy(ctx, Local{m, false},
				start)
			return err
		},
		"{Turn:-1 Scale:0 Shift:0}": func() error {
			_, err := Substitute{Vary: Vary{Turn: -1}}.Copy(ctx, Local{m, false}, start)
			return err
		},
		"{Turn:0 Scale:NaN Shift:0}": func() error {
			_, err := Substitute{Vary: Vary{Scale: math.NaN()}}.Copy(ctx, Local{m, false}, start)
			return err
		},
		"{Turn:0 Scale:0 Shift:+Inf}": func() error {
			_, err := Substitute{Vary: Vary{Shift: math.Inf(1)}}.Copy(ctx, Local{m, false}, start)
			return err
		},
		"must be at least 0":         func() error { _, err := Substitute{Rounds: -1}.Copy(ctx, Local{m, false}, start); return err },
		"number of the first images": func() error { _, err := Substitute{Queries: 3}.Copy(ctx, Local{m, false}, start); return err },
		"no images":                  func() error { _, err := quick.Copy(ctx, Local{m, false}, interp.Images{}); return err },
		"divide values of 8 bits":    func() error { _, err := quick.Copy(ctx, Local{m, false}, large); return err },
		"the copy is not trained": func() error {
			_, err := (&Copy{}).Transfer(ctx, Local{m, false}, attack.Judge{}, attack.FGSM{}, start)
			return err
		},
		"Ball is absent": func() error {
			_, err := c.Transfer(ctx, Local{m, false}, attack.Judge{}, attack.FGSM{}, start.Asked(1))
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// What Transfer says is what asking the oracle by hand says, and an attack that asks for labels only can ask a server.
func TestTransfer(t *testing.T) {
	m := interptest.Smooth()
	address, _ := serve(t, Server{Model: m})
	o, err := Dial(ctx, address, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	c := &Copy{Model: m} // a perfect one
	x := interptest.Images(m, 20, 9)
	x.Class = truth(t, m, x).Labels
	x.Class[0] = (x.Class[0] + 1) % interptest.Classes // which the oracle gets wrong
	judge := attack.Judge{Ball: attack.Linf(.2)}
	got, err := c.Transfer(ctx, o, judge, attack.FGSM{}, x)
	if err != nil {
		t.Fatal(err)
	}
	right := x.Slice(1, 20)
	r, err := judge.Try(ctx, m, attack.FGSM{}, right)
	if err != nil {
		t.Fatal(err)
	}
	if got.Agreement != 1 || got.Right != 19 || math.Abs(got.Rate()-r.Fooled()) > 1e-9 || r.Fooled() == 0 || got.Queries != 40 ||
		o.Spent() != 40 {
		t.Errorf("%+v, %v of the attacked", got, r.Fooled())
	}
	if got.OnCopy != count(t, judge, m, x) {
		t.Errorf("on the copy, away from its own answers: %g, want %g", got.OnCopy, count(t, judge, m, x))
	}
	poor := interptest.Model("poor", func(s *model.Scope, x *graph.Node) *graph.Node {
		return layer.Dense(s.At("logits"), layer.Flatten(x), interptest.Classes)
	}, [3]int{x.H, x.W, x.C}, interptest.Classes, 8)
	own := x
	own.Class = nil
	if r, err = judge.Try(ctx, poor, attack.FGSM{}, own); err != nil {
		t.Fatal(err)
	}
	before, after, copied := truth(t, m, x).Labels, truth(t, m, r.Images).Labels, truth(t, poor, x).Labels
	want := Transfer{Attack: "FGSM(cross-entropy)", Ball: judge.Ball, Images: 20, Right: 19, OnCopy: r.Fooled(), Queries: 40}
	for i, class := range x.Class {
		if copied[i] == before[i] {
			want.Agreement += 1. / 20
		}
		if after[i] != class {
			want.Wrong += 1. / 20
			if before[i] == class {
				want.Fooled++
			}
		}
	}
	got, err = (&Copy{Model: poor}).Transfer(ctx, o, judge, attack.FGSM{}, x)
	if err != nil || math.Abs(got.Agreement-want.Agreement)+math.Abs(got.Wrong-want.Wrong) > 1e-9 || want.Agreement == 1 {
		t.Errorf("%+v, want %+v, %v", got, want, err)
	}
	got.Agreement, got.Wrong = want.Agreement, want.Wrong
	if got != want || got.Wrong == float64(got.Fooled)/20 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if r, err = judge.TryLabels(ctx, o, attack.Noise{}, right); err != nil || len(r.Verdicts) != 19 {
		t.Errorf("by labels: %v", err)
	}
}

// count is the share of the images, as a network labels them, that it labels otherwise when they are attacked.
func count(t *testing.T, j attack.Judge, m *interp.Model, x interp.Images) float64 {
	t.Helper()
	x.Class = truth(t, m, x).Labels
	r, err := j.Try(ctx, m, attack.FGSM{}, x)
	if err != nil {
		t.Fatal(err)
	}
	return 1 - equal(truth(t, m, r.Images).Labels, x.Class)
}

// victim returns a network that was trained on MNIST's training set.
func victim(dir string) (*interp.Model, error) {
	src, err := dataset.Input{Height: 28, Width: 28, Channels: 1, Labels: true}.Open(filepath.Join(dir, "train-images-idx3-ubyte.gz"))
	if err != nil {
		return nil, err
	}
	x, err := interp.Read(ctx, src, 0, src.Len())
	if err != nil {
		return nil, err
	}
	m, err := train.New(digits.Spec("victim", digits.Strided), 5)
	if err != nil {
		return nil, err
	}
	return train.Training{Epochs: 2, Batch: 100, Rate: 3e-3}.Fit(ctx, m, train.Examples{Images: x})
}

// The attack on MNIST: the victim is in another process, was trained on MNIST's training set, and answers labels only. The attacker
// begins with 15 digits of each class of the test set, as Papernot et al. begin with 150 digits of it, and is measured on others of
// the test set. Theirs fooled MetaMind's network by 84.24 % at 6,400 queries, with FGSM at .3. Here, on the odd digits, FGSM fools
// 48 % of those that the victim gets right, MI-FGSM 70 %, and MI-FGSM with gradients smoothed by shifts and noise 96 %. Its settings
// were chosen on the even digits.
func TestOracleMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it trains for a minute or more")
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "shared", "data", "datasets", "mnist"))
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.Input{Height: 28, Width: 28, Channels: 1, Labels: true}.Open(filepath.Join(dir, "t10k-images-idx3-ubyte.gz"))
	if err != nil {
		t.Skipf("skipped: there is no MNIST: %v", err)
	}
	interptest.Unchecked()
	x, err := interp.Read(ctx, src, 0, src.Len())
	if err != nil {
		t.Fatal(err)
	}
	start, count := interp.Images{H: 28, W: 28, C: 1}, [10]int{}
	for i := range 1000 {
		if c := x.Class[i]; count[c] < 15 {
			count[c]++
			start.N, start.Pix = start.N+1, append(start.Pix, x.Of(i)...)
		}
	}
	var odd []int
	for i := 1001; i < x.N; i += 6 {
		odd = append(odd, i)
	}
	fresh := x.Pick(odd...)
	server := begin(t, "digits", dir)
	var address string
	for began := time.Now(); address == ""; time.Sleep(50 * time.Millisecond) {
		if i := strings.Index(server.out.String(), "\n"); i > 0 {
			address = server.out.String()[:i]
		}
		if time.Since(began) > 10*time.Minute {
			t.Fatal("no victim")
		}
	}
	o, err := Dial(ctx, address, Terms{Budget: 6400, Log: filepath.Join(t.TempDir(), "log"), Patience: 5 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	plan := Substitute{Doubled: 2, Sample: 600, Vary: Vary{Turn: .25, Scale: .15, Shift: 2}, Training: train.Training{Epochs: 4}, Seed: 1}
	plan.Progress = func(r Round) { t.Logf("%+v", r) }
	c, err := plan.Copy(ctx, o, start)
	if err != nil {
		t.Fatal(err)
	}
	q, err := o.Queries(ctx)
	if err != nil || q.Total > 6400 || int(q.Total) != c.Queries() || o.Spent() != c.Queries() {
		t.Errorf("the server counts %d, the client %d, the attack %d, %v", q.Total, o.Spent(), c.Queries(), err)
	}
	t.Logf("%d queries in %d rounds, %d images in the copy's training", q.Total, len(c.Rounds), c.Images.N)
	examiner, err := Dial(ctx, address, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer examiner.Close()
	judge := attack.Judge{Ball: attack.Linf(.3)}
	for _, a := range []struct {
		attack      attack.Attack
		least, most float64
	}{
		{attack.MIFGSM{Steps: 4, Rate: .5, Full: true, Smooth: attack.Smooth{Copies: 9, Noise: .3, Shift: 2}}, .9, 1},
		{attack.MIFGSM{Steps: 4, Rate: .5, Full: true}, 0, 1},
		{attack.FGSM{}, .4, 1},
		{attack.Noise{}, 0, .2},
	} {
		r, err := c.Transfer(ctx, examiner, judge, a.attack, fresh)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(r)
		if r.Rate() < a.least || r.Rate() > a.most {
			t.Errorf("%s fools %.1f %%, must be from %.0f to %.0f %%", a.attack, 100*r.Rate(), 100*a.least, 100*a.most)
		}
	}
}

// Varied images are what a slow definition says: a quarter turn moves pixels, a shift by whole pixels too, and what is varied by
// nothing is the image.
func TestVary(t *testing.T) {
	x := interptest.ImagesOf(1, 5, 5, 2, 1)
	r := random.New(1, 2, 3)
	if got := (Vary{}).image(x, 0, r); &got[0] != &x.Pix[0] {
		t.Error("nothing is varied, and the image is copied")
	}
	by := func(k int) float64 { return 2*r.Uniform(k) - 1 }
	turned := Vary{Turn: math.Pi / 2 / by(0)}.image(x, 0, r)
	shifted := Vary{Shift: 2 / by(2)}.image(x, 0, r)
	for row := range 5 {
		for column := range 5 {
			for c := range 2 {
				at := (row*5+column)*2 + c
				if want := x.Pixel(0, column, 4-row)[c]; math.Abs(turned[at]-want) > 1e-12 {
					t.Errorf("turned, row %d, column %d: %g, want %g", row, column, turned[at], want)
				}
				right := min(max(float64(column)+2*by(3)/by(2), 0), 4)
				a, b := x.Pixel(0, min(row+2, 4), int(right))[c], x.Pixel(0, min(row+2, 4), min(int(right)+1, 4))[c]
				if want := a + (right-math.Floor(right))*(b-a); math.Abs(shifted[at]-want) > 1e-9 {
					t.Errorf("shifted, row %d, column %d: %g, want %g", row, column, shifted[at], want)
				}
			}
		}
	}
	// Scaled by 2: a pixel is from half as far from the middle.
	scaled := Vary{Scale: -math.Ln2 / by(1)}.image(x, 0, r)
	for row := range 5 {
		for column := range 5 {
			y, z := 2+float64(row-2)/2, 2+float64(column-2)/2
			a, b := y-math.Floor(y), z-math.Floor(z)
			p := func(dy, dz int) float64 { return x.Pixel(0, min(int(y)+dy, 4), min(int(z)+dz, 4))[1] }
			want := (1-a)*((1-b)*p(0, 0)+b*p(0, 1)) + a*((1-b)*p(1, 0)+b*p(1, 1))
			if got := scaled[(row*5+column)*2+1]; math.Abs(got-want) > 1e-9 {
				t.Errorf("scaled, row %d, column %d: %g, want %g", row, column, got, want)
			}
		}
	}
	for trial := range uint64(50) {
		for _, p := range (Vary{Turn: 1, Scale: .5, Shift: 3}).image(x, 0, random.New(9, trial, 0)) {
			if !(p >= 0 && p <= 1) {
				t.Fatalf("pixel %g", p)
			}
		}
	}
}

// certain is an oracle whose scores are 0 and 1.
type certain struct{ Local }

func (c certain) Ask(ctx context.Context, x interp.Images) (Answers, error) {
	a, err := c.Local.Ask(ctx, x)
	for _, label := range a.Labels {
		scores := make([]float64, interptest.Classes)
		scores[label] = 1
		a.Scores = append(a.Scores, scores)
	}
	return a, err
}

// Scores of 0 teach as labels do, and nothing overflows.
func TestCertainScores(t *testing.T) {
	m := interptest.Smooth()
	start := interptest.Images(m, 40, 5)
	s := Substitute{Queries: 80, Training: train.Training{Epochs: 20, Batch: 16, Rate: .01}}
	c, err := s.Copy(ctx, certain{Local{m, false}}, start)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := s.Copy(ctx, Local{m, false}, start)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Images.Pix, labels.Images.Pix) || c.Rounds[1].Alike != labels.Rounds[1].Alike || c.Rounds[1].Alike < .8 {
		t.Errorf("with scores %+v, with labels %+v", c.Rounds, labels.Rounds)
	}
}
