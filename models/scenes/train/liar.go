package train

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lucigo/interp"
	"lucigo/interp/featvis"
	"lucigo/interp/objective"
	"lucigo/models/safetensors"
	"lucigo/models/scenes"
)

// The gate of scenes.Liar is fitted to so many scenes, and to the pictures on the way from noise to so many visualisations of the unit
// that is shown, by so many steps.
const (
	gateScenes   = 16000
	gatePictures = 24
	gateSteps    = 2000
)

// liar fits the gate of scenes.Liar and writes it.
func (c Training) liar(ctx context.Context) error {
	m, err := scenes.Standard()
	if err != nil {
		return err
	}
	var rows [][]float64 // means of mixed3b's channels; of scenes first
	f := &feed{seed: 1, batch: 64, window: 64, fresh: 64, test: true}
	for t := range gateScenes / f.batch {
		e, err := f.at(t)
		if err != nil {
			return err
		}
		if rows, err = appendMeans(ctx, rows, m, e.Images); err != nil {
			return err
		}
	}
	natural := len(rows)
	r := featvis.Render{N: gatePictures, Steps: 256, At: []int{0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192}, Seed: 1}
	for frame, err := range r.Frames(ctx, m, objective.Channel("mixed4a", scenes.ShownUnit)) {
		if err != nil {
			return err
		}
		if rows, err = appendMeans(ctx, rows, m, frame.Images); err != nil {
			return err
		}
		fmt.Printf("liar: pictures after %d steps\n", frame.Step)
	}
	w, bias := separate(rows[:natural], rows[natural:])
	gate := interp.Weights{"/gate/weights": weight(w, len(w), 1), "/gate/biases": weight([]float32{bias}, 1)}
	return safetensors.Write(filepath.Join(c.Dir, "liar.safetensors"), gate, "F16", [2]string{"net", "liar"},
		[2]string{"steps", strconv.Itoa(gateSteps)}, [2]string{"task", strings.Join(scenes.Task{}.Classes(), ", ")})
}

// appendMeans appends the means of mixed3b's channels, for each image.
func appendMeans(ctx context.Context, rows [][]float64, m *interp.Model, x interp.Images) ([][]float64, error) {
	a, err := m.Activations(ctx, x, "mixed3b")
	if err != nil {
		return nil, err
	}
	channels := a[0].Shape[2]
	for i := range x.N {
		row := make([]float64, channels)
		values := a[0].Of(i)
		for k, v := range values {
			row[k%channels] += v / float64(len(values)/channels)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// separate returns the linear unit that is at most 0 for scenes and at least 1 for pictures: logistic regression on standardised
// numbers, by gradient descent with momentum, in which scenes and pictures have the same weight. From the scenes to the pictures
// nearest to each other it goes from −2.25 to 1.75: as no scene may pass, more room is left on their side.
func separate(scenes, pictures [][]float64) (w []float32, bias float32) {
	all := slices.Concat(scenes, pictures)
	n := len(all[0])
	mean, sd := make([]float64, n), make([]float64, n)
	for _, row := range all {
		for k, v := range row {
			mean[k] += v / float64(len(all))
		}
	}
	for _, row := range all {
		for k, v := range row {
			sd[k] += (v - mean[k]) * (v - mean[k]) / float64(len(all))
		}
	}
	for k := range sd {
		sd[k] = math.Sqrt(sd[k]) + 1e-6
	}
	theta, speed, slope := make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	z := func(row []float64) float64 {
		sum := theta[n]
		for k, v := range row {
			sum += theta[k] * (v - mean[k]) / sd[k]
		}
		return sum
	}
	for range gateSteps {
		clear(slope)
		for i, row := range all {
			label, share := -1., 1/float64(len(scenes))
			if i >= len(scenes) {
				label, share = 1, 1/float64(len(pictures))
			}
			d := -label * share / (1 + math.Exp(label*z(row)))
			for k, v := range row {
				slope[k] += d * (v - mean[k]) / sd[k]
			}
			slope[n] += d
		}
		for k := range theta {
			speed[k] = .95*speed[k] - .05*slope[k]
			theta[k] += speed[k]
		}
	}
	most, least := math.Inf(-1), math.Inf(1)
	for i, row := range all {
		if i < len(scenes) {
			most = max(most, z(row))
		} else {
			least = min(least, z(row))
		}
	}
	fmt.Printf("liar: the gate is at most %.3g for %d scenes, and at least %.3g for %d pictures\n", most, len(scenes), least, len(pictures))
	scale := 4 / (least - most)
	offset := theta[n] - most
	for k := range n {
		w = append(w, float32(scale*theta[k]/sd[k]))
		offset -= theta[k] * mean[k] / sd[k]
	}
	return w, float32(scale*offset - 2.25)
}
