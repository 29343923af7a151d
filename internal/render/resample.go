package render

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/media"
)

// halve averages two by two pixels of src into dst.
func halve(dst, src *media.Image) {
	dst.W, dst.H = src.W/2, src.H/2
	dst.Pix = grow(dst.Pix, 3*dst.W*dst.H)
	for y := range dst.H {
		a, b := src.Pix[3*2*y*src.W:], src.Pix[3*(2*y+1)*src.W:]
		row := dst.Pix[3*y*dst.W : 3*(y+1)*dst.W]
		for i, j := 0, 0; i+2 < len(row); i, j = i+3, j+6 {
			for c := range 3 {
				row[i+c] = uint8((int(a[j+c]) + int(a[j+3+c]) + int(b[j+c]) + int(b[j+3+c]) + 2) >> 2)
			}
		}
	}
}

// resample fills dst with the box (x0, y0)–(x1, y1) of src, bilinearly, averaging
// first what becomes much smaller.
func (p *Painter) resample(dst, src *media.Image, x0, y0, x1, y1 float32) {
	for i := 0; x1-x0 > 1.7*float32(dst.W) && y1-y0 > 1.7*float32(dst.H) && src.W > 3 && src.H > 3; i ^= 1 {
		halve(&p.half[i], src)
		src = &p.half[i]
		x0, y0, x1, y1 = x0/2, y0/2, x1/2, y1/2
	}
	p.sums = grow(p.sums, 2*dst.W)
	at, part := p.sums[:dst.W], p.sums[dst.W:]
	step := (x1 - x0) / float32(dst.W)
	for x := range at {
		at[x], part[x] = tap(x0+(float32(x)+0.5)*step-0.5, src.W)
		at[x] *= 3
	}
	step = (y1 - y0) / float32(dst.H)
	for y := range dst.H {
		sy, fy := tap(y0+(float32(y)+0.5)*step-0.5, src.H)
		a := src.Pix[3*int(sy)*src.W : 3*(int(sy)+1)*src.W]
		b := a
		if fy > 0 {
			b = src.Pix[3*(int(sy)+1)*src.W : 3*(int(sy)+2)*src.W]
		}
		row := dst.Pix[3*y*dst.W : 3*(y+1)*dst.W]
		for x := range at {
			i, fx := int(at[x]), part[x]
			j := i
			if fx > 0 {
				j += 3
			}
			pa, pb, qa, qb := a[i:i+3:i+3], a[j:j+3:j+3], b[i:i+3:i+3], b[j:j+3:j+3]
			out := row[3*x : 3*x+3 : 3*x+3]
			for c := range 3 {
				top := int32(pa[c])<<7 + (int32(pb[c])-int32(pa[c]))*fx
				low := int32(qa[c])<<7 + (int32(qb[c])-int32(qa[c]))*fx
				out[c] = uint8((top<<7 + (low-top)*fy + 1<<13) >> 14)
			}
		}
	}
}

// tap returns the pixel before v and how far v is past it, of 128. It is 0 at the
// last pixel, beyond which there is none.
func tap(v float32, n int) (at, part int32) {
	v = max(0, min(v, float32(n-1)))
	at = int32(v)
	return at, int32((v - float32(at)) * 128)
}

// blur is two box blurs of radius n in each direction, close to a normal one.
func (p *Painter) blur(img *media.Image, n int) {
	for range 2 {
		p.boxBlur(img, n)
	}
}

func (p *Painter) boxBlur(img *media.Image, n int) {
	w, h := img.W, img.H
	p.tmp = grow(p.tmp, len(img.Pix))
	tmp := p.tmp
	size := int32(2*n + 1)
	inv := (1<<16 + size - 1) / size
	for y := range h {
		src, dst := img.Pix[3*y*w:3*(y+1)*w], tmp[3*y*w:3*(y+1)*w]
		for c := range 3 {
			sum := int32(0)
			for k := -n; k <= n; k++ {
				sum += int32(src[3*max(0, min(w-1, k))+c])
			}
			for x := range w {
				dst[3*x+c] = uint8(min(255, sum*inv>>16))
				sum += int32(src[3*min(w-1, x+n+1)+c]) - int32(src[3*max(0, x-n)+c])
			}
		}
	}
	p.sums = grow(p.sums, 3*w)
	sums := p.sums
	clear(sums)
	row := func(y int) []uint8 { y = max(0, min(h-1, y)); return tmp[3*y*w : 3*(y+1)*w] }
	for k := -n; k <= n; k++ {
		for i, v := range row(k) {
			sums[i] += int32(v)
		}
	}
	for y := range h {
		dst, in, out := img.Pix[3*y*w:3*(y+1)*w], row(y+n+1), row(y-n)
		for i, s := range sums {
			dst[i] = uint8(min(255, s*inv>>16))
			sums[i] = s + int32(in[i]) - int32(out[i])
		}
	}
}

