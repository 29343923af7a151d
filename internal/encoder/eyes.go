package encoder

import (
	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
)

// Charset are the characters that the reader tells apart, in the order of their
// classes from 1 on; class 0 is that no character is there. A space is a character
// like others.
const Charset = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;!?'\"-/()%$&+#@*=_<>[]|"

// Classes is the number of the reader's classes.
const Classes = 1 + len(Charset)

// Class returns a character's class, −1 if the reader does not know it.
func Class(r rune) int32 {
	switch r {
	case '’', '‘', '`', '′':
		r = '\''
	case '“', '”', '„', '″':
		r = '"'
	case '–', '—', '−', '‑':
		r = '-'
	case '\u00a0':
		r = ' '
	}
	if r < 128 {
		return classOf[r]
	}
	return -1
}

var classOf = func() (t [128]int32) {
	for i := range t {
		t[i] = -1
	}
	for i := range len(Charset) {
		t[Charset[i]] = int32(i + 1)
	}
	return t
}()

const (
	// CellW and CellH are the size in pixels of what one prediction stands for: a
	// position of the grid is 4 × 4 pixels and makes two predictions side by side.
	CellW, CellH = 2, 4
	// Levels are the scales that a picture is read at, each half of the one before.
	Levels = 4
	// MinCap and MaxCap are the heights of capital letters, in pixels, that are read
	// at a level. They overlap by more than a factor of 2.
	MinCap, MaxCap = 9, 36
)

// EyesConfig is the shape of the reader.
type EyesConfig struct {
	Channels int `yaml:"channels"` // of the grid's features
	Blocks   int `yaml:"blocks"`
	Hidden   int `yaml:"hidden"` // of a block's feed-forward
}

// Reader finds characters in pictures.
type Reader struct {
	Config EyesConfig
	conv1  *nn.Conv2D
	conv2  *nn.Conv2D
	blocks gridBlocks
	norm   *nn.RMSNorm
	head   nn.Trainable // [2·Classes, C]
	bias   *nn.Param    // [2·Classes]
}

// NewReader registers a reader's parameters.
func NewReader(ps *nn.Params, c EyesConfig, prec nn.Precision, add func(*nn.Matrix)) *Reader {
	r := &Reader{Config: c}
	const first = 32
	r.conv1 = nn.NewConv2D(ps, "eyes.conv1", 3, first, 3, 3, 2, prec, add)
	r.conv2 = nn.NewConv2D(ps, "eyes.conv2", first, c.Channels, 3, 3, 2, prec, add)
	r.blocks = newGridBlocks(ps, "eyes.blk.", c.Blocks, c.Channels, c.Hidden, prec, add)
	r.norm = nn.NewRMSNorm(ps, "eyes.output_norm", c.Channels)
	head := nn.NewMatrix(ps.Add("eyes.output.weight", nn.ClassMatrix, nn.FanIn(0.3, c.Channels), 2*Classes, c.Channels), 0, prec)
	add(head)
	r.head = head
	r.bias = ps.Add("eyes.output.bias", nn.ClassVector, nothing, 2*Classes)
	return r
}

// round rounds to eight bits, for use, the weights whose rows are whole blocks.
func (r *Reader) round(flat []float32) error {
	weights := []nn.Trainable{r.conv2.W}
	if r.Config.Channels%32 == 0 {
		weights = append(weights, r.head)
	}
	for _, w := range weights {
		if m, ok := w.(*nn.Matrix); ok {
			if err := m.Round(flat); err != nil {
				return err
			}
		}
	}
	return r.blocks.round(flat)
}

// ReaderAct is what Backward needs of Forward.
type ReaderAct struct {
	size, size1, grid nn.Grid
	x, y1             []float32
	blocks            []gridAct
	out, outNorm      []float32
	outInv            []float32
}

// pixels writes x [N, H, W, 3] from −1 to 1.
func pixels(x []float32, img []byte) {
	for i, v := range img {
		x[i] = float32(v)*(1/127.5) - 1
	}
}

// Forward returns logits [N, H/4, W/4, 2, Classes] of pictures of one size, side
// by side in pix [N, H, W, 3].
func (r *Reader) Forward(s *nn.Scratch, w []float32, pix []byte, size nn.Grid, act *ReaderAct) (logits []float32) {
	c := r.Config.Channels
	act.size, act.size1 = size, r.conv1.Size(size)
	act.grid = r.conv2.Size(act.size1)
	act.x = s.Floats(size.Cells() * 3)
	pixels(act.x, pix)
	act.y1 = s.Floats(act.size1.Cells() * r.conv1.Out)
	r.conv1.Forward(s, w, act.y1, act.x, size)
	nn.ReLU(act.y1)
	n := act.grid.Cells()
	x := s.Floats(n * c)
	r.conv2.Forward(s, w, x, act.y1, act.size1)
	x = r.blocks.forward(s, w, x, act.grid, &act.blocks)
	act.out, act.outNorm = x, s.Floats(n*c)
	act.outInv = r.norm.Forward(s, w, act.outNorm, x)
	logits = s.Floats(n * 2 * Classes)
	bias := r.bias.Of(w)
	for i := 0; i < len(logits); i += len(bias) {
		copy(logits[i:], bias)
	}
	r.head.Mul(s, logits, act.outNorm, n, true)
	return logits
}

// Backward adds to the parameters' gradients, given that of the logits.
func (r *Reader) Backward(s *nn.Scratch, w, g, dlogits []float32, act *ReaderAct) {
	c, n := r.Config.Channels, act.grid.Cells()
	dbias := r.bias.Of(g)
	for i := 0; i < len(dlogits); i += len(dbias) {
		kernel.Add(dbias, dlogits[i:i+len(dbias)])
	}
	d, dx := s.Floats(n*c), s.Zeros(n*c)
	r.head.MulT(s, d, dlogits, n, false)
	r.head.Grad(s, g, dlogits, act.outNorm, n)
	r.norm.Backward(w, g, dx, d, act.out, act.outInv)
	r.blocks.backward(s, w, g, dx, act.grid, act.blocks)
	d1 := s.Zeros(len(act.y1))
	r.conv2.Backward(s, g, d1, dx, act.y1, act.size1)
	nn.ReLUBackward(d1, act.y1)
	r.conv1.Backward(s, g, nil, d1, act.x, act.size)
}

// Halve returns a picture of half the size, by averages of 2 × 2 pixels; a last
// odd row or column is left out.
func Halve(img *media.Image) *media.Image {
	out := media.NewImage(img.W/2, img.H/2)
	for y := range out.H {
		a, b := img.Pix[2*y*img.W*3:], img.Pix[(2*y+1)*img.W*3:]
		dst := out.Pix[y*out.W*3 : (y+1)*out.W*3]
		for x := range out.W {
			for c := range 3 {
				i := 6*x + c
				dst[3*x+c] = byte((int(a[i]) + int(a[i+3]) + int(b[i]) + int(b[i+3]) + 2) / 4)
			}
		}
	}
	return out
}
