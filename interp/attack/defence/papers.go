package defence

import (
	"lucigo/interp"
	"lucigo/interp/attack"
)

// Broken is a defence that a paper proposed, and that others broke.
type Broken interface {
	Defence

	// Naive returns an attack of the kind that the defence's paper reports, in a ball; of is m with the defence.
	Naive(m, of *interp.Model, ball attack.Ball) attack.Attack

	// Published says what others have left of the defence; empty where nothing is known.
	Published() string
}

// unaware looks for the nearest image that fools the network without the defence, and shows it to the one with it. The papers about images
// that are transformed, resized or squeezed all report DeepFool so; FAB is its like in L1.
func unaware(m *interp.Model, ball attack.Ball) attack.Attack {
	var a attack.Attack = attack.DeepFool{}
	if ball.Norm() == attack.Norm1 {
		a = attack.FAB{}
	}
	return attack.Transferred{Attack: a, Model: m}
}

// Naive implements Broken: Guo et al., arXiv:1711.00117, section 5.2, and for fewer bits Xu et al., arXiv:1704.01155, table 3 too.
func (BitDepth) Naive(m, _ *interp.Model, ball attack.Ball) attack.Attack { return unaware(m, ball) }

// Naive implements Broken: Guo et al., arXiv:1711.00117, section 5.2.
func (JPEG) Naive(m, _ *interp.Model, ball attack.Ball) attack.Attack { return unaware(m, ball) }

// Naive implements Broken: Guo et al., arXiv:1711.00117, section 5.2.
func (TotalVariation) Naive(m, _ *interp.Model, ball attack.Ball) attack.Attack {
	return unaware(m, ball)
}

// Naive implements Broken: Xie et al., arXiv:1711.01991, section 4.2, the scenario that they call vanilla.
func (ResizePad) Naive(m, _ *interp.Model, ball attack.Ball) attack.Attack { return unaware(m, ball) }

// Naive implements Broken: Xu et al., arXiv:1704.01155, table 3.
func (Squeezing) Naive(m, _ *interp.Model, ball attack.Ball) attack.Attack { return unaware(m, ball) }

// Naive implements Broken: Dhillon et al., arXiv:1803.01442, section 4, who take one step along the gradient of one draw.
func (Pruning) Naive(_, of *interp.Model, _ attack.Ball) attack.Attack {
	return attack.Through{Attack: attack.FGSM{}, Model: of}
}

// Naive implements Broken: an attack that takes the defended network for any other. The authors attack the code, which this is not.
func (Thermometer) Naive(_, of *interp.Model, _ attack.Ball) attack.Attack { return trusting(of) }

// Naive implements Broken: an attack that takes the defended network for any other. The authors choose pixels by the gradient of the
// probabilities, which vanishes in the same way.
func (Distillation) Naive(_, of *interp.Model, _ attack.Ball) attack.Attack { return trusting(of) }

// trusting takes the gradient of a network for what it seems to be.
func trusting(of *interp.Model) attack.Attack {
	return attack.Through{Attack: attack.PGD{Steps: 20}, Model: of}
}

// What Athalye, Carlini and Wagner left of defences (table 1), and Carlini and Wagner of distillation (table VI).
const (
	leftOfTransformed = "ImageNet, L2 .005 a pixel: 0 % (arXiv:1802.00420, table 1)"
	leftOfResized     = "ImageNet, L∞ 8/255: 0 % (arXiv:1802.00420, table 1)"
	leftOfCIFAR       = "CIFAR-10, L∞ 8/255: 0 % (arXiv:1802.00420, table 1)"
	leftOfDistilled   = "MNIST and CIFAR-10, without a bound: 0 % (arXiv:1608.04644, table VI)"
)

// Published implements Broken.
func (BitDepth) Published() string { return leftOfTransformed }

// Published implements Broken.
func (JPEG) Published() string { return leftOfTransformed }

// Published implements Broken.
func (TotalVariation) Published() string { return leftOfTransformed }

// Published implements Broken.
func (ResizePad) Published() string { return leftOfResized }

// Published implements Broken.
func (Pruning) Published() string { return leftOfCIFAR }

// Published implements Broken.
func (Thermometer) Published() string { return leftOfCIFAR }

// Published implements Broken.
func (Distillation) Published() string { return leftOfDistilled }

// Published implements Broken: of this detector nothing is known in a ball.
func (Squeezing) Published() string { return "" }
