package key

import (
	"errors"
	"math"
	"strings"
	"testing"
)

type inner interface{ f() }
type a struct{ n int }
type b struct{ n int }
type own struct{ inner }

func (a) f() {}
func (b) f() {}

type fields struct {
	s    []string
	m    map[string]float64
	p    *int
	any  any
	f    func()
	here *func()
}

func local() any { type a struct{ n int }; return a{1} }

func of(t *testing.T, v ...any) string {
	t.Helper()
	k, err := Of(v...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Every two of these differ, and a copy of each is equal.
func TestTypesAndValues(t *testing.T) {
	one, two, again := 1, 2, 1
	f := func() {}
	g := func() {}
	type other struct{ n int }
	values := []any{
		nil, 1, int8(1), 1., "1", true, a{1}, a{2}, b{1}, &a{1}, local(), other{1}, own{a{1}}, own{b{1}}, own{own{a{1}}}, own{nil},
		[]int(nil), []int{}, []int{1}, []int{1, 1}, [2]int{1, 1}, []string{"a", "b"}, []string{"ab"}, []string{"a;1:b"},
		math.Inf(1), math.NaN(), 0., math.Copysign(0, -1), complex(1, 2),
		fields{}, fields{s: []string{}}, fields{m: map[string]float64{}}, fields{s: []string{"a"}}, fields{m: map[string]float64{"a": 1, "b": 2}}, fields{m: map[string]float64{"a": 2, "b": 1}},
		fields{p: &one}, fields{p: &two}, fields{any: 1}, fields{any: int64(1)}, fields{here: &f}, fields{here: &g},
	}
	for i, v := range values {
		for j, w := range values {
			if same := of(t, v) == of(t, w); same != (i == j) {
				t.Errorf("%#v and %#v: equal keys %t", v, w, same)
			}
		}
	}
	if of(t, fields{p: &one}) != of(t, fields{p: &again}) {
		t.Error("pointers to equal values have different keys")
	}
	if of(t, 1, 2) == of(t, 12) || of(t, "a", "b") == of(t, "b", "a") {
		t.Error("the values of a list run together")
	}
}

func TestWhatHasNoKey(t *testing.T) {
	type ring struct{ next *ring }
	r := &ring{}
	r.next = r
	for _, c := range []struct {
		v    any
		want string
	}{
		{fields{f: func() {}}, "(key.fields).f is a func"},
		{[]any{1, own{}, fields{any: map[string]any{"a": make(chan int)}}}, "[2](key.fields).any(map[string]interface {})[a](chan int) is a chan"},
		{func() {}, "(func()) is a func"},
		{r, "nested more than 64 deep"},
	} {
		if _, err := Of(c.v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%T: %v, want %q", c.v, err, c.want)
		}
	}
}

type named struct {
	P *int
	q *int
	f *func()
}

// A lasting key has types by name and no address; what is known has its own text where it can be asked about.
func TestLasting(t *testing.T) {
	one, same, two := 1, 1, 2
	known := func(pointer any) (string, bool, error) {
		p, ok := pointer.(*int)
		if ok && *p == 2 {
			return "", false, errors.New("two")
		}
		return "an int", ok, nil
	}
	lasting := func(v any) string {
		t.Helper()
		k, err := Lasting(known, v)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if lasting(named{P: &one}) != lasting(named{P: &same}) || lasting(named{P: &one}) == lasting(named{q: &one}) || lasting(a{1}) == lasting(b{1}) {
		t.Error("keys of the same differ, or of others are equal")
	}
	if k := lasting(named{P: &one}); !strings.Contains(k, "an int") || !strings.Contains(k, "lucigo/interp/internal/key") {
		t.Errorf("key %q", k)
	}
	if _, err := Lasting(known, named{P: &two}); err == nil || !strings.Contains(err.Error(), ".P: two") {
		t.Errorf("error %v", err)
	}
	f := func() {}
	if _, err := Lasting(nil, named{f: &f}); err == nil || !strings.Contains(err.Error(), ".f") {
		t.Errorf("a func: error %v", err)
	}
}
