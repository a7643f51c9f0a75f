package attack

// Auto returns the ensemble without parameters of Croce and Hein, arXiv:2003.01690, which is known as AutoAttack: APGD on the
// cross-entropy, APGD to each of the nine likeliest other classes, FAB to the same, and the square attack, which asks for
// scores only. Each attacks what the ones before it left, so the accuracy that is left is the worst case.
//
// The ball is in L∞, L2 or L1.
func Auto() Ensemble {
	return Ensemble{APGD{}, APGD{Loss: DLR, Targets: 9}, FAB{Targets: 9}, Square{}}
}
