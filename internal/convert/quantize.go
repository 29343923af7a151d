package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/quant"
	"github.com/handscroll/handscroll/internal/tensor"
)

// quantizationVersion is that of the block formats as they are today.
const quantizationVersion = 2

// piece is how many elements a processor encodes at a time: whole blocks of
// every type.
const piece = 1 << 18

// Options are of a quantisation.
type Options struct {
	Type       Type
	Requantize bool                    // tensors that are quantised already, too
	Force      bool                    // replace a file that exists
	Progress   func(done, total int64) // in bytes of the source's tensors; may be nil
}

// Report says what became of a model.
type Report struct {
	Before, After int64   // bytes of the files
	Weights       int64   // elements of all tensors
	Bits          float64 // of an element, on average
}

// Quantize writes the GGUF model in, whole or split, to the file out with its
// matrices as o.Type. Metadata and small or sensitive tensors stay as they are.
func Quantize(ctx context.Context, in, out string, o Options) (r Report, err error) {
	f, err := gguf.Open(in)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := writable(in, out, o.Force); err != nil {
		return r, err
	}
	w, err := layOut(ctx, f, o, &r)
	if err != nil {
		return r, err
	}
	if err := w.WriteFile(out); err != nil {
		return r, err
	}
	st, err := os.Stat(out)
	if err != nil {
		return r, fmt.Errorf("convert: %w", err)
	}
	r.Before, r.After = f.Size, st.Size()
	return r, nil
}

// writable checks that out may be written.
func writable(in, out string, force bool) error {
	there, err := os.Stat(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("convert: %w", err)
	}
	source, err := os.Stat(in)
	switch {
	case err != nil:
		return fmt.Errorf("convert: %w", err)
	case os.SameFile(source, there):
		return fmt.Errorf("convert: %s is the source itself: choose another name", out)
	case !there.Mode().IsRegular():
		return fmt.Errorf("convert: %s is there already and no regular file: choose another name", out)
	case !force:
		return fmt.Errorf("convert: %s is there already: choose another name, or replace it with --force", out)
	}
	return nil
}

// layOut checks the whole of a model and makes the writer that will read, encode
// and write its tensors.
func layOut(ctx context.Context, f *gguf.File, o Options, r *Report) (*gguf.Writer, error) {
	arch, err := f.Meta.String("general.architecture")
	if err != nil {
		return nil, err
	}
	if arch == model.Architecture {
		return nil, fmt.Errorf("convert: %s is a native model of Handscroll, which stays as it was trained", f.Name)
	}
	w := gguf.NewWriter()
	setMeta(w, f.Meta, o.Type)
	e := &encoding{ctx: ctx, f: f, progress: o.Progress, workers: make([]worker, runtime.GOMAXPROCS(0))}
	p := newPlan(f, o.Type)
	bytes := 0
	for _, t := range f.Tensors {
		typ := p.target(t)
		if err := encodable(t, typ, o.Requantize); err != nil {
			return nil, fmt.Errorf("convert: %s: tensor %q %w", f.Name, t.Name, err)
		}
		n := elements(t)
		r.Weights += int64(n)
		bytes += size(typ, n)
		e.total += int64(len(t.Data))
		w.AddFunc(t.Name, typ, t.Shape, func(out io.Writer) error { return e.write(out, t, typ) })
	}
	r.Bits = 8 * float64(bytes) / float64(max(r.Weights, 1))
	return w, nil
}

// encodable says why a tensor cannot be stored as typ.
func encodable(t *gguf.Tensor, typ tensor.DType, requantize bool) error {
	float := t.Type == tensor.F32 || t.Type == tensor.F16 || t.Type == tensor.BF16
	switch {
	case t.Type == typ:
		return nil
	case !quant.Supported(t.Type):
		return fmt.Errorf("is of type %v, which cannot be read", t.Type)
	case !float && !requantize:
		return fmt.Errorf("is quantised already (%v), and as %v it would lose more: start from a file in F16, BF16 or F32, or allow it with --requantize", t.Type, typ)
	}
	return nil
}

// setMeta copies all metadata but what is of a file's layout or of its types.
func setMeta(w *gguf.Writer, m gguf.Meta, typ Type) {
	for _, key := range m.Keys() {
		switch {
		case key == "general.file_type", key == "general.quantization_version", key == "general.alignment", strings.HasPrefix(key, "split."):
		default:
			w.Set(key, m.Value(key))
		}
	}
	w.Set("general.file_type", typ.fileType)
	w.Set("general.quantization_version", uint32(quantizationVersion))
}

func elements(t *gguf.Tensor) int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// size is the bytes of n elements.
func size(t tensor.DType, n int) int {
	elements, bytes, _ := t.Block()
	return n / elements * bytes
}

// encoding is a quantisation under way.
type encoding struct {
	ctx         context.Context
	f           *gguf.File
	workers     []worker
	progress    func(done, total int64)
	done, total int64
}

// worker encodes a piece at a time.
type worker struct {
	x    []float32
	buf  []byte
	data []byte // the piece as it will be stored
	err  error
}

// write writes a tensor as typ, a piece of every worker at a time.
func (e *encoding) write(out io.Writer, t *gguf.Tensor, typ tensor.DType) error {
	n := elements(t)
	for at := 0; at < n; at += piece * len(e.workers) {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		var wg sync.WaitGroup
		end := min(n, at+piece*len(e.workers))
		busy := e.workers[:(end-at+piece-1)/piece]
		for i := range busy {
			from := at + i*piece
			wg.Go(func() { busy[i].encode(t, typ, from, min(end, from+piece)) })
		}
		wg.Wait()
		for _, w := range busy {
			if w.err != nil {
				return fmt.Errorf("%s: tensor %q: %w", e.f.Name, t.Name, w.err)
			}
			if _, err := out.Write(w.data); err != nil {
				return err
			}
		}
		e.done += int64(size(t.Type, end-at))
		if e.progress != nil {
			e.progress(e.done, e.total)
		}
	}
	return nil
}

// encode makes data of the elements from begin to end.
func (w *worker) encode(t *gguf.Tensor, typ tensor.DType, begin, end int) {
	src := t.Data[size(t.Type, begin):size(t.Type, end)]
	if t.Type == typ {
		w.data, w.err = src, nil
		return
	}
	w.x = slices.Grow(w.x[:0], end-begin)[:end-begin]
	w.buf = slices.Grow(w.buf[:0], size(typ, end-begin))[:size(typ, end-begin)]
	w.data = w.buf
	if w.err = quant.Decode(w.x, t.Type, src); w.err != nil {
		return
	}
	w.err = quant.Encode(w.buf, typ, w.x)
	var value *quant.ValueError
	if errors.As(w.err, &value) {
		value.Index += begin
	}
}
