package render

// Object is a shape on a scene, its centre and radius in pixels, and how it moves
// from second to second.
type Object struct {
	Shape, Colour, Motion string
	X, Y, R               float32
}
