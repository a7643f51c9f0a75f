package scenes

import (
	"slices"
	"testing"
)

func TestClasses(t *testing.T) {
	names := Task{}.Classes()
	if len(names) != 16 || names[0] != "striped cube" || names[5] != "dotted cone" || names[15] != "scales cylinder" {
		t.Errorf("classes %q", names)
	}
	if got := (Task{Label: ByShape}).Classes(); !slices.Equal(got, []string{"cube", "cone", "torus", "cylinder"}) {
		t.Errorf("by shape: %q", got)
	}
	if got := (Task{Label: BySurface, Surfaces: []Surface{Fur, Plain}}).Classes(); !slices.Equal(got, []string{"fur", "plain"}) {
		t.Errorf("by surface: %q", got)
	}
	if c := (Task{}).Class(New(1, Ring, Wood)); c != -1 {
		t.Errorf("a ring has class %d", c)
	}
	for i, name := range names {
		s := New(1, []Shape{Cube, Cone, Torus, Cylinder}[i/4], []Surface{Striped, Dotted, Wood, Scales}[i%4])
		if got := (Task{}).Class(s); got != i || s.Surface.String()+" "+s.Shape.String() != name {
			t.Errorf("class %d, %q: a %v %v has class %d", i, name, s.Surface, s.Shape, got)
		}
	}
	for label, want := range map[Label]int{ByShape: 2, BySurface: 1} {
		if got := (Task{Label: label}).Class(New(1, Torus, Dotted)); got != want {
			t.Errorf("label %d: a dotted torus has class %d, want %d", label, got, want)
		}
	}
}

// Classes are balanced in every run of 16, in orders that differ, and any part of the stream is the stream's.
func TestLawBalance(t *testing.T) {
	task := Task{}
	var orders [][]int
	for run := range 20 {
		var order []int
		for i := range 16 {
			order = append(order, task.Class(task.Sample(3, 16*run+i)))
		}
		orders = append(orders, slices.Clone(order))
		slices.Sort(order)
		for i, c := range order {
			if c != i {
				t.Fatalf("run %d holds %v", run, order)
			}
		}
	}
	for i := range orders {
		for j := range i {
			if slices.Equal(orders[i], orders[j]) {
				t.Errorf("runs %d and %d have the same order", i, j)
			}
		}
	}
}

func TestImages(t *testing.T) {
	task := Task{Label: BySurface}
	x := task.Images(9, 5, 32)
	if err := x.Check(); err != nil {
		t.Fatal(err)
	}
	for i, p := range task.Pictures(9, 5, 32) {
		for j, v := range p.RGB {
			if got := x.Pix[i*x.Size()+j]; got != float64(v)/255 {
				t.Fatalf("image %d, value %d is %g, want %d/255", i, j, got, v)
			}
		}
		if x.Class[i] != task.Class(p.Scene) || x.Key[i] != p.Scene.Seed {
			t.Errorf("image %d: class %d, key %d; want %d, %d", i, x.Class[i], x.Key[i], task.Class(p.Scene), p.Scene.Seed)
		}
	}
	if x.Key[0] == x.Key[1] {
		t.Error("two images have one key")
	}
}
