// Package interp opens a trained image classifier for inspection.
//
// A [Model] is a network whose layers have names. An [Objective] scores every image of a batch. Its
// gradient at the image is a saliency map; climbing it from noise is feature visualisation, from a
// photograph DeepDream, inside a small ball an attack. Everything is built on one verb, [Model.Run],
// which compiles a [Step] once and runs it with weights chosen per call.
//
// On the host, pixels and results are float64, in the layout [N, H, W, C] (rows, then columns, then
// channels). A network computes in float32, or in float64 after [Model.Float64].
package interp
