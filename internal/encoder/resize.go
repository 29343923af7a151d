package encoder

import "github.com/handscroll/handscroll/internal/media"

// Resize returns a picture of w × h pixels: each is the mean of the area that it
// covers, or the nearest where the picture grows.
func Resize(img *media.Image, w, h int) *media.Image {
	if img.W == w && img.H == h {
		return img
	}
	out := media.NewImage(w, h)
	cols := spans(img.W, w)
	sum := make([]uint32, 3*w)
	for y, r := range spans(img.H, h) {
		clear(sum)
		for sy := r[0]; sy < r[1]; sy++ {
			row := img.Pix[3*sy*img.W : 3*(sy+1)*img.W]
			for x, c := range cols {
				for i := 3 * c[0]; i < 3*c[1]; i += 3 {
					sum[3*x] += uint32(row[i])
					sum[3*x+1] += uint32(row[i+1])
					sum[3*x+2] += uint32(row[i+2])
				}
			}
		}
		dst := out.Pix[3*y*w : 3*(y+1)*w]
		for x, c := range cols {
			n := uint32((c[1] - c[0]) * (r[1] - r[0]))
			for i := 3 * x; i < 3*x+3; i++ {
				dst[i] = byte((sum[i] + n/2) / n)
			}
		}
	}
	return out
}

// spans are the ranges of n pixels that m pixels stand for, none empty.
func spans(n, m int) [][2]int {
	out := make([][2]int, m)
	for i := range out {
		a := i * n / m
		out[i] = [2]int{a, max(a+1, (i+1)*n/m)}
	}
	return out
}

// cut returns a part of a picture.
func cut(img *media.Image, x0, y0, x1, y1 int) *media.Image {
	out := media.NewImage(x1-x0, y1-y0)
	for y := range out.H {
		copy(out.Pix[3*y*out.W:3*(y+1)*out.W], img.Pix[3*((y0+y)*img.W+x0):])
	}
	return out
}

// smooth returns a picture of w × h pixels, about as large, by linear interpolation.
func smooth(img *media.Image, w, h int) *media.Image {
	out := media.NewImage(w, h)
	type tap struct {
		a, b int // neighbours
		k    int // weight of b, of 256
	}
	taps := func(n, m int) []tap {
		out := make([]tap, m)
		for i := range out {
			at := max(0, (float32(i)+0.5)*float32(n)/float32(m)-0.5)
			a := min(int(at), n-1)
			out[i] = tap{a, min(a+1, n-1), int(256 * (at - float32(a)))}
		}
		return out
	}
	cols := taps(img.W, w)
	for y, r := range taps(img.H, h) {
		above, below := img.Pix[3*r.a*img.W:], img.Pix[3*r.b*img.W:]
		for x, c := range cols {
			for i := range 3 {
				a := int(above[3*c.a+i])*(256-c.k) + int(above[3*c.b+i])*c.k
				b := int(below[3*c.a+i])*(256-c.k) + int(below[3*c.b+i])*c.k
				out.Pix[3*(y*w+x)+i] = byte((a*(256-r.k) + b*r.k + 1<<15) >> 16)
			}
		}
	}
	return out
}
