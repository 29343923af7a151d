package render

import (
	"math"
	"math/rand/v2"

	"golang.org/x/image/math/f32"

	"github.com/handscroll/handscroll/internal/media"
)

// Object is a shape, its centre and radius in pixels, and how it moves. As a
// [Design] it says where the object is at first; on a [Scene], where it is there.
type Object struct {
	Shape, Colour, Motion string
	X, Y, R               float32
	Speed                 float32 // pixels a second, of the centre or of the radius
	Angle                 float32 // clockwise, in radians
}

// The shapes, colours and motions there are.
var (
	Shapes  = []string{"circle", "square", "triangle", "star", "cross", "ring", "diamond", "heart"}
	Colours = []string{"red", "green", "blue", "yellow", "orange", "purple", "white", "black"}
	Motions = []string{"still", "moving left", "moving right", "moving up", "moving down", "growing", "shrinking"}
)

var paints = map[string]rgb{
	"red": {222, 28, 30}, "green": {28, 160, 52}, "blue": {36, 72, 222}, "yellow": {250, 222, 30},
	"orange": {248, 140, 18}, "purple": {142, 48, 184}, "white": {246, 246, 246}, "black": {14, 14, 14},
}

// NewObject draws an object that stays within w by h for some seconds.
func NewObject(rng *rand.Rand, w, h, seconds int) Object {
	o := Object{Shape: pick(rng, Shapes), Colour: pick(rng, Colours), Motion: pick(rng, Motions), Angle: between(rng, -0.15, 0.15)}
	fw, fh, n := float32(w), float32(h), float32(max(1, seconds))
	o.R = fh * between(rng, 0.08, 0.2)
	switch o.Motion {
	case "growing":
		to := o.R * between(rng, 1.6, 2.2)
		o.Speed = (to - o.R) / n
		o.X, o.Y = between(rng, to, fw-to), between(rng, min(to, fh/2), max(fh-to, fh/2))
		return o
	case "shrinking":
		o.R *= 1.5
		o.Speed = o.R * between(rng, 0.5, 0.65) / n
	}
	o.X, o.Y = between(rng, o.R, fw-o.R), between(rng, o.R, fh-o.R)
	// A motion begins in the half that it leaves.
	far := between(rng, 0.35, 0.6)
	dx, dy := o.direction()
	if dx != 0 {
		o.Speed = far * fw / n
		o.X = between(rng, o.R, max(o.R, fw*(1-far)-o.R))
		if dx < 0 {
			o.X = fw - o.X
		}
	}
	if dy != 0 {
		o.Speed = far * fh / n
		o.Y = between(rng, o.R, max(o.R, fh*(1-far)-o.R))
		if dy < 0 {
			o.Y = fh - o.Y
		}
	}
	return o
}

func (o Object) direction() (dx, dy float32) {
	switch o.Motion {
	case "moving left":
		return -1, 0
	case "moving right":
		return 1, 0
	case "moving up":
		return 0, -1
	case "moving down":
		return 0, 1
	}
	return 0, 0
}

// at returns the object t seconds later.
func (o Object) at(t float32) Object {
	dx, dy := o.direction()
	o.X, o.Y = o.X+dx*o.Speed*t, o.Y+dy*o.Speed*t
	switch o.Motion {
	case "growing":
		o.R += o.Speed * t
	case "shrinking":
		o.R -= o.Speed * t
	}
	return o
}

// Draw puts the object on a scene as it is after t seconds, with a rim where it
// would not stand out.
func (o Object) Draw(p *Painter, rng *rand.Rand, s *Scene, t int) {
	o = o.at(float32(t))
	c := paints[o.Colour]
	for i := range c {
		c[i] = clamp(int32(c[i]) + int32(rng.IntN(25)) - 12)
	}
	r := rect{int(o.X - o.R), int(o.Y - o.R), int(o.X+o.R) + 1, int(o.Y+o.R) + 1}
	if near(s.Image, r, c) || chance(rng, 0.1) {
		rim := white
		if c.luma() > 120 {
			rim = black
		}
		wide := max(1.2, o.R*0.14)
		p.polygons(s.Image, o.paths(o.R+wide), rim)
		if o.Shape == "ring" {
			p.polygons(s.Image, o.paths(o.R), c)
			s.Objects = append(s.Objects, o)
			return
		}
	}
	p.polygons(s.Image, o.paths(o.R), c)
	s.Objects = append(s.Objects, o)
}

