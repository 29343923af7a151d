package nn

import (
	"fmt"
	"slices"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Write adds the parameters to a file: matrices, and what wide says is large
// too, as dtype (F32 or BF16), the rest as F32.
func (ps *Params) Write(w *gguf.Writer, dtype tensor.DType, wide func(*Param) bool) {
	for _, p := range ps.List {
		data := p.Of(ps.Data)
		if dtype == tensor.BF16 && (p.Class == ClassMatrix || wide != nil && wide(p)) {
			w.Add(p.Name, tensor.BF16, p.Shape, tensor.BF16Bytes(data))
		} else {
			w.Add(p.Name, tensor.F32, p.Shape, tensor.F32Bytes(data))
		}
	}
}

// Load takes memory for the parameters and reads them from a file. Shapes come
// before memory: no more is taken than the file's size asks for.
func (ps *Params) Load(f *gguf.File) error {
	for _, p := range ps.List {
		t, err := f.Tensor(p.Name)
		if err != nil {
			return err
		}
		if !slices.Equal(t.Shape, p.Shape) {
			return fmt.Errorf("nn: tensor %q has shape %v, want %v", p.Name, t.Shape, p.Shape)
		}
	}
	ps.Alloc()
	for _, p := range ps.List {
		if err := LoadTensor(f, p.Name, p.Of(ps.Data)); err != nil {
			return err
		}
	}
	return nil
}

// LoadTensor decodes the named tensor into dst, which has its size, and checks
// that its values are finite.
func LoadTensor(f *gguf.File, name string, dst []float32) error {
	t, err := f.Tensor(name)
	if err != nil {
		return err
	}
	n := 1
	for _, s := range t.Shape {
		n *= s
	}
	if n != len(dst) {
		return fmt.Errorf("nn: tensor %q has %d elements, want %d", name, n, len(dst))
	}
	if err := quant.Decode(dst, t.Type, t.Data); err != nil {
		return fmt.Errorf("nn: tensor %q: %w", name, err)
	}
	for i, v := range dst {
		if v-v != 0 {
			return fmt.Errorf("nn: tensor %q: element %d is %g, want a finite number", name, i, v)
		}
	}
	return nil
}
