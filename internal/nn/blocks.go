package nn

import (
	"fmt"
	"sync/atomic"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// Blocks is a Weight as a file stores it, in whatever type: rows [Out, In], of
// one or several tensors one after the other. Its own product is the portable
// definition: rows are decoded, then multiplied. After Lay, products use rows
// that are laid out for the processor; quantised ones are then multiplied by
// activations in int8.
type Blocks struct {
	Out, In int
	parts   []blockRows
}

type blockRows struct {
	typ      tensor.DType
	rows     int
	rowBytes int
	data     []byte

	// One of these after Lay, if the type has a layout.
	blocks *kernel.Blocks
	floats *kernel.PackedF32
	halves *kernel.PackedHalf
	few    []float32 // [rows, In]: too few to fill a panel
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
	w.parts = append(w.parts, blockRows{typ: typ, rows: len(data) / row, rowBytes: row, data: data})
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

// layout is rows laid out for products.
type layout interface {
	Size() int
	Place(memory []byte)
	Set(row int, src []byte) error
}

// layout returns a layout for the rows, without memory: nothing for a type that
// has none.
func (p *blockRows) layout(k int) layout {
	switch p.typ {
	case tensor.F32:
		if p.rows < fewRows {
			return noLayout{} // see lay
		}
		return kernel.NewPackedF32(p.rows, k)
	case tensor.F16, tensor.BF16:
		return kernel.NewPackedHalf(p.typ, p.rows, k)
	}
	if b, err := kernel.NewBlocks(p.typ, p.rows, k); err == nil {
		return b
	}
	return noLayout{}
}

type noLayout struct{}

func (noLayout) Size() int             { return 0 }
func (noLayout) Place([]byte)          {}
func (noLayout) Set(int, []byte) error { return kernel.ErrLayout }

// fewRows are as many as fill a panel: fewer, as those of a router to a few experts,
// would be padded to it with zeros that have to be read.
const fewRows = 32

// layRows is how many rows are laid out at a time: whole panels.
const layRows = 64

// Lay lays weights out for products, all in one piece of memory. Rows of a type
// without a layout, or with numbers that it has no room for, stay as they are.
func Lay(team *Team, progress func(done, total int), weights ...*Blocks) {
	lay(team, progress, kernel.Memory(LaidSize(weights...)), weights)
}

// LaidSize returns how many bytes Lay takes.
func LaidSize(weights ...*Blocks) (n int) {
	for _, w := range weights {
		for i := range w.parts {
			n += (w.parts[i].layout(w.In).Size() + 63) &^ 63
		}
	}
	return n
}

// drop forgets the layout, whose memory goes to another.
func (w *Blocks) drop() {
	for i := range w.parts {
		p := &w.parts[i]
		p.blocks, p.floats, p.halves, p.few = nil, nil, nil, nil
	}
}

// lay lays weights out in memory.
func lay(team *Team, progress func(done, total int), memory []byte, weights []*Blocks) {
	type piece struct {
		part *blockRows
		to   layout
		from int
	}
	var pieces []piece
	failed := map[layout]*atomic.Bool{}
	var parts []*blockRows
	var layouts []layout
	for _, w := range weights {
		for i := range w.parts {
			p := &w.parts[i]
			if p.typ == tensor.F32 && p.rows < fewRows {
				p.few = make([]float32, p.rows*w.In)
				p.decode(p.few, 0, p.rows)
				continue
			}
			to := p.layout(w.In)
			if to.Size() == 0 {
				continue
			}
			failed[to] = new(atomic.Bool)
			parts, layouts = append(parts, p), append(layouts, to)
			for from := 0; from < p.rows; from += layRows {
				pieces = append(pieces, piece{p, to, from})
			}
		}
	}
	for _, to := range layouts {
		to.Place(memory)
		memory = memory[(to.Size()+63)&^63:]
	}
	var done atomic.Int64
	team.Run(len(pieces), func(worker, i int) {
		p := pieces[i]
		n := min(layRows, p.part.rows-p.from)
		if p.to.Set(p.from, p.part.data[p.from*p.part.rowBytes:(p.from+n)*p.part.rowBytes]) != nil {
			failed[p.to].Store(true)
		}
		if d := done.Add(1); progress != nil && worker == 0 {
			progress(int(d), len(pieces))
		}
	})
	for i, to := range layouts {
		if failed[to].Load() {
			continue
		}
		switch to := to.(type) {
		case *kernel.Blocks:
			parts[i].blocks = to
		case *kernel.PackedF32:
			parts[i].floats = to
		case *kernel.PackedHalf:
			parts[i].halves = to
		}
	}
}

// blocksPanel is how many rows are decoded at a time where there is no layout.
const blocksPanel = 64

// Mul implements Weight.
func (w *Blocks) Mul(s *Scratch, dst, x []float32, m int, acc bool) {
	s.mulTogether(x, w.In, m, acc, product{w, dst})
}

// product is a weight and where its product [m, Out] goes.
type product struct {
	w   *Blocks
	dst []float32
}

// mulTogether computes products of the same rows x [m, k], or adds them, sharing out
// the work of all of them at once.
func (s *Scratch) mulTogether(x []float32, k, m int, acc bool, products ...product) {
	if m == 0 {
		return
	}
	type piece struct {
		*blockRows
		dst []float32
		ldd int
	}
	var buf [8]piece
	pieces, rows := buf[:0], 0
	var in8 *kernel.Rows8
	for _, p := range products {
		dst := p.dst
		for i := range p.w.parts {
			part := &p.w.parts[i]
			if part.few != nil {
				s.Rows(m, func(from, to int) { part.dots(dst[from*p.w.Out:], p.w.Out, x[from*k:to*k], k, acc) })
				dst = dst[min(part.rows, len(dst)):]
				continue
			}
			if part.blocks != nil {
				if in8 == nil {
					in8 = s.quantize(&s.rows, x, m, k)
				}
				s.prepare(in8, part.blocks)
			}
			pieces = append(pieces, piece{part, dst, p.w.Out})
			rows += (part.rows + blocksPanel - 1) / blocksPanel * blocksPanel
			dst = dst[min(part.rows, len(dst)):]
		}
	}
	s.Team.Split(rows, blocksPanel, func(worker, from, to int) {
		for _, p := range pieces {
			if n := min(p.rows, to); from < n {
				p.mul(s.worker(worker), p.dst[from:], p.ldd, x, in8, m, k, from, n, acc)
			}
			all := (p.rows + blocksPanel - 1) / blocksPanel * blocksPanel
			if to -= all; to <= 0 {
				return
			}
			from = max(0, from-all)
		}
	})
}

// mul computes columns from to to of a product, from being a multiple of 32.
func (p *blockRows) mul(ws *worker, dst []float32, ldd int, x []float32, in8 *kernel.Rows8, m, k, from, to int, acc bool) {
	switch {
	case p.blocks != nil:
		kernel.GemmBlocks(&ws.blocks, dst, ldd, in8, 0, m, p.blocks, from, to, acc)
	case p.floats != nil:
		cols := p.floats.Cols(from, to)
		kernel.GemmF32(dst, ldd, x, k, 1, &cols, m, acc)
	case p.halves != nil:
		cols := p.halves.Cols(from, to)
		kernel.GemmHalf(dst, ldd, x, k, &cols, m, acc)
	default:
		ws.panel = grow(ws.panel, blocksPanel*k)
		for ; from < to; from += blocksPanel {
			n := min(blocksPanel, to-from)
			p.decode(ws.panel[:n*k], from, n)
			ws.pack.Pack(ws.panel, 1, k, k, n)
			kernel.GemmF32(dst, ldd, x, k, 1, &ws.pack, m, acc)
			dst = dst[min(n, len(dst)):]
		}
	}
}

// dots multiplies rows x [m, k] by few weights, one by one.
func (p *blockRows) dots(dst []float32, ldd int, x []float32, k int, acc bool) {
	for ; len(x) > 0; x = x[k:] {
		for j := range p.rows {
			v := kernel.Dot(p.few[j*k:(j+1)*k], x[:k])
			if acc {
				v += dst[j]
			}
			dst[j] = v
		}
		dst = dst[min(ldd, len(dst)):]
	}
}

// fewTokens is up to how many rows are not worth sharing out.
const fewTokens = 8

// quantize rounds x [m, k] to dst.
func (s *Scratch) quantize(dst *kernel.Rows8, x []float32, m, k int) *kernel.Rows8 {
	dst.Resize(m, k)
	s.Rows(m, func(from, to int) {
		for i := from; i < to; i++ {
			dst.Set(i, x[i*k:(i+1)*k])
		}
	})
	return dst
}

// prepare readies rounded rows for b.
func (s *Scratch) prepare(rows *kernel.Rows8, b *kernel.Blocks) {
	if rows.Begin(b) {
		s.Rows(rows.Len(), func(from, to int) {
			for i := from; i < to; i++ {
				rows.PrepareRow(b, i)
			}
		})
	}
}

// Biased adds a bias to a weight's products.
type Biased struct {
	Weight
	Bias []float32 // [Out]
}

// Mul implements Weight.
func (w *Biased) Mul(s *Scratch, dst, x []float32, m int, acc bool) {
	w.Weight.Mul(s, dst, x, m, acc)
	w.add(dst, m)
}

// add adds the bias to m rows.
func (w *Biased) add(dst []float32, m int) {
	n := len(w.Bias)
	for i := range m {
		kernel.Add(dst[i*n:(i+1)*n], w.Bias)
	}
}
