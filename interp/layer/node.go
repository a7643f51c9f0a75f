package layer

import "github.com/gomlx/gomlx/core/graph"

// Node is GoMLX's: a value in a computation graph.
type Node = graph.Node
