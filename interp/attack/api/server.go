package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"time"

	"lucigo/interp"
)

// Server answers for a model over HTTP. The zero value of everything but Model is a server that gives labels only, to as many
// clients as there are, as fast as it can. A client is an address: nothing that it says of itself is believed.
type Server struct {
	Model  *interp.Model
	Scores bool    // give the probability of each class too
	Rate   float64 // images a second that each client may ask about, after a first request of any size; 0: no limit
	Images int     // the most of one request; 0: 64, or fewer if they are large

	// Ledger is the file where answers are counted, by client. A server that was killed and is started again with the same file counts
	// on, and knows the requests that it has answered last. "": they are counted in memory.
	Ledger string
}

const (
	reading   = 30 * time.Second // for a client to send a request
	computing = 2 * time.Minute  // for the model to answer it
	grace     = 15 * time.Second // for requests under way when the server is stopped
	bodies    = 8                // are read at once
	waiting   = 64               // requests wait for the model
	maxPart   = 64 << 10         // bytes of a picture beside its pixels
)

func (s Server) describe() (Description, error) {
	if s.Model == nil {
		return Description{}, errors.New("api: Server.Model is nil, must be the model that answers")
	}
	h, w, c := s.Model.Input()
	most := s.Images
	if most == 0 {
		most = min(64, max(1, 1<<20/(h*w*c)))
	}
	switch {
	case most < 1:
		return Description{}, fmt.Errorf("api: Server.Images is %d, must be at least 1", s.Images)
	case !(s.Rate >= 0) || math.IsInf(s.Rate, 1):
		return Description{}, fmt.Errorf("api: Server.Rate is %g, must be a number of at least 0", s.Rate)
	}
	d := Description{Name: s.Model.Name(), Input: [3]int{h, w, c}, Pixels: colours(c), Classes: s.Model.Classes(), Scores: s.Scores,
		Images: most, Once: true}
	return d, d.check()
}

// Serve answers what comes in at l, until ctx ends, be it while it starts: then it takes no more, finishes what it has, and
// returns nil. It closes l.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	defer l.Close()
	h, err := s.start(ctx)
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil
	case err != nil:
		return err
	}
	web := server(h)
	shut := make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		defer close(shut)
		end, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		if web.Shutdown(end) != nil {
			_ = web.Close() // whoever is still at it is cut off
		}
	})
	err = web.Serve(l)
	if stopped() { // it ended without being asked to
		_ = web.Close()
	} else {
		<-shut
		err = nil
	}
	return errors.Join(err, h.stop())
}

// server returns an HTTP server with bounds on what a client may send and how long it may take.
func server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ErrorLog: log.New(io.Discard, "", 0), // what a client does wrong, it is told
		ReadTimeout: reading, WriteTimeout: reading + computing + reading, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// service is a server that runs.
type service struct {
	what    Description
	model   *interp.Model
	mux     *http.ServeMux
	bodies  chan struct{} // of those being read
	ledger  *ledger
	batcher batcher
}

// start opens the ledger, has the model answer once, so that whatever it lacks is said now, and begins to answer.
func (s Server) start(ctx context.Context) (*service, error) {
	d, err := s.describe()
	if err != nil {
		return nil, err
	}
	for n := 1; n <= min(16, d.Images); n *= 4 { // compiles for the sizes of batches that will come
		x := interp.Images{N: n, H: d.Input[0], W: d.Input[1], C: d.Input[2], Pix: make([]float64, n*d.size())}
		if _, err := s.Model.Predict(ctx, x); err != nil {
			return nil, fmt.Errorf("api: the model does not answer: %w", err)
		}
	}
	books, err := openLedger(s.Ledger, s.Rate, s.Model, d)
	if err != nil {
		return nil, err
	}
	h := &service{what: d, model: s.Model, mux: http.NewServeMux(), bodies: make(chan struct{}, bodies), ledger: books,
		batcher: batch(s.Model, s.Scores)}
	h.mux.HandleFunc("GET /v1/model", func(w http.ResponseWriter, r *http.Request) { write(w, http.StatusOK, h.what) })
	h.mux.HandleFunc("GET /v1/queries", func(w http.ResponseWriter, r *http.Request) {
		write(w, http.StatusOK,
			h.ledger.queries(client(r)))
	})
	h.mux.HandleFunc("POST /v1/predict", func(w http.ResponseWriter, r *http.Request) {
		a, err := h.predict(w, r)
		if err != nil {
			refuse(w, err)
			return
		}
		write(w, http.StatusOK, a)
	})
	for path, method := range map[string]string{"/v1/model": "GET, HEAD", "/v1/queries": "GET, HEAD", "/v1/predict": "POST"} {
		h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", method)
			refuse(w, &refusal{http.StatusMethodNotAllowed, 0, Failure{fmt.Sprintf("the method is %.20q", r.Method), "use " + method}})
		})
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &refusal{http.StatusNotFound, 0, Failure{"there is nothing here", "ask at /v1/model, /v1/predict or /v1/queries"}})
	})
	return h, nil
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// stop ends what start began.
func (s *service) stop() error {
	s.batcher.stop()
	return s.ledger.close()
}

