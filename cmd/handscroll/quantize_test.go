package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/tensor"
)

// newF16 writes a file of one matrix in half precision.
func (h *house) newF16() string {
	h.t.Helper()
	x := make([]float32, 64*256)
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	w := gguf.NewWriter()
	w.Set("general.architecture", "llama")
	w.Add("output.weight", tensor.F16, []int{64, 256}, tensor.F16Bytes(x))
	path := filepath.Join(h.dir, "f16.gguf")
	if err := w.WriteFile(path); err != nil {
		h.t.Fatal(err)
	}
	return path
}

func TestQuantize(t *testing.T) {
	h := newHouse(t)
	in, out := h.newF16(), filepath.Join(h.dir, "out.gguf")
	h.want(exitOK, []string{"model", "quantize", in, out, "--type", "q8_0"}, out+": 17.6 kB, from 32.9 kB; 8.50 bits a weight\n")
	h.want(exitError, []string{"model", "quantize", in, out, "--type", "q4_k_m"}, out, "--force")
	h.want(exitOK, []string{"model", "quantize", in, out, "--type", "Q4_K_M", "--force"}, "6.56 bits a weight")
	f, err := gguf.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if x, err := f.Tensor("output.weight"); err != nil || x.Type != tensor.Q6_K {
		t.Errorf("type %v, %v", x.Type, err)
	}
	other := filepath.Join(h.dir, "other.gguf")
	h.want(exitError, []string{"model", "quantize", out, other, "--type", "q8_0"}, out, "Q6_K", "--requantize")
	h.want(exitOK, []string{"model", "quantize", out, other, "--type", "q8_0", "--requantize"}, "8.50 bits a weight")
}

func TestQuantizeRejects(t *testing.T) {
	h := newHouse(t)
	in, out := h.newF16(), filepath.Join(h.dir, "out.gguf")
	h.want(exitUsage, []string{"model", "show-me"}, "show-me")
	h.want(exitUsage, []string{"model", "quantize", in, "--type", "q6_k"}, "quantize")
	h.want(exitUsage, []string{"model", "quantize", in, out}, "--type")
	h.want(exitUsage, []string{"model", "quantize", in, out, "--type", "q4"}, `"q4"`, "q4_k_m")
	h.want(exitError, []string{"model", "quantize", h.model, out, "--type", "q6_k"}, h.model, "native")
	h.want(exitError, []string{"model", "quantize", filepath.Join(h.dir, "nope.gguf"), out, "--type", "q6_k"}, "nope.gguf")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.ctx = ctx
	h.want(exitInterrupted, []string{"model", "quantize", in, out, "--type", "q6_k"}, "interrupted")
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Errorf("%s was written", out)
	}
	h.ctx = context.Background()
	h.want(exitOK, []string{"model"}, "quantize")
}
