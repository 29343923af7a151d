package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/render"
)

func main() {
	f, err := gguf.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	r, err := encoder.LoadReading(f, nn.BF16, false)
	if err != nil {
		panic(err)
	}
	fonts, _ := render.LoadFonts("/usr/share/fonts/truetype")
	for _, held := range []bool{false, true} {
		faces := fonts.Train()
		if held {
			faces = fonts.HeldOut()
		}
		p, _ := render.NewPainter(render.Options{Faces: faces, HeldOut: true})
		rng := rand.New(rand.NewPCG(1, 2))
		var right, near, n [8]int
		extra, total := 0, 0
		var s nn.Scratch
		conf := map[string]int{}
		for i := range 150 {
			sc := p.Text(rng, 256, 96)
			lines := r.Reader.Read(&s, r.Params.Data, sc.Image)
			var chars []encoder.Char
			for _, l := range lines {
				chars = append(chars, l.Chars...)
			}
			used := map[int]bool{}
			for _, l := range sc.Lines {
				for _, g := range l.Glyphs {
					if g.Rune == ' ' || encoder.Class(g.Rune) < 0 {
						continue
					}
					b := 0
					for _, lim := range []float32{7, 9, 11, 14, 18, 26, 40} {
						if g.Cap >= lim {
							b++
						}
					}
					n[b]++
					best, dist := -1, float32(1e9)
					for j, c := range chars {
						dx, dy := c.X-g.X, c.Y-g.Y
						if d := dx*dx + dy*dy; d < dist {
							best, dist = j, d
						}
					}
					tol := g.Cap * 0.35
					if best >= 0 && dist < tol*tol {
						used[best] = true
						near[b]++
						if chars[best].Byte == byte(g.Rune) {
							right[b]++
						} else {
							conf[fmt.Sprintf("%c>%c", g.Rune, chars[best].Byte)]++
						}
					}
				}
			}
			for j, c := range chars {
				if c.Byte != ' ' {
					total++
					if !used[j] {
						extra++
					}
				}
			}
			if i < 4 && !held {
				save(sc, fmt.Sprintf("/tmp/hs/crop%d.png", i))
				for _, l := range sc.Lines {
					fmt.Printf("  true %.1f %q\n", l.Glyphs[0].Cap, l.Text)
				}
				for _, l := range lines {
					fmt.Printf("  read L%d %q\n", l.Level, l.Text())
				}
			}
		}
		fmt.Println("held", held, "extra", extra, "of", total)
		for b, name := range []string{"<7", "7-9", "9-11", "11-14", "14-18", "18-26", "26-40", "40+"} {
			fmt.Printf("%6s n %5d found %.3f right %.3f\n", name, n[b], float64(near[b])/float64(max(1, n[b])), float64(right[b])/float64(max(1, n[b])))
		}
		for k, v := range conf {
			if v > 14 {
				fmt.Print(k, " ", v, "  ")
			}
		}
		fmt.Println()
	}
}

func save(s *render.Scene, path string) {
	img := image.NewRGBA(image.Rect(0, 0, s.Image.W, s.Image.H))
	for i := 0; i < s.Image.W*s.Image.H; i++ {
		img.Set(i%s.Image.W, i/s.Image.W, color.RGBA{s.Image.Pix[3*i], s.Image.Pix[3*i+1], s.Image.Pix[3*i+2], 255})
	}
	o, _ := os.Create(path)
	png.Encode(o, img)
	o.Close()
}
