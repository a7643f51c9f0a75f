package show

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"lucigo/notebooks/internal/cell"
)

// Progress is one line that says how far a long piece of work has come. In a notebook the line changes
// in place, ten times a second at most, and its last state stays; elsewhere a line is written every five
// seconds and at the end. Its methods may be called from several goroutines.
//
//	p := show.Progress{Title: "training", Total: steps}
//	defer p.Close()
type Progress struct {
	Title string
	Total int // steps in all; 0 where that is not known

	mu        sync.Mutex
	at        place
	start     time.Time
	done      int
	note      string
	compiling bool // the next step has to wait for its program
	stale     bool // done and note are newer than what is shown
	problem   error
}

// Set says that so many steps are done, with a note, which may be "". Its error says that the line could not be
// displayed.
func (p *Progress) Set(done int, note string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.set(done, note)
}

func (p *Progress) set(done int, note string) error {
	p.begin()
	p.done, p.note, p.compiling, p.stale = done, note, false, true
	if done == p.Total && p.Total != 0 || p.at.due() {
		return p.show()
	}
	return nil
}

func (p *Progress) begin() {
	if !p.start.IsZero() {
		return
	}
	p.start = time.Now()
	if !cell.InNotebook() { // A notebook shows the line at once.
		p.at.next = p.start.Add(pause())
	}
}

// wait says in a notebook that the program of what comes next is being compiled. The next step takes that back.
func (p *Progress) wait(note string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begin()
	if !cell.InNotebook() {
		return nil
	}
	p.note, p.compiling = note, true
	return p.show()
}

// Part returns what counts the steps of part i of n parts of equal length, 0 for the first, with a note,
// as featvis.Render.Progress does. Until the first of them the line says that their program is being compiled. Errors
// are Close's.
func (p *Progress) Part(i, n int, note string) func(done, of int) {
	if err := p.wait(note); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.problem = cmp.Or(p.problem, err)
	}
	return func(done, of int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.Total = n * of
		p.problem = cmp.Or(p.problem, p.set(i*of+done, note))
	}
}

// Close shows the last state where it is not yet shown.
func (p *Progress) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stale {
		return p.problem
	}
	return cmp.Or(p.problem, p.show())
}

func pause() time.Duration {
	if cell.InNotebook() {
		return 100 * time.Millisecond
	}
	return 5 * time.Second
}

func (p *Progress) show() error {
	line := p.line(time.Since(p.start))
	bar := ""
	if p.Total > 0 {
		bar = fmt.Sprintf(`<progress value="%d" max="%d"></progress> `, min(max(p.done, 0), p.Total), p.Total)
	}
	p.stale = false
	return p.at.show(cell.Output{HTML: "<div>" + bar + text(line) + "</div>", Text: line}, pause())
}

// line is the state after the time given, as in "training: 50 of 200 · loss 0.3 · 3.0 s".
func (p *Progress) line(took time.Duration) string {
	s := fmt.Sprint(p.done)
	if p.Total > 0 {
		s += fmt.Sprint(" of ", p.Total)
	}
	if p.compiling && p.done == 0 {
		s = "compiling"
	}
	if p.Title != "" {
		s = p.Title + ": " + s
	}
	if p.note != "" {
		s += " · " + p.note
	}
	if p.compiling { // The clock would stand still.
		if p.done > 0 {
			s += " · compiling"
		}
		return oneLine(s)
	}
	clock := fmt.Sprintf("%.1f s", took.Seconds())
	if took.Minutes() >= 1 {
		clock = took.Round(time.Second).String()
	}
	return oneLine(s + " · " + clock)
}

// place is an output that shows one state after the other, in the same place. Its zero value has not shown any.
type place struct {
	id   string
	next time.Time // when another state may be shown
}

func (p *place) due() bool { return !time.Now().Before(p.next) }

// show shows a state, after which there is a pause.
func (p *place) show(o cell.Output, pause time.Duration) error {
	p.id = cmp.Or(p.id, cell.ID())
	err := cell.Update(p.id, o)
	p.next = time.Now().Add(pause)
	return err
}

// draw shows a state that takes time to draw, not more often than it can be looked at, and not so often that drawing
// takes the machine from the work.
func (p *place) draw(state func() (page, text string, err error)) error {
	start := time.Now()
	page, text, err := state()
	if err != nil {
		return err
	}
	return p.show(cell.Output{HTML: page, Text: text}, max(500*time.Millisecond, 4*time.Since(start)))
}
