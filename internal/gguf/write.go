package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/handscroll/handscroll/internal/tensor"
)

// Writer collects metadata and tensors of a version 3 file. Data is not copied
// before it is written. An error of Set or Add is reported by the write.
type Writer struct {
	keys    []string
	values  map[string]any
	tensors []entry
	names   map[string]bool
	errs    []error
}

// entry is a tensor to be written.
type entry struct {
	name  string
	dtype tensor.DType
	shape []int
	size  int // of what write writes
	write func(io.Writer) error
}

// NewWriter makes an empty writer.
func NewWriter() *Writer {
	return &Writer{values: map[string]any{}, names: map[string]bool{}}
}

// Set stores a metadata value: a boolean, a string, a number of a fixed width, a
// slice of one of these, or a []any of slices.
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
	if size, err := dataSize(dtype, shape); err == nil && size != len(data) {
		w.errs = append(w.errs, fmt.Errorf("gguf: tensor %q: %d bytes do not fit shape %v of %v", name, len(data), shape, dtype))
	}
	w.AddFunc(name, dtype, shape, func(out io.Writer) error {
		_, err := out.Write(data)
		return err
	})
}

// AddFunc stores a tensor whose data are made by write when the file is written.
func (w *Writer) AddFunc(name string, dtype tensor.DType, shape []int, write func(io.Writer) error) {
	size, err := dataSize(dtype, shape)
	switch {
	case w.names[name]:
		w.errs = append(w.errs, fmt.Errorf("gguf: tensor %q added twice", name))
	case err != nil:
		w.errs = append(w.errs, fmt.Errorf("gguf: tensor %q: %w", name, err))
	}
	w.names[name] = true
	w.tensors = append(w.tensors, entry{name, dtype, slices.Clone(shape), size, write})
}

// dataSize returns the bytes of a tensor.
func dataSize(dtype tensor.DType, shape []int) (int, error) {
	n, row := 1, 1
	for _, s := range shape {
		// Once a dimension is not positive, n stays no size.
		n, row = max(n, 0)*s, s
	}
	elements, bytes, ok := dtype.Block()
	if len(shape) > maxDims || n <= 0 || !ok || row%elements != 0 {
		return 0, fmt.Errorf("shape %v of %v cannot be", shape, dtype)
	}
	return n / elements * bytes, nil
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
		b = appendString(b, t.name)
		b = le.AppendUint32(b, uint32(len(t.shape)))
		for _, s := range slices.Backward(t.shape) {
			b = le.AppendUint64(b, uint64(s))
		}
		b = le.AppendUint32(b, uint32(t.dtype))
		b = le.AppendUint64(b, off)
		off += uint64(t.size+defaultAlignment-1) / defaultAlignment * defaultAlignment
	}
	return append(b, make([]byte, -len(b)&(defaultAlignment-1))...), nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// WriteTo writes the file.
func (w *Writer) WriteTo(out io.Writer) (int64, error) {
	b, err := w.header()
	if err != nil {
		return 0, err
	}
	c := &counter{w: out}
	if _, err := c.Write(b); err != nil {
		return c.n, err
	}
	for _, t := range w.tensors {
		begin := c.n
		if err := t.write(c); err != nil {
			return c.n, err
		}
		if n := c.n - begin; n != int64(t.size) {
			return c.n, fmt.Errorf("tensor %q: %d bytes of data, want %d", t.name, n, t.size)
		}
		if _, err := c.Write(make([]byte, -t.size&(defaultAlignment-1))); err != nil {
			return c.n, err
		}
	}
	return c.n, nil
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

// typeOf returns the type number of a value, or of the elements of a slice.
func typeOf(value any) (typ uint32, slice, ok bool) {
	switch value.(type) {
	case uint8, []uint8:
		typ = typeU8
	case int8, []int8:
		typ = typeI8
	case uint16, []uint16:
		typ = typeU16
	case int16, []int16:
		typ = typeI16
	case uint32, []uint32:
		typ = typeU32
	case int32, []int32:
		typ = typeI32
	case float32, []float32:
		typ = typeF32
	case bool, []bool:
		typ = typeBool
	case string, []string:
		typ = typeString
	case []any:
		typ = typeArray
	case uint64, []uint64:
		typ = typeU64
	case int64, []int64:
		typ = typeI64
	case float64, []float64:
		typ = typeF64
	default:
		return 0, false, false
	}
	return typ, reflect.TypeOf(value).Kind() == reflect.Slice, true
}

// appendValue appends the type of a value and the value.
func appendValue(b []byte, value any) ([]byte, error) {
	typ, slice, ok := typeOf(value)
	if !ok {
		return nil, fmt.Errorf("cannot store a %T", value)
	}
	if slice {
		return appendArray(binary.LittleEndian.AppendUint32(b, typeArray), typ, value)
	}
	b = binary.LittleEndian.AppendUint32(b, typ)
	if s, ok := value.(string); ok {
		return appendString(b, s), nil
	}
	return binary.Append(b, binary.LittleEndian, value)
}

// appendArray appends the type of a slice's elements, their number and them.
func appendArray(b []byte, typ uint32, slice any) ([]byte, error) {
	le := binary.LittleEndian
	b = le.AppendUint64(le.AppendUint32(b, typ), uint64(reflect.ValueOf(slice).Len()))
	switch v := slice.(type) {
	case []string:
		for _, s := range v {
			b = appendString(b, s)
		}
		return b, nil
	case []any:
		for _, e := range v {
			typ, slice, _ := typeOf(e)
			if !slice {
				return nil, fmt.Errorf("cannot store a %T within a %T", e, v)
			}
			var err error
			if b, err = appendArray(b, typ, e); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return binary.Append(b, le, slice)
}
