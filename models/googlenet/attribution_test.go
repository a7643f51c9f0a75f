package googlenet

import (
	"testing"

	"lucigo/interp"
	"lucigo/interp/engine"
	"lucigo/interp/interptest"
	"lucigo/interp/objective"
	"lucigo/interp/saliency"
)

// Grad-CAM's and occlusion's numbers are those of the other framework, in float64 to 1e-6 and in float32 to 1e-3.
func TestOracleGoogLeNetAttribution(t *testing.T) {
	m := open(t)
	interptest.OnEach(t, func(t *testing.T, e *engine.Engine) {
		if e.Kind() == engine.Go {
			t.Skip("skipped: 170 passes take minutes on the Go backend")
		}
		for _, c := range []struct {
			m     *interp.Model
			most  float64
			every int // square: XLA takes seconds for a pass in float64
		}{{m.On(e.Backend), 1e-3, 1}, {m.On(e.Backend).Float64(), 1e-6, 4}} {
			for _, r := range references(t) {
				for name, file := range map[string]string{"inception_4e/output": "gradcam_inception_4e", "inception_5b/output": "gradcam_inception_5b"} {
					cam, err := saliency.GradCAM{Layer: name}.Coarse(t.Context(), c.m, objective.Logit, r.image)
					if err != nil {
						t.Fatal(err)
					}
					within(t, c.m.String()+", "+file, cam.Pix, r.values(t, file), c.most)
				}
				grey := []float64{mean[2] / 255, mean[1] / 255, mean[0] / 255} // zero, to the network
				drops, err := saliency.Occlusion{Patch: 32, Stride: 16 * c.every, Baseline: grey}.Coarse(t.Context(), c.m, objective.Logit, r.image)
				if err != nil {
					t.Fatal(err)
				}
				var want []float64
				for i, v := range r.values(t, "occlusion_logit_drop_32_stride16") { // 13 × 13
					if i/13%c.every == 0 && i%13%c.every == 0 {
						want = append(want, v)
					}
				}
				within(t, c.m.String()+", occlusion", drops.Pix, want, c.most)
			}
		}
	})
}
