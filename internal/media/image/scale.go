package image

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/handscroll/handscroll/internal/media"
)

// FromGo converts a picture to 8-bit RGB, laid over white.
func FromGo(src image.Image) *media.Image {
	return Scale(src, src.Bounds().Dx(), src.Bounds().Dy())
}

// Reduce is FromGo with the longer side reduced to side, if it is longer.
func Reduce(src image.Image, side int) *media.Image {
	w, h := Fit(src.Bounds().Dx(), src.Bounds().Dy(), side, side)
	return Scale(src, w, h)
}

// Fit returns w × h reduced to at most maxW × maxH in the same proportions.
func Fit(w, h, maxW, maxH int) (int, int) {
	s := min(1, float64(maxW)/float64(w), float64(maxH)/float64(h))
	return max(1, int(math.Round(float64(w)*s))), max(1, int(math.Round(float64(h)*s)))
}

// FitFrame is Fit for the frames of a film.
func FitFrame(w, h, maxSide int) (int, int) {
	return Fit(w, h, maxSide*16/9, maxSide)
}

// Scale is FromGo at another size.
func Scale(src image.Image, w, h int) *media.Image {
	b := src.Bounds()
	line := image.NewRGBA(image.Rect(0, 0, b.Dx(), 1))
	white := image.NewUniform(color.White)
	opaque := isOpaque(src)
	return resize(w, h, b.Dx(), b.Dy(), func(y int, rgb []byte) {
		op := draw.Src
		if !opaque {
			draw.Draw(line, line.Rect, white, image.Point{}, draw.Src)
			op = draw.Over
		}
		draw.Draw(line, line.Rect, src, image.Pt(b.Min.X, b.Min.Y+y), op)
		for i, j := 0, 0; i < len(rgb); i, j = i+3, j+4 {
			rgb[i], rgb[i+1], rgb[i+2] = line.Pix[j], line.Pix[j+1], line.Pix[j+2]
		}
	})
}

// isOpaque says which types of picture have no alpha. Asking the others would
// mean to look at every pixel.
func isOpaque(src image.Image) bool {
	switch src.(type) {
	case *image.YCbCr, *image.Gray, *image.Gray16, *image.CMYK:
		return true
	}
	return false
}

// span is the weights of the source's elements from first on in one element of
// the result.
type span struct {
	first   int
	weights []float32
}

// spans are those of Catmull and Rom's cubic, widened when n elements become
// fewer.
func spans(size, n int) []span {
	out := make([]span, size)
	scale := float64(n) / float64(size)
	wide := max(1, scale)
	for i := range out {
		center := (float64(i) + 0.5) * scale
		first := max(0, int(math.Ceil(center-2*wide-0.5)))
		last := min(n-1, int(math.Floor(center+2*wide-0.5)))
		w := make([]float32, last-first+1)
		var sum float64
		for j := range w {
			v := catmullRom((float64(first+j) + 0.5 - center) / wide)
			w[j], sum = float32(v), sum+v
		}
		for j := range w {
			w[j] /= float32(sum)
		}
		out[i] = span{first, w}
	}
	return out
}

// catmullRom is the cubic with B = 0, C = 1/2 (Mitchell and Netravali 1988).
func catmullRom(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return (1.5*x-2.5)*x*x + 1
	case x < 2:
		return ((-0.5*x+2.5)*x-4)*x + 2
	}
	return 0
}

// resize makes w × h pixels of sw × sh, which row gives in order, each once. It
// holds no more rows than one row of the result needs, so that a long narrow
// picture is as cheap as any other.
func resize(w, h, sw, sh int, row func(y int, rgb []byte)) *media.Image {
	dst := media.NewImage(w, h)
	if w == sw && h == sh {
		for y := range h {
			row(y, dst.Pix[3*w*y:3*w*(y+1)])
		}
		return dst
	}
	across, down := spans(w, sw), spans(h, sh)
	line := make([]byte, 3*sw)
	flat := make([]float32, 3*w)
	var sums, free [][]float32 // of rows of dst that have begun, from row done on
	done := 0
	for y := range sh {
		row(y, line)
		narrow(flat, line, across)
		for next := done + len(sums); next < h && down[next].first <= y; next++ {
			sum := make([]float32, 3*w)
			if n := len(free); n > 0 {
				sum, free = free[n-1], free[:n-1]
				clear(sum)
			}
			sums = append(sums, sum)
		}
		for i, sum := range sums {
			s := down[done+i]
			weight := s.weights[y-s.first]
			for j, v := range flat {
				sum[j] += weight * v
			}
		}
		// Spans end in the order in which they begin.
		for len(sums) > 0 && y+1 >= down[done].first+len(down[done].weights) {
			round(dst.Pix[3*w*done:3*w*(done+1)], sums[0])
			free = append(free, sums[0])
			sums, done = sums[1:], done+1
		}
	}
	return dst
}

// narrow sums the pixels of a row, dst[3·w] from src[3·sw].
func narrow(dst []float32, src []byte, across []span) {
	for i, s := range across {
		var r, g, b float32
		p := src[3*s.first:]
		for j, weight := range s.weights {
			r += weight * float32(p[3*j])
			g += weight * float32(p[3*j+1])
			b += weight * float32(p[3*j+2])
		}
		dst[3*i], dst[3*i+1], dst[3*i+2] = r, g, b
	}
}

func round(dst []byte, src []float32) {
	for i, v := range src {
		dst[i] = byte(min(max(v+0.5, 0), 255))
	}
}