// soften mixes each pixel with its neighbours; weight is theirs, of 16, on either
// side.
func (p *Painter) soften(img *media.Image, weight int) {
	w, h := img.W, img.H
	p.tmp = grow(p.tmp, len(img.Pix))
	tmp, mid := p.tmp, 16-2*weight
	copy(tmp, img.Pix)
	for y := range h {
		src, dst := img.Pix[3*y*w:3*(y+1)*w], tmp[3*y*w:3*(y+1)*w]
		for i := 3; i < len(src)-3; i++ {
			dst[i] = uint8((int(src[i])*mid + (int(src[i-3])+int(src[i+3]))*weight + 8) >> 4)
		}
	}
	for y := range h {
		a, m, b := tmp[3*max(0, y-1)*w:], tmp[3*y*w:], tmp[3*min(h-1, y+1)*w:]
		dst := img.Pix[3*y*w : 3*(y+1)*w]
		for i := range dst {
			dst[i] = uint8((int(m[i])*mid + (int(a[i])+int(b[i]))*weight + 8) >> 4)
		}
	}
}

// jpegBuffer keeps the memory of a compression.
type jpegBuffer struct {
	bytes.Buffer
	rgba image.RGBA
}

// compress replaces a picture by what is left of it after JPEG.
func (p *Painter) compress(img *media.Image, quality int) {
	b := &p.jpeg
	b.rgba = image.RGBA{Pix: grow(b.rgba.Pix, 4*img.W*img.H), Stride: 4 * img.W, Rect: image.Rect(0, 0, img.W, img.H)}
	for i, j := 0, 0; i+2 < len(img.Pix); i, j = i+3, j+4 {
		b.rgba.Pix[j], b.rgba.Pix[j+1], b.rgba.Pix[j+2], b.rgba.Pix[j+3] = img.Pix[i], img.Pix[i+1], img.Pix[i+2], 255
	}
	b.Reset()
	if err := jpeg.Encode(b, &b.rgba, &jpeg.Options{Quality: quality}); err != nil {
		panic(fmt.Sprintf("render: JPEG to memory: %v", err)) // nothing can fail but the size
	}
	out, err := jpeg.Decode(b)
	if err != nil {
		panic(fmt.Sprintf("render: JPEG from memory: %v", err))
	}
	y := out.(*image.YCbCr)
	for r := range img.H {
		row := img.Pix[3*r*img.W : 3*(r+1)*img.W]
		for x := range img.W {
			i, j := r*y.YStride+x, r/2*y.CStride+x/2
			row[3*x], row[3*x+1], row[3*x+2] = color.YCbCrToRGB(y.Y[i], y.Cb[j], y.Cr[j])
		}
	}
}

// wear gives a picture what cameras and codecs do to it, mildly enough that what
// is on it can be read.
func (p *Painter) wear(rng *rand.Rand, img *media.Image) {
	if chance(rng, 0.3) {
		curve(img, between(rng, 0.75, 1.35), between(rng, 0.7, 1.1), between(rng, -12, 25))
	}
	if chance(rng, 0.25) {
		p.soften(img, 1+rng.IntN(3))
	}
	if chance(rng, 0.35) {
		sigma := between(rng, 1.5, 7)
		if chance(rng, 0.1) {
			sigma *= 2
		}
		p.noise.speckle(rng, img, sigma, chance(rng, 0.6))
	}
	if chance(rng, 0.4) {
		p.compress(img, 48+rng.IntN(48))
	}
}

// Cover returns the middle of a picture, as much as has the shape of w by h, at that
// size.
func (p *Painter) Cover(img *media.Image, w, h int) *media.Image {
	out := media.NewImage(w, h)
	iw, ih := float32(img.W), float32(img.H)
	k := min(iw/float32(w), ih/float32(h))
	x, y := (iw-k*float32(w))/2, (ih-k*float32(h))/2
	p.resample(out, img, x, y, iw-x, ih-y)
	return out
}
