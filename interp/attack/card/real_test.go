package card_test

import (
	"testing"

	"lucigo/interp"
	"lucigo/interp/attack"
	"lucigo/interp/attack/card"
	"lucigo/interp/interptest"
	"lucigo/interp/interptest/shared"
	"lucigo/models/dataset"
	"lucigo/models/googlenet"
	"lucigo/models/imagenet"
	"lucigo/models/strangers"
)

// TestNoFlagsOfRealNetworks: networks that others have trained, none of them a defence, raise no flag.
func TestNoFlagsOfRealNetworks(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: takes a minute; run without -short")
	}
	interptest.Unchecked()
	c := card.Card{
		Radii:   []float64{1. / 255, 4. / 255},
		Attacks: []attack.Attack{attack.Noise{}, attack.FGSM{}, attack.PGD{Steps: 5}, attack.Square{Queries: 20}},
	}
	t.Run("ResNet-20", func(t *testing.T) { unflagged(t, c, strangers.ResNet20(t), strangers.CIFARImages(t, 40)) })
	t.Run("GoogLeNet", func(t *testing.T) {
		m, err := googlenet.Open(shared.Path(t, "models", "googlenet_bvlc", "bvlc_googlenet.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		in := dataset.Input{Height: googlenet.Size, Width: googlenet.Size, Short: 256, Class: imagenet.ClassOf}
		src, err := in.Folder(shared.Path(t, "images", "imagenet_samples_dev"))
		if err != nil {
			t.Fatal(err)
		}
		x, err := interp.Read(t.Context(), src, 0, 4)
		if err != nil {
			t.Fatal(err)
		}
		c.Radii, c.Attacks = c.Radii[:1], []attack.Attack{attack.FGSM{}, attack.PGD{Steps: 3}, attack.Square{Queries: 8}}
		unflagged(t, c, m, x)
	})
}

func unflagged(t *testing.T, c card.Card, m *interp.Model, x interp.Images) {
	t.Helper()
	r := examine(t, c, m, x)
	t.Logf("%s: worst case %v", m, r.Worst.Right)
	for _, l := range append(r.Lines, r.Corruptions...) {
		t.Logf("%s: %s %v", m, l.Name, l.Right)
	}
	if len(r.Flags) > 0 {
		t.Errorf("%s: %v", m, r.Flags)
	}
	if first, last := r.Worst.Right[0], r.Worst.Right[len(r.Worst.Right)-1]; last.Right >= first.Right {
		t.Errorf("%s: clean %v, attacked %v", m, first, last)
	}
}
