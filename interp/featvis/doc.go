// Package featvis optimises images until they excite a part of a network: Olah, Mordvintsev and
// Schubert, "Feature visualization", Distill 2017, doi:10.23915/distill.00007.
//
// What is optimised (a [Parametrisation]), how the network is shown it (a [Transformation]) and what is
// wanted of the network (an interp.Objective, with penalties such as [L1] subtracted) are chosen
// independently of each other; a [Render] climbs, and yields what it has at the steps asked for:
//
//	r := featvis.Render{}
//	for frame, err := range r.Frames(ctx, m, objective.Channels("mixed4a", 6, 11, 240)) {
//		…
//	}
//
// The numbers that are optimised, and the optimiser's, stay on the device between steps, and one program
// serves all steps, all units of a layer and all transformations.
package featvis
