//go:build unix

package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"lucigo/interp"
	"lucigo/interp/attack/api"
	"lucigo/interp/exemplar"
	"lucigo/interp/featvis"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
	"lucigo/interp/train"
	"lucigo/kernel/build"
	"lucigo/models/dataset"
	"lucigo/models/scenes"
)

// works has what tasks share.
type works struct {
	images interp.Images // of the scenes' task
	net    *interp.Model // which all use at once
	kernel build.Kernel
}

// prepare returns the tasks. It builds the notebook kernel where it is missing.
func prepare(ctx context.Context) ([]task, error) {
	w := works{images: scenes.Task{}.Images(1, 24, 64)}
	var err error
	if w.net, err = scenes.AllConv(); err != nil {
		return nil, err
	}
	if w.kernel, err = build.Find("."); err != nil {
		return nil, err
	}
	return []task{
		{"scan", 2, []string{"photographs", "photographs/*.png", "index", "compile", "compile/*"}, w.scan},
		{"maps", len(methods), nil, w.maps},
		{"render", 2, nil, w.render},
		{"compile", 3, nil, w.compile},
		{"attack", 2, []string{"ledger", "log"}, w.attack},
		{"page", len(prose), nil, w.page},
		{"notebook", 1, []string{"in", "in/a.ipynb", "out", "out/a.*", "out/report.xml"}, w.notebook},
	}, w.kernel.Build(ctx, os.Stdout)
}

// given is what the work says whose context is the task's own: nothing where that has ended and it says no more.
func given(own context.Context, err error) error {
	if own.Err() != nil && errors.Is(err, own.Err()) {
		return nil
	}
	return err
}

// scan looks for examples among photographs. It is cancelled, is killed, loses a photograph or a part of its index, and
// goes on to the same bytes.
func (w works) scan(ctx context.Context, d *draw) (string, error) {
	plan, photographs := planOf(d.dir, d.question)
	if err := w.write(photographs); err != nil {
		return "", err
	}
	src, err := dataset.Input{Height: 64, Width: 64}.Folder(photographs)
	for faults := 0; err == nil && faults < 4 && d.fault(2); faults++ {
		switch d.IntN(4) {
		case 0:
			own, cancel := d.soon(ctx, 500*time.Millisecond)
			_, err = plan.Run(own, w.net, src)
			err = given(own, err)
			cancel()
		case 1:
			err = killed(ctx, d)
		case 2:
			one := filepath.Join(photographs, src.Name(d.IntN(src.Len())))
			if err = os.Rename(one, one+".away"); err == nil {
				if _, err = plan.Run(ctx, w.net, src); errors.Is(err, fs.ErrNotExist) {
					err = nil
				}
				err = errors.Join(err, os.Rename(one+".away", one))
			}
		case 3:
			if info, e := os.Stat(plan.Path); e == nil {
				err = os.Truncate(plan.Path, d.Int64N(info.Size()))
				if _, e := plan.Run(ctx, w.net, src); e == nil {
					err = errors.New("an index that was cut short is taken for one")
				}
				err = errors.Join(err, os.Remove(plan.Path))
			}
		}
	}
	if err != nil {
		return "", err
	}
	if _, err := plan.Run(ctx, w.net, src); err != nil {
		return "", err
	}
	index, err := os.ReadFile(plan.Path)
	return digest(index), err
}

// planOf is the scan of a question, and its folder of photographs.
func planOf(dir string, question int) (exemplar.Scan, string) {
	return exemplar.Scan{Layers: []string{"conv2", "conv4"}[question : question+1], K: 3, Batch: 4,
		Path: filepath.Join(dir, "index"), Every: time.Nanosecond}, filepath.Join(dir, "photographs")
}

