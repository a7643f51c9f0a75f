package train

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lucigo/interp"
	_ "lucigo/interp/engine/install" // tests fetch XLA where it is missing
	"lucigo/interp/interptest/shared"
	"lucigo/interp/random"
	"lucigo/interp/train"
	"lucigo/models/digits"
)

// write makes a folder with n images of ten classes in MNIST's format: class c is a bar at column 2c + 4, on noise.
func write(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for seed, part := range []string{"train", "t10k"} {
		head := func(kind byte, dims ...uint32) []byte {
			b := []byte{0, 0, 8, kind}
			for _, d := range dims {
				b = binary.BigEndian.AppendUint32(b, d)
			}
			return b
		}
		images, labels := head(3, uint32(n), 28, 28), head(1, uint32(n))
		for i := range n {
			s := random.New(uint64(seed), uint64(i), 0)
			for p := range 28 * 28 {
				v := byte(s.Intn(p, 60))
				if p%28 == 2*(i%10)+4 {
					v = 255
				}
				images = append(images, v)
			}
			labels = append(labels, byte(i%10))
		}
		for name, b := range map[string][]byte{"-images-idx3-ubyte": images, "-labels-idx1-ubyte": labels} {
			if err := os.WriteFile(filepath.Join(dir, part+name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// The command trains each network, writes it where it says, and the file opens as a network that knows the classes.
func TestTrains(t *testing.T) {
	data, dir := write(t, 200), t.TempDir()
	for _, name := range digits.Names() {
		c := Training{Net: name, Data: data, Dir: dir, Epochs: 40, Attacked: 20}
		if name == "robust" {
			c.Radius = .1
		}
		if err := c.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		m, err := digits.Open(filepath.Join(dir, name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		src, err := open(data, "t10k")
		if err != nil {
			t.Fatal(err)
		}
		x, err := interp.Read(context.Background(), src, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Predict(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range p.Top1() {
			if c != i%10 {
				t.Errorf("%s: image %d is of class %d, and said to be %d", name, i, i%10, c)
			}
		}
	}
}

// A small part of MNIST teaches a network most of it, and an adversary makes it far harder to attack. At radius .3 a network
// learns only if the radius grows.
func TestMNIST(t *testing.T) {
	if testing.Short() {
		t.Skip("training takes twenty seconds")
	}
	data, dir, ctx := shared.Path(t, "datasets", "mnist"), t.TempDir(), context.Background()
	test, err := open(data, "t10k")
	if err != nil {
		t.Fatal(err)
	}
	attack := train.Adversary{Radius: .2, Moves: 10}
	clean, left := map[string]float64{}, map[string]float64{}
	for _, name := range []string{"plain", "robust"} {
		c := Training{Net: name, Data: data, Dir: dir, Epochs: 4, Images: 10_000, Attacked: 100}
		if err := c.Run(ctx); err != nil {
			t.Fatal(err)
		}
		m, err := digits.Open(filepath.Join(dir, name+".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		if clean[name], err = share(ctx, m, test, 1000, train.Adversary{}); err != nil {
			t.Fatal(err)
		}
		if left[name], err = share(ctx, m, test, 500, attack); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.3f right, %.3f under an %v", name, clean[name], left[name], attack)
		if clean[name] < .9 {
			t.Errorf("%s gets %.3f right", name, clean[name])
		}
	}
	if left["robust"] < left["plain"]+.2 {
		t.Errorf("of the plain network %.3f are left, of the robust one %.3f", left["plain"], left["robust"])
	}
}

func TestRefuses(t *testing.T) {
	data := write(t, 20)
	for want, c := range map[string]Training{
		"near it: robust":                {Net: "robustt", Data: data},
		"no train-images-idx3-ubyte":     {Data: t.TempDir()},
		"Images is 21, must":             {Data: data, Images: 21, Attacked: 5},
		"Images is -1, must":             {Data: data, Images: -1, Attacked: 5},
		"Attacked is 1000, must":         {Data: data},
		"Epochs is -1, must":             {Data: data, Attacked: 5, Epochs: -1},
		"Adversary.Radius is -0.1, must": {Data: data, Attacked: 5, Radius: -.1},
	} {
		c.Dir = t.TempDir()
		if err := c.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}