// client is whom a request is counted for.
func client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// predict answers a request for predictions. A request with a key that has been answered is answered from memory.
func (s *service) predict(w http.ResponseWriter, r *http.Request) (answer, error) {
	who, key := client(r), r.Header.Get(keyed)
	if len(key) > maxKey {
		return answer{}, &refusal{http.StatusBadRequest, 0, Failure{fmt.Sprintf("%s has %d bytes", keyed, len(key)),
			fmt.Sprintf("send at most %d", maxKey)}}
	}
	if wait := s.ledger.wait(who, 0); wait > 0 {
		return answer{}, slower(wait)
	}
	body, err := s.body(w, r)
	if err != nil {
		return answer{}, err
	}
	a, err := s.ledger.once(r.Context(), who, key, body, func() (Answers, error) {
		x, err := parse(body, r.Header, s.what)
		if err != nil {
			return Answers{}, err
		}
		if wait := s.ledger.wait(who, x.N); wait > 0 {
			return Answers{}, slower(wait)
		}
		return s.batcher.ask(r.Context(), x)
	})
	if err != nil {
		return answer{}, err
	}
	all := answer{Predictions: make([]prediction, len(a.Labels)), Queries: s.ledger.counted(who)}
	for i := range a.Labels {
		all.Predictions[i] = prediction{Label: &a.Labels[i], Class: s.what.Classes[a.Labels[i]]}
		if a.Scores != nil {
			all.Predictions[i].Scores = a.Scores[i]
		}
	}
	return all, nil
}

// body reads a request's body, a few at a time.
func (s *service) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, &refusal{http.StatusUnsupportedMediaType, 0, Failure{"the body is compressed", "send it as it is"}}
	}
	select {
	case s.bodies <- struct{}{}:
		defer func() { <-s.bodies }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	most := int64(s.what.Images) * int64(s.what.size()*number+maxPart)
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, &refusal{http.StatusRequestEntityTooLarge, 0, Failure{fmt.Sprintf("the body has more than %d bytes", most),
			fmt.Sprintf("send at most %d images a request, and numbers of at most %d characters", s.what.Images, number-2)}}
	case err != nil:
		return nil, &refusal{http.StatusRequestTimeout, 0, Failure{"the body did not come whole: " + err.Error(),
			fmt.Sprintf("send it within %v", reading)}}
	}
	return b, nil
}

// parse reads the images of a body.
func parse(body []byte, head http.Header, d Description) (x interp.Images, err error) {
	kind, params, err := mime.ParseMediaType(head.Get("Content-Type"))
	switch {
	case err == nil && kind == jsonType:
		x, err = parseRequest(body, d)
	case err == nil && (kind == "image/png" || kind == "image/jpeg"):
		x, err = parsePicture(body, d)
	case err == nil && kind == "multipart/form-data":
		x, err = parseForm(body, params["boundary"], d)
	default:
		return x, &refusal{http.StatusUnsupportedMediaType, 0, Failure{fmt.Sprintf("the Content-Type is %.60q", head.Get("Content-Type")),
			"send application/json, image/png, image/jpeg or multipart/form-data"}}
	}
	if err != nil {
		return x, &refusal{http.StatusBadRequest, 0, Failure{err.Error(), "GET /v1/model says what is taken"}}
	}
	return x, nil
}

// parseForm reads pictures that are the parts of a form, whatever their fields' names are.
func parseForm(body []byte, boundary string, d Description) (interp.Images, error) {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	var all []interp.Images
	for {
		p, err := parts.NextPart()
		switch {
		case err == io.EOF && len(all) == 0:
			return interp.Images{}, errors.New("the form has no pictures")
		case err == io.EOF:
			return interp.Join(all...)
		case err != nil:
			return interp.Images{}, fmt.Errorf("no form, or a damaged one: %w", err)
		case len(all) == d.Images:
			return interp.Images{}, tooMany(len(all)+1, d.Images)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return interp.Images{}, fmt.Errorf("picture %d of the form: %w", len(all), err)
		}
		x, err := parsePicture(b, d)
		if err != nil {
			return x, fmt.Errorf("picture %d of the form: %w", len(all), err)
		}
		all = append(all, x)
	}
}

// refusal is an error that a client is told.
type refusal struct {
	status int
	retry  time.Duration // after which the same request may succeed; 0: it will not
	Failure
}

func slower(wait time.Duration) error {
	return &refusal{http.StatusTooManyRequests, wait, Failure{"these are more images than the server's rate allows",
		fmt.Sprintf("ask again after %v", wait.Round(time.Millisecond))}}
}

func busy() error {
	return &refusal{http.StatusServiceUnavailable, time.Second, Failure{"too many requests are under way", "ask again after a second"}}
}

func refuse(w http.ResponseWriter, err error) {
	r := &refusal{http.StatusInternalServerError, 0, Failure{err.Error(), "tell whoever runs the server"}}
	errors.As(err, &r)
	if r.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retry.Seconds()))))
	}
	write(w, r.status, failed{r.Failure})
}

func write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"cause":"the answer has no JSON","remedy":"tell whoever runs the server"}}`)
	}
	b = append(b, '\n')
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // whoever left is told nothing
}
