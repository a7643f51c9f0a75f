// Package layer has the layers that networks are made of, right forward and back on every backend, and
// the rules by which they pass a gradient back.
//
// A network is a Forward, an ordinary GoMLX model function from images [N, H, W, C] in [0, 1] to logits.
// At names the layers that one may ask for:
//
//	func forward(s *model.Scope, images *graph.Node) *graph.Node {
//		x := layer.Conv(s.At("conv1"), images, 16, layer.Square(5, 2, 2))
//		x = layer.At("conv1", layer.ReLU(x))
//		return layer.Dense(s.At("logits"), layer.GlobalMean(x), 10)
//	}
//
// Variables have the names of their scopes: /conv1/weights. s.At enters a scope however often; GoMLX's s.In
// does so only once, and both take a format, so that a name that is no constant is s.At("%s", name).
//
// A Pass runs it, as far as it is asked, under a Rule; networks that are written with these layers obey
// every one. Outside a Pass, as while a network is trained, the layers are GoMLX operations like others.
//
// What does not fit panics with an error, as GoMLX's graph building does.
package layer