func (w works) write(photographs string) error {
	if err := os.Mkdir(photographs, 0o700); err != nil {
		return err
	}
	for i := range w.images.N {
		var b bytes.Buffer
		m, err := w.images.Image(i)
		if err = errors.Join(err, png.Encode(&b, m)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(photographs, fmt.Sprintf("%02d.png", i)), b.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// killed has the scan done by a process of its own, which is killed after a while. It has compiled programs of its own:
// what it leaves there is gone with the draw.
func killed(ctx context.Context, d *draw) error {
	own, cancel := d.soon(ctx, 3*time.Second)
	defer cancel()
	cmd := exec.CommandContext(own, os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", envChild, d.question, d.dir),
		"LUCIGO_COMPILE_CACHE="+filepath.Join(d.dir, "compile"))
	out, err := cmd.CombinedOutput()
	if own.Err() == nil && err != nil {
		return fmt.Errorf("the process that scans: %w: %s", err, out)
	}
	parts, err := filepath.Glob(filepath.Join(d.dir, ".index.*.part")) // They go after an hour.
	for _, part := range parts {
		err = errors.Join(err, os.Remove(part))
	}
	return err
}

// envChild has the question and the folder of a scan, in the process that is to be killed.
const envChild = "SOAK_SCAN"

func child(of string) error {
	var question int
	var dir string
	if _, err := fmt.Sscan(of, &question, &dir); err != nil {
		return err
	}
	plan, photographs := planOf(dir, question)
	src, err := dataset.Input{Height: 64, Width: 64}.Folder(photographs)
	if err != nil {
		return err
	}
	m, err := scenes.AllConv()
	if err == nil {
		_, err = plan.Run(context.Background(), m, src)
	}
	return err
}

var methods = []struct {
	saliency.Method
	of     interp.Objective
	budget int64 // which decides how the batch is cut
}{
	{saliency.Gradient{}, objective.LogProb, 0},
	{saliency.Gradient{}, objective.LogProb, 1},
	{saliency.Guided, objective.Channel("conv4", 7), 0},
	{saliency.SmoothGrad{N: 6}, objective.Logit, 0},
	{saliency.IntegratedGradients{Steps: 5}, objective.Logit, 0},
}

// maps asks which pixels matter. It is given up, several times in a row, and answers the same afterwards.
func (w works) maps(ctx context.Context, d *draw) (string, error) {
	m, x := methods[d.question], w.images.Slice(0, 6)
	for d.fault(2) {
		own, cancel := d.soon(ctx, 200*time.Millisecond)
		_, err := m.Maps(own, w.net.Budget(m.budget), m.of, x)
		err = given(own, err)
		if cancel(); err != nil {
			return "", err
		}
	}
	maps, err := m.Maps(ctx, w.net.Budget(m.budget), m.of, x)
	return digest(maps.Pix, maps.Score), err
}

// render optimises images, and is given up on the way.
func (w works) render(ctx context.Context, d *draw) (string, error) {
	r, o := featvis.Render{Height: 32, Width: 32, Steps: 8}, objective.Channels("conv3", 3, 5+d.question)
	for d.fault(3) {
		own, cancel := d.soon(ctx, 500*time.Millisecond)
		_, err := r.Final(own, w.net, o)
		err = given(own, err)
		if cancel(); err != nil {
			return "", err
		}
	}
	f, err := r.Final(ctx, w.net, o)
	return digest(f.Images.Pix, f.Score), err
}

// compile asks a network that nothing has been compiled for, while what is kept of compiled programs is damaged.
func (w works) compile(ctx context.Context, d *draw) (string, error) {
	h, width, c := w.net.Input()
	m, err := interp.New(interp.Spec{Name: "soak", Forward: scenes.AllConvolutional(scenes.ConvReLU, 16), Input: [3]int{h, width, c},
		Classes: w.net.Classes(), Weights: w.net.Weights()})
	if err != nil {
		return "", err
	}
	o := objective.Channel([]string{"conv1", "conv2", "conv3"}[d.question], 9)
	for d.fault(2) {
		if err := damage(d); err != nil {
			return "", err
		}
		own, cancel := d.soon(ctx, time.Second)
		_, err := m.Gradient(own, o, nil, w.images.Slice(0, 1))
		err = given(own, err)
		if cancel(); err != nil {
			return "", err
		}
	}
	g, err := m.Gradient(ctx, o, layer.Guided, w.images.Slice(0, 2))
	return digest(g.Pix, g.Score), err
}

// damage removes a stored program, cuts it short or changes a bit of it. Others may do the same meanwhile.
func damage(d *draw) error {
	files, err := filepath.Glob(filepath.Join(home.programs(), "*.pjrt"))
	if err != nil || len(files) == 0 {
		return err
	}
	file := files[d.IntN(len(files))]
	b, err := os.ReadFile(file)
	switch what := d.IntN(3); {
	case err != nil || len(b) == 0:
	case what == 0:
		err = os.Remove(file)
	case what == 1:
		err = os.Truncate(file, int64(d.IntN(len(b))))
	default:
		b[d.IntN(len(b))] ^= 1 << d.IntN(8)
		err = os.WriteFile(file, b, 0o600)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// attack copies a network that answers over HTTP. The server is started again, connections break, the copy is given up and
// its log cut short, and it ends with the same images and answers.
func (w works) attack(ctx context.Context, d *draw) (_ string, err error) {
	m, log := interptest.Branchy(), filepath.Join(d.dir, "log")
	s := api.Substitute{Queries: 40, Doubled: 1, Sample: 10, Seed: uint64(d.question), Training: train.Training{Epochs: 1, Batch: 16}}
	start := interptest.ImagesOf(20, interptest.Size, interptest.Size, 3, 11)
	server, err := serve(ctx, api.Server{Model: m, Ledger: filepath.Join(d.dir, "ledger"), Images: 8}, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	copied := func(ctx context.Context) (string, error) {
		o, err := api.Dial(ctx, "http://"+server.address, api.Terms{Budget: s.Queries, Log: log})
		if err != nil {
			return "", err
		}
		defer o.Close()
		c, err := s.Copy(ctx, o, start)
		if err != nil {
			return "", err
		}
		return digest(c.Images.Pix, c.Images.Class, c.Queries()), nil
	}
	for faults := 0; faults < 3 && d.fault(2); faults++ {
		own, cancel := d.soon(ctx, 2*time.Second)
		switch d.IntN(3) {
		case 0:
			_, err = copied(own)
			err = given(own, err)
		case 1:
			done, stops := make(chan error, 1), d.IntN(2) == 0
			go func() { _, err := copied(ctx); done <- err }()
			<-own.Done()
			err = errors.Join(server.again(ctx, stops), <-done)
		case 2:
			if info, e := os.Stat(log); e == nil {
				err = os.Truncate(log, d.Int64N(info.Size()+1))
			}
		}
		if cancel(); err != nil {
			return "", err
		}
	}
	return copied(ctx)
}

// server is a prediction server that can be started again at its address.
type server struct {
	api.Server
	address     string
	stop        func() error
	connections *connections
}

func serve(ctx context.Context, s api.Server, address string) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	running, end := context.WithCancel(ctx)
	done, c := make(chan error, 1), &connections{Listener: l}
	go func() { done <- s.Serve(running, c) }()
	stop := sync.OnceValue(func() error { end(); return <-done })
	return &server{s, l.Addr().String(), stop, c}, nil
}

// again stops the server and starts it again, or only breaks its connections.
func (s *server) again(ctx context.Context, stop bool) error {
	s.connections.cut()
	if !stop {
		return nil
	}
	if err := s.stop(); err != nil {
		return err
	}
	next, err := serve(ctx, s.Server, s.address)
	if err == nil {
		*s = *next
	}
	return err
}

// connections are a listener's, which it can cut.
type connections struct {
	net.Listener
	mu   sync.Mutex
	open []net.Conn
}

func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.open = append(c.open, conn)
	}
	return conn, err
}

func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}
