package inception5h

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lucigo/interp"
	"lucigo/interp/interptest"
	"lucigo/models/tensorflow"
)

// archive writes a zip file.
func archive(t *testing.T, files map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return write(t, "inception5h.zip", b.Bytes())
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// graph is a file of the form of the real one, with few channels and 12 classes, which package tensorflow's tests write.
func graph(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../tensorflow/testdata/inception_v1.pb")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Units have the values that the graph gives, whose tests compare it with the operators' definitions, for x·255 − 117, at
// the network's size and at another.
func TestLawOpen(t *testing.T) {
	file := graph(t)
	path := archive(t, map[string][]byte{
		graphFile: file, labelsFile: []byte("dummy\nkit fox\nEnglish setter\nkit fox\n\n"), "LICENSE": []byte("…"),
	})
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"dummy", "kit fox", "English setter", "kit fox (3)", "(4)", "class 5"}
	if c := m.Classes(); len(c) != 12 || !slices.Equal(c[:6], want) {
		t.Errorf("classes %q, want %q …", c, want)
	}
	h, w, c := m.Input()
	if h != 224 || w != 224 || c != 3 || m.Name() != "InceptionV1" {
		t.Errorf("%s of %d×%d×%d", m, h, w, c)
	}
	plain, err := tensorflow.Parse("graph.pb", file, tensorflow.Options{Range: [2]float64{-117, 138}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(x interp.Images, names ...string) {
		t.Helper()
		got, err := m.Activations(t.Context(), x, names...)
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.Activations(t.Context(), x, names...)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			if d := interptest.Distance(got[i].Data, want[i].Data); !(d <= 1e-6) || !slices.Equal(got[i].Shape, want[i].Shape) {
				t.Errorf("%s is shaped %v, want %v, and off by %g", name, got[i].Shape, want[i].Shape, d)
			}
		}
	}
	check(interptest.Images(m, 1, 1), "conv2d0", "mixed3a", "mixed4a_3x3_bottleneck_pre_relu", "mixed4a", "mixed5b", "softmax2_pre_activation")
	check(interptest.ImagesOf(1, 60, 99, 3, 1), "mixed4a")
}

func TestOpenUnpackedFile(t *testing.T) {
	path := write(t, graphFile, graph(t))
	m, err := Open(path)
	if err != nil || m.ClassName(2) != "class 2" {
		t.Fatalf("%v, %v", m, err)
	}
	labels := filepath.Join(filepath.Dir(path), labelsFile)
	if err := os.WriteFile(labels, []byte("a\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh\r\ni\r\nj\r\nk\r\nl\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err = Open(path); err != nil || !slices.Equal(m.Classes(), strings.Split("abcdefghijkl", "")) {
		t.Fatalf("%v, %v", m, err)
	}
	if err := os.WriteFile(labels, bytes.Repeat([]byte("a\n"), 13), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(path); err == nil || !strings.Contains(err.Error(), "13 names, and the network has 12 classes") {
		t.Errorf("a name too many: error %v", err)
	}
}

func TestOpenRejectsOtherFiles(t *testing.T) {
	good := graph(t)
	whole, err := os.ReadFile(archive(t, map[string][]byte{graphFile: good}))
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(whole)
	damaged[200] ^= 1
	other := []byte("\x0a\x14\x0a\x05input\x12\x0bPlaceholder") // a GraphDef of one node
	for path, want := range map[string]string{
		"no/inception5h.zip": "inception5h: open no/inception5h.zip: no such file",
		"no/" + graphFile:    "no such file",
		archive(t, map[string][]byte{labelsFile: []byte("a")}):                                                 graphFile,
		archive(t, map[string][]byte{"../" + graphFile: good, "x/" + graphFile: good}):                         "the archive has no " + graphFile,
		write(t, "other.pb", other):                                                                            "another network's, which tensorflow.Open reads",
		archive(t, map[string][]byte{graphFile: other}):                                                        `no node "softmax2_pre_activation"`,
		archive(t, map[string][]byte{graphFile: make([]byte, maxGraph+1)}):                                     "more than 67108864 bytes",
		archive(t, map[string][]byte{graphFile: good, labelsFile: bytes.Repeat([]byte("a\n"), maxLabels/2+1)}): "more than 1048576 bytes",
		write(t, "cut.zip", whole[:len(whole)-30]):                                                             "damaged",
		write(t, "damaged.zip", damaged):                                                                       graphFile,
	} {
		if m, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, error %v, want one with the path and %q", path, m, err, want)
		}
	}
}

// A file of the right name that is not the published one is an error, and not the network.
func TestModelVerifiesItsFile(t *testing.T) {
	path := archive(t, map[string][]byte{graphFile: graph(t)})
	t.Setenv("LUCIGO_MODELS", filepath.Dir(path))
	t.Setenv("LUCIGO_CACHE", t.TempDir())
	if m, err := Model(t.Context()); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "must have 49937555") {
		t.Errorf("%v, error %v", m, err)
	}
}