// near says whether much of a part of a picture is like a colour.
func near(img *media.Image, r rect, c rgb) bool {
	r = r.clip(img)
	n, like := 0, 0
	for y := r.y0; y < r.y1; y += 2 {
		for x := r.x0; x < r.x1; x += 2 {
			q := img.Pix[3*(y*img.W+x):]
			d := 0
			for i := range c {
				v := int(q[i]) - int(c[i])
				d += v * v
			}
			n++
			if d < 110*110 {
				like++
			}
		}
	}
	return like*5 > n
}

// polygons paints paths as one shape: those against the clock are holes.
func (p *Painter) polygons(img *media.Image, paths [][]f32.Vec2, c rgb) {
	if !p.pen.begin(img, bounds(paths[0], 1)) {
		return
	}
	for _, path := range paths {
		p.pen.polygon(path)
	}
	paint(img, p.pen.end(), 0, 0, c, 256)
}

// paths is the outline of an object of radius r.
func (o Object) paths(r float32) [][]f32.Vec2 {
	t := newTurn(o.Angle, 0, 0)
	place := func(unit []f32.Vec2, k float32) []f32.Vec2 {
		out := make([]f32.Vec2, len(unit))
		for i, v := range unit {
			x, y := t.at(v[0]*k, v[1]*k)
			out[i] = f32.Vec2{o.X + x, o.Y + y}
		}
		return out
	}
	if o.Shape != "ring" {
		return [][]f32.Vec2{place(outlines[o.Shape], r)}
	}
	// A wider ring has a smaller hole, so that a rim shows within it too.
	hole := place(outlines["circle"], max(0, o.R*1.62-r)*0.9)
	for i, j := 0, len(hole)-1; i < j; i, j = i+1, j-1 {
		hole[i], hole[j] = hole[j], hole[i]
	}
	return [][]f32.Vec2{place(outlines["circle"], r), hole}
}

// outlines are the shapes within the unit circle, y downwards.
var outlines = map[string][]f32.Vec2{
	"circle":   ngon(48, 1, 1),
	"square":   {{-0.8, -0.8}, {0.8, -0.8}, {0.8, 0.8}, {-0.8, 0.8}},
	"triangle": {{0, -1}, {0.95, 0.75}, {-0.95, 0.75}},
	"star":     ngon(10, 1, 0.4),
	"cross": {{-0.3, -0.95}, {0.3, -0.95}, {0.3, -0.3}, {0.95, -0.3}, {0.95, 0.3}, {0.3, 0.3},
		{0.3, 0.95}, {-0.3, 0.95}, {-0.3, 0.3}, {-0.95, 0.3}, {-0.95, -0.3}, {-0.3, -0.3}},
	"diamond": {{0, -1}, {0.72, 0}, {0, 1}, {-0.72, 0}},
	"heart":   heart(),
}

// ngon is a polygon whose corners are at two radii in turn.
func ngon(n int, even, odd float64) []f32.Vec2 {
	pts := make([]f32.Vec2, n)
	for i := range pts {
		r := even
		if i%2 == 1 {
			r = odd
		}
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		pts[i] = f32.Vec2{float32(r * sin), float32(-r * cos)}
	}
	return pts
}

func heart() []f32.Vec2 {
	pts := make([]f32.Vec2, 48)
	for i := range pts {
		t := 2 * math.Pi * float64(i) / 48
		x := 16 * math.Pow(math.Sin(t), 3)
		y := 13*math.Cos(t) - 5*math.Cos(2*t) - 2*math.Cos(3*t) - math.Cos(4*t)
		pts[i] = f32.Vec2{float32(x / 16.5), float32(-(y + 2.5) / 15.5)}
	}
	return pts
}
