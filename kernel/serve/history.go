package serve

import (
	"cmp"
	"slices"
)

// Bounds of the inputs that are kept.
const (
	maxInputs     = 10_000
	maxInputBytes = 4 << 20
)

// history is the inputs of this session, the newest last. Its zero value is empty.
type history struct {
	list  []input
	bytes int
}

// input is the code of an execution, and the execution's number.
type input struct {
	line int
	code string
}

// add appends an input, and forgets the oldest where there are too many.
func (h *history) add(line int, code string) {
	if len(code) > maxInputBytes {
		return
	}
	h.list = append(h.list, input{line, code})
	h.bytes += len(code)
	for len(h.list) > maxInputs || h.bytes > maxInputBytes {
		h.bytes -= len(h.list[0].code)
		h.list[0] = input{}
		h.list = h.list[1:]
	}
}

// access is a question about the history.
type access struct {
	Type    string `json:"hist_access_type"`
	Output  bool   `json:"output"`
	Session int    `json:"session"`
	Start   int    `json:"start"`
	Stop    *int   `json:"stop"`
	N       *int   `json:"n"`
	Pattern string `json:"pattern"`
	Unique  bool   `json:"unique"`
}

// thisSession is the number of the session that inputs are said to be of; 0 means the present one as well.
const thisSession = 1

// find returns the inputs that are asked for.
func (h *history) find(a access) []input {
	switch a.Type {
	case "tail":
		return last(h.list, a.N)
	case "search":
		return h.search(a)
	case "range":
		return h.between(a)
	}
	return nil
}

// between returns the lines from Start up to, and without, Stop. Negative numbers count from the end.
func (h *history) between(a access) (found []input) {
	if a.Session != 0 && a.Session != thisSession || len(h.list) == 0 {
		return nil
	}
	end := h.list[len(h.list)-1].line + 1
	start, stop := a.Start, end
	if start < 0 {
		start += end
	}
	if a.Stop != nil && *a.Stop != 0 {
		if stop = *a.Stop; stop < 0 {
			stop += end
		}
	}
	for _, in := range h.list {
		if in.line >= start && in.line < stop {
			found = append(found, in)
		}
	}
	return found
}

// search returns the last N inputs that match the pattern; with Unique, of equal ones only the last.
func (h *history) search(a access) (found []input) {
	if a.Pattern == "" {
		a.Pattern = "*"
	}
	seen := map[string]bool{}
	for _, in := range slices.Backward(h.list) {
		if (!a.Unique || !seen[in.code]) && match([]rune(a.Pattern), []rune(in.code)) {
			seen[in.code] = a.Unique
			found = append(found, in)
		}
	}
	slices.SortFunc(found, func(a, b input) int { return cmp.Compare(a.line, b.line) })
	return last(found, a.N)
}

// last returns the last n inputs; all where n is nil.
func last(list []input, n *int) []input {
	if n == nil {
		return list
	}
	return list[len(list)-min(len(list), max(*n, 0)):]
}

// match says whether text matches a pattern in which * matches any text and ? any character. It takes time in
// proportion to the product of their lengths at most: only the last * before a mismatch has to stand for more.
func match(pattern, text []rune) bool {
	p, star, from := 0, -1, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
