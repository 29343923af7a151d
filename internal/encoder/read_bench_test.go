package encoder

import (
	"math/rand/v2"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/nn"
)

// BenchmarkRead reads a frame of the size of films' by a reader of the recipe's shape.
func BenchmarkRead(b *testing.B) {
	v, err := NewReading(EyesConfig{Channels: 96, Blocks: 8, Hidden: 128}, nn.BF16)
	if err != nil {
		b.Fatal(err)
	}
	v.Params.Alloc()
	v.Params.Reset(1)
	Refresh(v.Matrices, &v.Params, false, 0, 1)
	img := media.NewImage(320, 180)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		img.Pix[i] = byte(rng.Uint32())
	}
	s := new(nn.Scratch)
	read := func(b *testing.B) {
		for b.Loop() {
			v.Reader.Read(s, v.Params.Data, img, nil)
		}
	}
	b.Run("bf16", read)
	if err := v.Reader.round(v.Params.Data); err != nil {
		b.Fatal(err)
	}
	b.Run("int8", read)
}
