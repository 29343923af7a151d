package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/handscroll/handscroll/internal/tensor"
)

// Writer collects metadata and tensors of a version 3 file. Data is not copied
// before it is written. An error of Set or Add is reported by the write.
type Writer struct {
	keys    []string
	values  map[string]any
	tensors []*Tensor
	names   map[string]bool
	errs    []error
}

// NewWriter makes an empty writer.
func NewWriter() *Writer {
	return &Writer{values: map[string]any{}, names: map[string]bool{}}
}

// Set stores a metadata value: uint32, uint64, int32, float32, bool, string, or
// a slice of string, int32, uint32 or float32.
func (w *Writer) Set(key string, value any) {
	if _, dup := w.values[key]; dup {
		w.errs = append(w.errs, fmt.Errorf("gguf: metadata %q set twice", key))
		return
	}
	if _, err := appendValue(nil, value); err != nil {
		w.errs = append(w.errs, fmt.Errorf("gguf: metadata %q: %w", key, err))
		return
	}
	w.keys = append(w.keys, key)
	w.values[key] = value
}

// Add stores a tensor; shape is outermost first.
func (w *Writer) Add(name string, dtype tensor.DType, shape []int, data []byte) {
	n, row := 1, 1
	for _, s := range shape {
		// Once a dimension is not positive, n fits no data.
		n, row = max(n, 0)*s, s
	}
	elements, bytes, ok := dtype.Block()
	switch {
	case w.names[name]:
		w.errs = append(w.errs, fmt.Errorf("gguf: tensor %q added twice", name))
	case len(shape) > maxDims || n <= 0 || !ok || row%elements != 0 || n/elements*bytes != len(data):
		w.errs = append(w.errs, fmt.Errorf("gguf: tensor %q: %d bytes do not fit shape %v of %v", name, len(data), shape, dtype))
	}
	w.names[name] = true
	w.tensors = append(w.tensors, &Tensor{Name: name, Type: dtype, Shape: slices.Clone(shape), Data: data})
}

// header returns everything before the data, padded.
func (w *Writer) header() ([]byte, error) {
	if err := errors.Join(w.errs...); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	b := append([]byte(magic), 3, 0, 0, 0)
	b = le.AppendUint64(b, uint64(len(w.tensors)))
	b = le.AppendUint64(b, uint64(len(w.keys)))
	for _, k := range w.keys {
		b = appendString(b, k)
		var err error
		if b, err = appendValue(b, w.values[k]); err != nil {
			return nil, err
		}
	}
	off := uint64(0)
	for _, t := range w.tensors {
		b = appendString(b, t.Name)
		b = le.AppendUint32(b, uint32(len(t.Shape)))
		for _, s := range slices.Backward(t.Shape) {
			b = le.AppendUint64(b, uint64(s))
		}
		b = le.AppendUint32(b, uint32(t.Type))
		b = le.AppendUint64(b, off)
		off += uint64(len(t.Data)+defaultAlignment-1) / defaultAlignment * defaultAlignment
	}
	return append(b, make([]byte, -len(b)&(defaultAlignment-1))...), nil
}

// WriteTo writes the file.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	b, err := w.header()
	if err != nil {
		return 0, err
	}
	n, err := out.Write(b)
	total := int64(n)
	for _, t := range w.tensors {
		for _, part := range [][]byte{t.Data, make([]byte, -len(t.Data)&(defaultAlignment-1))} {
			if err != nil {
				return total, err
			}
			n, err = out.Write(part)
			total += int64(n)
		}
	}
	return total, err
}

// WriteFile writes the file whole or not at all: under a temporary name, synced,
// then renamed.
func (w *Writer) WriteFile(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return fmt.Errorf("gguf: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("gguf: writing %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<20)
	_, err = w.WriteTo(buf)
	err = errors.Join(err, buf.Flush())
	if err == nil {
		err = errors.Join(f.Chmod(0o644), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendValue(b []byte, value any) ([]byte, error) {
	le := binary.LittleEndian
	switch v := value.(type) {
	case uint32:
		return le.AppendUint32(le.AppendUint32(b, typeU32), v), nil
	case uint64:
		return le.AppendUint64(le.AppendUint32(b, typeU64), v), nil
	case int32:
		return le.AppendUint32(le.AppendUint32(b, typeI32), uint32(v)), nil
	case float32:
		return le.AppendUint32(le.AppendUint32(b, typeF32), math.Float32bits(v)), nil
	case bool:
		b = append(le.AppendUint32(b, typeBool), 0)
		if v {
			b[len(b)-1] = 1
		}
		return b, nil
	case string:
		return appendString(le.AppendUint32(b, typeString), v), nil
	case []string:
		return appendArray(b, typeString, v, appendString), nil
	case []int32:
		return appendArray(b, typeI32, v, func(b []byte, x int32) []byte { return le.AppendUint32(b, uint32(x)) }), nil
	case []uint32:
		return appendArray(b, typeU32, v, le.AppendUint32), nil
	case []float32:
		return appendArray(b, typeF32, v, func(b []byte, x float32) []byte { return le.AppendUint32(b, math.Float32bits(x)) }), nil
	}
	return nil, fmt.Errorf("cannot store a %T", value)
}

func appendArray[T any](b []byte, typ uint32, v []T, put func([]byte, T) []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(le.AppendUint32(le.AppendUint32(b, typeArray), typ), uint64(len(v)))
	for _, x := range v {
		b = put(b, x)
	}
	return b
}
