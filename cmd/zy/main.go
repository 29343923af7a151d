package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

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
	for _, cls := range [][2]float32{{9, 18}, {18, 27}, {27, 36}} {
		rng := rand.New(rand.NewPCG(1, 2))
		var ev []render.Event
		var words []string
		const n = 100
		for i := range n {
			w := render.PseudoWord(rng, true)
			words = append(words, w)
			ev = append(ev, render.Event{At: 2*i + 1, For: 1, Design: render.Overlay{Text: `The secret word is "` + w + `"`, Cap: cls[0] + (cls[1]-cls[0])*rng.Float32()}})
		}
		film, err := render.NewFilm(7, 2*n+2, render.FilmOptions{Options: render.Options{Faces: fonts.HeldOut(), HeldOut: true}, Events: ev})
		if err != nil {
			panic(err)
		}
		ok, phrase, clutter := 0, 0, 0
		var s nn.Scratch
		var took time.Duration
		for i := range n {
			sc := film.Frame(2*i + 1)
			t0 := time.Now()
			lines := r.Reader.Read(&s, r.Params.Data, sc.Image)
			took += time.Since(t0)
			var t []string
			for _, l := range lines {
				t = append(t, l.Text())
			}
			all := strings.Join(t, " ")
			low := strings.ToLower(all)
			if strings.Contains(strings.ReplaceAll(low, " ", ""), strings.ToLower(words[i])) {
				ok++
			} else if len(os.Args) > 2 {
				fmt.Printf("   %q read %q\n", words[i], all)
			}
			if strings.Contains(strings.ReplaceAll(low, " ", ""), "secretword") {
				phrase++
			}
			for _, l := range r.Reader.Read(&s, r.Params.Data, film.Frame(2*i).Image) {
				clutter += len(l.Chars)
			}
		}
		fmt.Printf("cap %v: word %.2f phrase %.2f; chars read in empty frames %.2f a frame; %s a frame\n", cls, float64(ok)/n, float64(phrase)/n, float64(clutter)/n, took/n)
	}
}
