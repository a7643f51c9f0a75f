package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/interp/layer"
)

var ctx = context.Background()

// serve runs a server in this process until the test ends, or stop is called.
func serve(t testing.TB, s Server) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	running, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Serve(running, l) }()
	stop = sync.OnceFunc(func() {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return "http://" + l.Addr().String(), stop
}

// quiet fails a test that leaves goroutines of this package or of connections.
func quiet(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		var stacks string
		for range 200 {
			b := make([]byte, 1<<20)
			stacks = string(b[:runtime.Stack(b, true)])
			left := 0
			for g := range strings.SplitSeq(stacks, "\n\n") {
				if !strings.Contains(g, "testing.") && (strings.Contains(g, "attack/api") || strings.Contains(g, "net/http")) {
					left++
				}
			}
			if left == 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("goroutines are left:\n%s", stacks)
	})
}

func post(t testing.TB, address, kind string, body []byte) (*http.Response, []byte) {
	t.Helper()
	r, err := http.Post(address+"/v1/predict", kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, b
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// form is a form of files, and its type.
func form(t testing.TB, files ...[]byte) (string, []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i, f := range files {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="image"; filename="%d.png"`, i)}})
		if err == nil {
			_, err = p.Write(f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func truth(t testing.TB, m *interp.Model, x interp.Images) Answers {
	t.Helper()
	a, err := Local{m, true}.Ask(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// However images are sent, the answers are the model's to those very pixels.
func TestLawAnswersAreTheModels(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	address, _ := serve(t, Server{Model: m, Scores: true})
	x := interptest.Images(m, 6, 1)
	d, err := parseDescription(description(t, address))
	if err != nil {
		t.Fatal(err)
	}
	check := func(how string, sent interp.Images, kind string, body []byte) {
		t.Helper()
		r, b := post(t, address, kind, body)
		a, err := parseAnswer(b, d, sent.N)
		if r.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("%s: %s %s %v", how, r.Status, b, err)
		}
		want := truth(t, m, sent)
		if !slices.Equal(a.Labels, want.Labels) {
			t.Errorf("%s: labels %v, want %v", how, a.Labels, want.Labels)
		}
		var raw answer
		if err := json.Unmarshal(b, &raw); err != nil {
			t.Fatal(err)
		}
		for i, p := range raw.Predictions {
			if p.Class != d.Classes[want.Labels[i]] {
				t.Errorf("%s: image %d is class %q, want %q", how, i, p.Class, d.Classes[want.Labels[i]])
			}
		}
		for i := range a.Scores {
			if interptest.Distance(a.Scores[i], want.Scores[i]) > 1e-6 { // float32, in batches of other sizes
				t.Errorf("%s: image %d: %v, want %v", how, i, a.Scores[i], want.Scores[i])
			}
		}
	}
	check("JSON", x, "application/json; charset=utf-8", appendRequest(nil, x))
	eight, err := x.Image(2)
	if err != nil {
		t.Fatal(err)
	}
	check("PNG", interp.FromImage(eight), "image/png", pngOf(t, eight))
	var lossy bytes.Buffer
	if err := jpeg.Encode(&lossy, eight, nil); err != nil {
		t.Fatal(err)
	}
	stored, err := jpeg.Decode(bytes.NewReader(lossy.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	check("JPEG", interp.FromImage(stored), "image/jpeg", lossy.Bytes())
	var all []interp.Images
	var files [][]byte
	for i := range x.N {
		sixteen := picture(x.Slice(i, i+1))
		all, files = append(all, interp.FromImage(sixteen)), append(files, pngOf(t, sixteen))
	}
	joined, err := interp.Join(all...)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range joined.Pix {
		if d := v - x.Pix[i]; d*d > 1e-5*1e-5 {
			t.Fatalf("16 bits change %g into %g", x.Pix[i], v)
		}
	}
	kind, body := form(t, files...)
	check("form", joined, kind, body)
}

func description(t testing.TB, address string) []byte {
	t.Helper()
	r, err := http.Get(address + "/v1/model")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A grey picture is taken by a network of colours, as red, green and blue; a network of grey takes grey pictures only.
func TestGrey(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 3, 2))
	grey.SetGray(1, 1, color.Gray{Y: 51})
	d := Description{Input: [3]int{2, 3, 3}, Images: 1}
	x, err := parsePicture(pngOf(t, grey), d)
	if err != nil || !slices.Equal(x.Pixel(0, 1, 1), []float64{.2, .2, .2}) {
		t.Errorf("%v, %v", x, err)
	}
	d.Input[2] = 1
	x, err = parsePicture(pngOf(t, grey), d)
	if err != nil || x.C != 1 || !slices.Equal(x.Pix, []float64{0, 0, 0, 0, .2, 0}) {
		t.Errorf("%v, %v", x, err)
	}
	red := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i := range 6 {
		red.Set(i%3, i/3, color.NRGBA{9, 9, uint8(8 + i/5*2), 255})
	}
	if _, err = parsePicture(pngOf(t, red), d); err == nil || !strings.Contains(err.Error(), "make it grey") {
		t.Error(err)
	}
	red.Set(2, 1, color.NRGBA{9, 9, 9, 254})
	d.Input[2] = 3
	if _, err = parsePicture(pngOf(t, red), d); err == nil || !strings.Contains(err.Error(), "row 1, column 2") {
		t.Error(err)
	}
}

func TestServerRefuses(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	address, _ := serve(t, Server{Model: m, Images: 4})
	x := interptest.Images(m, 2, 1)
	with := func(v float64) []byte {
		y := x
		y.Pix = slices.Clone(x.Pix)
		y.Pix[5] = v
		return appendRequest(nil, y)
	}
	scaled := x
	scaled.Pix = nil
	for _, v := range x.Pix {
		scaled.Pix = append(scaled.Pix, float64(int(v*255)))
	}
	good := string(appendRequest(nil, x))
	small := pngOf(t, image.NewGray(image.Rect(0, 0, 12, 11)))
	kind, many := form(t, slices.Repeat([][]byte{pngOf(t, image.NewGray(image.Rect(0, 0, 12, 12)))}, 5)...)
	empty, none := form(t)
	for _, c := range []struct {
		name, kind string
		body       []byte
		status     int
		says       string
	}{
		{"nothing", "application/json", nil, 400, "EOF"},
		{"no JSON", "application/json", []byte("pixels=1"), 400, "invalid character"},
		{"cut off", "application/json", []byte(good[:100]), 400, "unexpected EOF"},
		{"two", "application/json", []byte(good + good), 400, "after the body"},
		{"another key", "application/json", []byte(`{"shape":[1,12,12,3],"instances":[]}`), 400, `unknown field \"instances\"`},
		{"nested", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":[[[1]]]}`), 400, "ravel().tolist()"},
		{"a string", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":"iVBORw0KGgo"}`), 400, "no flat list"},
		{"null", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":null}`), 400, ""},
		{"NaN", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":[NaN]}`), 400, "invalid character 'N'"},
		{"true", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":[true]}`), 400, "must be a number"},
		{"overflow", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":[1e999]}`), 400, "must be a number"},
		{"few pixels", "application/json", []byte(`{"shape":[1,12,12,3],"pixels":[0,1]}`), 400, "need 432 numbers"},
		{"no images", "application/json", []byte(`{"shape":[0,12,12,3],"pixels":[]}`), 400, "no images"},
		{"negative", "application/json", []byte(`{"shape":[-1,12,12,3],"pixels":[]}`), 400, "no images"},
		{"huge shape", "application/json", []byte(`{"shape":[4611686018427387904,12,12,3],"pixels":[]}`), 400, "at most 4"},
		{"channels first", "application/json", []byte(`{"shape":[1,3,12,12],"pixels":[]}`), 400, "must be 12×12×3"},
		{"0 to 255", "application/json", appendRequest(nil, scaled), 400, "divide values of 8 bits by 255"},
		{"a little over", "application/json", with(1.000001), 400, "must be from 0 to 1"},
		{"a little under", "application/json", with(-1e-9), 400, "must be from 0 to 1"},
		{"too many", "application/json", appendRequest(nil, interptest.Images(m, 5, 1)), 400, "at most 4"},
		{"10 MB", "application/json", bytes.Repeat([]byte("["), 10<<20), 413, "more than"},
		{"a form of curl", "application/x-www-form-urlencoded", []byte(good), 415, "send application/json"},
		{"no type", "", []byte(good), 415, "send application/json"},
		{"another size", "image/png", small, 400, "must have 12 and 12"},
		{"no picture", "image/png", []byte(good), 400, "no PNG and no JPEG"},
		{"cut picture", "image/png", pngOf(t, image.NewGray(image.Rect(0, 0, 12, 12)))[:60], 400, "damaged"},
		{"many pictures", kind, many, 400, "at most 4"},
		{"no pictures", empty, none, 400, "no pictures"},
		{"no boundary", "multipart/form-data", many, 400, "no form"},
		{"cut form", kind, many[:200], 400, "form"},
	} {
		r, b := post(t, address, c.kind, c.body)
		var f failed
		err := json.Unmarshal(b, &f)
		if r.StatusCode != c.status || err != nil || f.Error.Remedy == "" || !strings.Contains(string(b), c.says) {
			t.Errorf("%s: %s %s %v, want %d with %q", c.name, r.Status, b, err, c.status, c.says)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "/v1/predict", 405}, {"PUT", "/v1/model", 405}, {"GET", "/", 404}, {"GET", "/v1/model/../../etc/passwd",
		404}, {"HEAD", "/v1/model", 200}} {
		q, err := http.NewRequest(c.method, address+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != jsonType || (r.Header.Get("Allow") != "") != (c.status == 405) {
			t.Errorf("%s %s: %s, %v", c.method, c.path, r.Status, r.Header)
		}
	}
	q, _ := http.NewRequest("POST", address+"/v1/predict", strings.NewReader(good))
	q.Header.Set("Content-Type", jsonType)
	q.Header.Set("Content-Encoding", "gzip")
	if r, err := http.DefaultClient.Do(q); err != nil || r.StatusCode != 415 {
		t.Errorf("gzip: %v %v", r, err)
	} else {
		r.Body.Close()
	}
	for n, status := range map[int]int{maxKey: 200, maxKey + 1: 400} {
		q, _ := http.NewRequest("POST", address+"/v1/predict", strings.NewReader(good))
		q.Header.Set("Content-Type", jsonType)
		q.Header.Set(keyed, strings.Repeat("k", n))
		if r, err := http.DefaultClient.Do(q); err != nil || r.StatusCode != status {
			t.Errorf("a key of %d bytes: %v %v", n, r, err)
		} else {
			r.Body.Close()
		}
	}
	var counts Queries
	r, err := http.Get(address + "/v1/queries")
	if err == nil {
		defer r.Body.Close()
		err = json.NewDecoder(r.Body).Decode(&counts)
	}
	if err != nil || counts.Total != 2 { // of the key that is short enough
		t.Errorf("what was refused counts: %+v, %v", counts, err)
	}
}

// from is an HTTP client with an address of its own.
func from(ip string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext}}
}

func TestCounts(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	file := filepath.Join(t.TempDir(), "ledger")
	ask := func(address, ip, key string, n int) Queries {
		t.Helper()
		q, err := http.NewRequest("POST", address+"/v1/predict", bytes.NewReader(appendRequest(nil, interptest.Images(m, n, 1))))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", jsonType)
		q.Header.Set(keyed, key)
		q.Header.Set("X-Forwarded-For", "10.0.0.1") // nobody believes it
		r, err := from(ip).Do(q)
		if err != nil {
			t.Skipf("skipped: this system has no address %s: %v", ip, err)
		}
		defer r.Body.Close()
		if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != 200 {
			t.Fatalf("%s %s %v", r.Status, b, err)
		}
		r, err = from(ip).Get(address + "/v1/queries")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		var c Queries
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	address, stop := serve(t, Server{Model: m, Ledger: file})
	ask(address, "127.0.0.1", "", 3)
	ask(address, "127.0.0.1", "a", 2)
	ask(address, "127.0.0.1", "a", 2)      // again: counts once
	ask(address, "127.0.0.1", "a", 1)      // the same key for another request
	c := ask(address, "127.0.0.2", "a", 2) // somebody else's
	want := fmt.Sprint(Queries{8, 2, map[string]int64{"127.0.0.1": 6, "127.0.0.2": 2}})
	if fmt.Sprint(c) != want {
		t.Errorf("%v, want %v", c, want)
	}
	stop()
	address, stop = serve(t, Server{Model: m, Ledger: file})
	if c := ask(address, "127.0.0.2", "a", 2); fmt.Sprint(c) != want {
		t.Errorf("after a new start, asked again: %v, want %v", c, want)
	}
	stop()
	_, err := Server{Model: m, Ledger: file, Scores: true}.start(ctx)
	if err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("a ledger of labels for a server of scores: %v", err)
	}
}

func TestRate(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	address, _ := serve(t, Server{Model: m, Rate: .01, Images: 4})
	x := appendRequest(nil, interptest.Images(m, 4, 1))
	first, _ := post(t, address, jsonType, x) // is as large as may be
	r, b := post(t, address, jsonType, x)
	after, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if first.StatusCode != 200 || r.StatusCode != 429 || err != nil || after < 1 || after > 400 || !bytes.Contains(b, []byte("ask again after")) {
		t.Errorf("%s, then %s, Retry-After %d, %v: %s", first.Status, r.Status, after, err, b)
	}
	if r, b := post(t, address, "text/plain", nil); r.StatusCode != 429 {
		t.Errorf("what is no request at all, too early: %s %s", r.Status, b)
	}
	if q, err := from("127.0.0.2").Post(address+"/v1/predict", jsonType, bytes.NewReader(x)); err == nil {
		q.Body.Close()
		if q.StatusCode != 200 {
			t.Errorf("another client: %s", q.Status)
		}
	}
	// A client that obeys is never refused for good, and is not faster than the rate.
	address, _ = serve(t, Server{Model: m, Rate: 20, Images: 4})
	c, err := Dial(ctx, address, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	a, err := c.Ask(ctx, interptest.Images(m, 40, 2))
	if err != nil || len(a.Labels) != 40 || time.Since(begin) < time.Second {
		t.Errorf("%d answers in %v, %v", len(a.Labels), time.Since(begin), err)
	}
}

// Many clients at once have the answers to their own images.
func TestLawBatches(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	address, _ := serve(t, Server{Model: m})
	var all sync.WaitGroup
	for k := range 16 {
		all.Go(func() {
			c, err := Dial(ctx, address, Terms{})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for round := range 4 {
				x := interptest.Images(m, 1+(k+round)%7, uint64(100*k+round))
				got, err := c.Labels(ctx, x)
				if want := truth(t, m, x).Labels; err != nil || !slices.Equal(got, want) {
					t.Errorf("client %d: %v, want %v, %v", k, got, want, err)
				}
			}
		})
	}
	all.Wait()
}

// Of requests that go to the model together, one that nobody waits for any more takes no answer from the others.
func TestBatchWithoutTheGone(t *testing.T) {
	m := interptest.Branchy()
	b := batcher{model: m}
	gone, leave := context.WithCancel(ctx)
	leave()
	var jobs []job
	for k, c := range []context.Context{gone, ctx, ctx, gone, ctx} {
		jobs = append(jobs, job{c, interptest.Images(m, k+1, uint64(k)), make(chan answered, 1)})
	}
	if !b.answer(ctx, jobs) {
		t.Fatal("the model failed")
	}
	for k, j := range jobs {
		if j.ctx == gone {
			continue
		}
		a := <-j.answer
		if want := truth(t, m, j.x).Labels; a.err != nil || !slices.Equal(a.Labels, want) {
			t.Errorf("request %d: %v, want %v, %v", k, a.Labels, want, a.err)
		}
	}
}

// TestShutdownAtStart: a server that is stopped while it starts has done what it was asked to.
func TestShutdownAtStart(t *testing.T) {
	quiet(t)
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		running, stop := context.WithTimeout(ctx, after)
		if err := (Server{Model: interptest.Branchy()}).Serve(running, l); err != nil {
			t.Errorf("stopped after %v: %v", after, err)
		}
		stop()
		if l.Close() == nil {
			t.Errorf("stopped after %v, it still listens", after)
		}
	}
}

// A server that is stopped answers what it has, and nothing of it is left.
func TestShutdown(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	address, stop := serve(t, Server{Model: m})
	description(t, address)
	body := appendRequest(nil, interptest.Images(m, 64, 1))
	half, rest := io.Pipe()
	status := make(chan string, 1)
	go func() {
		r, err := http.NewRequest(http.MethodPost, address+"/v1/predict", half)
		if err != nil {
			status <- err.Error()
			return
		}
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("Expect", "100-continue") // the body is sent when the server asks for it: then the request is under way
		web := &http.Transport{ExpectContinueTimeout: time.Minute}
		defer web.CloseIdleConnections()
		answer, err := web.RoundTrip(r)
		if err != nil {
			status <- err.Error()
			return
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		status <- answer.Status
	}()
	if _, err := rest.Write(body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	go func() {
		time.Sleep(100 * time.Millisecond) // while it stops
		_, _ = rest.Write(body[len(body)/2:])
		rest.Close()
	}()
	stop()
	if s := <-status; s != "200 OK" {
		t.Errorf("the request under way: %s", s)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(address, "http://")); err == nil {
		t.Error("it still listens")
	}
}

func TestServerErrors(t *testing.T) {
	m := interptest.Branchy()
	for want, s := range map[string]Server{
		"Server.Model is nil":  {},
		"Server.Rate is -1":    {Model: m, Rate: -1},
		"Server.Rate is NaN":   {Model: m, Rate: math.NaN()},
		"Server.Rate is +Inf":  {Model: m, Rate: math.Inf(1)},
		"Server.Images is -1":  {Model: m, Images: -1},
		"the ledger: journal:": {Model: m, Ledger: t.TempDir()},
	} {
		if _, err := s.start(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// By default a request has fewer images where they are large, so that a body has a bound that does not grow with them.
func TestDefaultImages(t *testing.T) {
	for side, want := range map[int]int{28: 64, 128: 64, 224: 20, 1024: 1, 4000: 1} {
		m := interptest.Model("large", func(s *model.Scope, x *graph.Node) *graph.Node {
			return layer.Dense(s.At("logits"), graph.ReduceMean(x, 1, 2), 3)
		}, [3]int{side, side, 1}, 3, 1)
		if d, err := (Server{Model: m}).describe(); err != nil || d.Images != want {
			t.Errorf("of %d×%d: %d images, want %d, %v", side, side, d.Images, want, err)
		}
	}
}

// Where one request makes the model fail, those that went to it together are answered, except those that nobody waits for.
func TestBatchOfTheBad(t *testing.T) {
	m := interptest.Model("infinite", func(s *model.Scope, x *graph.Node) *graph.Node {
		x = layer.Flatten(x)
		return graph.Div(layer.Dense(s.At("logits"), x, 3), graph.ReduceAndKeep(x, graph.ReduceSum, -1))
	}, [3]int{2, 2, 1}, 3, 1)
	b := batcher{model: m, jobs: make(chan job, waiting)}
	gone, leave := context.WithCancel(ctx)
	leave()
	var jobs []job
	for k, c := range []context.Context{gone, ctx, ctx, ctx} {
		x := interptest.Images(m, 2, uint64(k))
		if k == 2 {
			clear(x.Pix[:4]) // 0 / 0
		}
		jobs = append(jobs, job{c, x, make(chan answered, 1)})
		b.jobs <- jobs[k]
	}
	running, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); b.work(running) }()
	for k, j := range jobs[1:] {
		if a := <-j.answer; (a.err != nil) != (k == 1) || k != 1 && !slices.Equal(a.Labels, truth(t, m, j.x).Labels) {
			t.Errorf("request %d: %v, %v", k, a.Labels, a.err)
		}
	}
	end()
	<-done
}

// Where too many requests wait for the model, one more is told to come back, and so is who waits too long to send a body.
func TestBusy(t *testing.T) {
	quiet(t)
	m := interptest.Branchy()
	_, err := batcher{model: m, jobs: make(chan job)}.ask(ctx, interptest.Images(m, 1, 1))
	var r *refusal
	if !errors.As(err, &r) || r.status != http.StatusServiceUnavailable || r.retry != time.Second {
		t.Errorf("%v", err)
	}
	h, err := Server{Model: m}.start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range bodies {
		h.bodies <- struct{}{}
	}
	status := make(chan int, 1)
	go func() {
		q := httptest.NewRequest("POST", "/v1/predict", bytes.NewReader(appendRequest(nil, interptest.Images(m, 1, 1))))
		q.Header.Set("Content-Type", jsonType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		status <- w.Code
	}()
	select {
	case s := <-status:
		t.Errorf("as many bodies as may be are being read, and one more is answered with %d", s)
	case <-time.After(50 * time.Millisecond):
		<-h.bodies
		if s := <-status; s != 200 {
			t.Errorf("when one is read, the next is answered with %d", s)
		}
	}
	if err := h.stop(); err != nil {
		t.Error(err)
	}
}

// pipes is a listener of connections in memory, whose time is the test's.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A client that sends slowly, takes its answer slowly, or does nothing, does not keep its connection.
func TestSlowClients(t *testing.T) {
	for name, c := range map[string]struct {
		send  string
		drips string // sent again and again, each after 10 s
		most  time.Duration
	}{
		"head":   {"POST / HTTP/1.1\r\n", "X-A: b\r\n", reading},
		"body":   {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "1", reading},
		"idle":   {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", 2 * time.Minute},
		"answer": {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", 2*reading + computing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				web := server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.Copy(io.Discard, r.Body); err == nil {
						_, _ = w.Write(make([]byte, 1<<20))
					}
				}))
				l := pipes{make(chan net.Conn, 1)}
				go func() { _ = web.Serve(l) }()
				mine, its := net.Pipe()
				l.conns <- its
				began := time.Now()
				if _, err := io.WriteString(mine, c.send); err != nil {
					t.Fatal(err)
				}
				if name == "answer" { // it is taken only later
					time.Sleep(c.most + time.Second) // at c.most itself, either may be first
				}
				closed := make(chan struct{})
				go func() {
					defer close(closed)
					_, _ = io.Copy(io.Discard, mine)
				}()
				for kept := true; kept; {
					select {
					case <-closed:
						kept = false
					case <-time.After(10 * time.Second):
						_, _ = io.WriteString(mine, c.drips) // it may be closed now
					}
				}
				if d := time.Since(began); d > c.most+10*time.Second {
					t.Errorf("the connection is kept for %v, must be at most about %v", d, c.most)
				}
				close(l.conns)
				_ = web.Close()
			})
		})
	}
}

func FuzzRequest(f *testing.F) {
	m := interptest.Branchy()
	d, err := Server{Model: m, Images: 4}.describe()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(appendRequest(nil, interptest.Images(m, 2, 1)))
	f.Add([]byte(`{"shape":[1,12,12,3],"pixels":[0, 1e-3 ,1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := parseRequest(b, d)
		if err != nil {
			return
		}
		if err := d.takes(x); err != nil || x.N > d.Images {
			t.Fatal(err)
		}
		again, err := parseRequest(appendRequest(nil, x), d)
		if err != nil || !slices.Equal(again.Pix, x.Pix) {
			t.Error(err)
		}
	})
}

func FuzzUpload(f *testing.F) {
	d := Description{Input: [3]int{12, 12, 3}, Images: 4}
	m := picture(interptest.ImagesOf(1, 12, 12, 3, 1))
	kind, body := form(f, pngOf(f, m), pngOf(f, m))
	f.Add(kind, body)
	f.Add("image/png", pngOf(f, m))
	f.Fuzz(func(t *testing.T, kind string, b []byte) {
		x, err := parse(b, http.Header{"Content-Type": {kind}}, d)
		if err == nil && (d.takes(x) != nil || x.N > d.Images) {
			t.Error(d.takes(x))
		}
	})
}
