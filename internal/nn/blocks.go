package nn

import (
	"fmt"

	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Blocks is a Weight as a file stores it, in whatever type: rows [Out, In], of
// one or several tensors one after the other. It is the portable definition of
// a product with quantised weights: rows are decoded, then multiplied.
type Blocks struct {
	Out, In int
	parts   []blockRows
}

type blockRows struct {
	typ      tensor.DType
	rows     int
	rowBytes int
	data     []byte
}

// Append adds rows.
func (w *Blocks) Append(typ tensor.DType, data []byte) error {
	if !quant.Supported(typ) {
		return fmt.Errorf("nn: weights of type %v are not supported", typ)
	}
	elements, size, _ := typ.Block()
	if w.In%elements != 0 {
		return fmt.Errorf("nn: rows of %d elements are not whole blocks of %v", w.In, typ)
	}
	row := w.In / elements * size
	if len(data)%row != 0 {
		return fmt.Errorf("nn: %d bytes are not whole rows of %d", len(data), row)
	}
	w.parts = append(w.parts, blockRows{typ, len(data) / row, row, data})
	w.Out += len(data) / row
	return nil
}

// Row decodes row i into dst [In].
func (w *Blocks) Row(dst []float32, i int) {
	for _, p := range w.parts {
		if i < p.rows {
			p.decode(dst, i, 1)
			return
		}
		i -= p.rows
	}
	panic("nn: no such row")
}

// decode decodes n rows; types and sizes were checked by Append.
func (p *blockRows) decode(dst []float32, from, n int) {
	if err := quant.Decode(dst, p.typ, p.data[from*p.rowBytes:(from+n)*p.rowBytes]); err != nil {
		panic(err)
	}
}

// blocksPanel is how many rows are decoded at a time.
const blocksPanel = 64

// Mul implements Weight.
func (w *Blocks) Mul(s *Scratch, dst, x []float32, m int, acc bool) {
	if m == 0 {
		return
	}
	mark := s.Mark()
	panel := s.Floats(min(blocksPanel, w.Out) * w.In)
	col := 0
	for i := range w.parts {
		p := &w.parts[i]
		for from := 0; from < p.rows; from += blocksPanel {
			n := min(blocksPanel, p.rows-from)
			p.decode(panel[:n*w.In], from, n)
			s.mul(dst[col:], w.Out, x, w.In, 1, panel, 1, w.In, m, n, w.In, acc)
			col += n
		}
	}
	s.Release(mark)
}

// Biased adds a bias to a weight's products.
type Biased struct {
	Weight
	Bias []float32 // [Out]
}

// Mul implements Weight.
func (w *Biased) Mul(s *Scratch, dst, x []float32, m int, acc bool) {
	w.Weight.Mul(s, dst, x, m, acc)
	for n := len(w.Bias); m > 0; m-- {
		for i, b := range w.Bias {
			dst[i] += b
		}
		dst = dst[min(n, len(dst)):]
	}
}
