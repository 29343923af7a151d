package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/handscroll/handscroll/internal/disk"
	"github.com/handscroll/handscroll/internal/tensor"
)

const (
	magic            = "GGUF"
	defaultAlignment = 32
	maxDims          = 8
	maxDepth         = 4 // of arrays within arrays
)

// FormatError is a malformed file.
type FormatError struct {
	File   string
	Offset int64
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("gguf: %s: offset %d: %s", e.File, e.Offset, e.Reason)
}

// Tensor is one stored tensor.
type Tensor struct {
	Name  string
	Shape []int // outermost first: a matrix is [rows, columns]
	Type  tensor.DType
	Data  []byte // in the mapped file
}

// File is an open GGUF file, or all parts of a split one.
type File struct {
	Name    string
	Version uint32
	Size    int64     // bytes, of all parts
	Meta    Meta      // of the first part
	Tensors []*Tensor // of all parts

	byName map[string]*Tensor
	unmap  []func() error
}

// Open maps and parses the file at path. The first part of a split model
// (NAME-00001-of-00003.gguf) opens all.
func Open(path string) (*File, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	if err := f.join(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// openFile maps and parses one file.
func openFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("gguf: %s: %w", path, err)
	}
	data, unmap, err := disk.Map(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	g, err := Parse(data, path)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	g.unmap = []func() error{unmap}
	return g, nil
}

// Close unmaps the file; tensors' Data must not be used after it.
func (f *File) Close() error {
	var errs []error
	for _, u := range f.unmap {
		errs = append(errs, u())
	}
	f.unmap = nil
	return errors.Join(errs...)
}

// Has says whether the file has a tensor of that name.
func (f *File) Has(name string) bool { return f.byName[name] != nil }

// Tensor returns the named tensor.
func (f *File) Tensor(name string) (*Tensor, error) {
	t := f.byName[name]
	if t == nil {
		return nil, fmt.Errorf("gguf: %s: no tensor %q", f.Name, name)
	}
	return t, nil
}

// Parse reads one file from memory, and no other parts; name is used in errors.
func Parse(data []byte, name string) (*File, error) {
	r := &reader{data: data}
	f := &File{Name: name, Size: int64(len(data)), Meta: Meta{file: name, values: map[string]any{}}, byName: map[string]*Tensor{}}
	if err := r.parse(f); err != nil {
		return nil, &FormatError{File: name, Offset: err.off, Reason: err.reason}
	}
	return f, nil
}

// failure is thrown within the reader and never leaves it.
type failure struct {
	off    int64
	reason string
}

type reader struct {
	data []byte
	off  int
}

func (r *reader) fail(off int, format string, args ...any) {
	panic(&failure{int64(off), fmt.Sprintf(format, args...)})
}

func (r *reader) parse(f *File) (err *failure) {
	defer func() {
		if p := recover(); p != nil {
			fl, ok := p.(*failure)
			if !ok {
				panic(p)
			}
			err = fl
		}
	}()
	if got := r.bytes(4, "magic"); string(got) != magic {
		r.fail(0, "magic is %q, want %q: not a GGUF file", got, magic)
	}
	f.Version = r.u32("version")
	if f.Version != 2 && f.Version != 3 {
		r.fail(4, "version is %d, want 2 or 3 (little-endian)", f.Version)
	}
	tensors := r.count("tensor count", 4+8+4)
	pairs := r.count("metadata count", 8+4+1)
	for range pairs {
		at := r.off
		key := r.str("metadata key")
		if _, dup := f.Meta.values[key]; dup {
			r.fail(at, "metadata key %q occurs twice", key)
		}
		f.Meta.values[key] = r.value(r.u32("type of "+key), key, 0)
	}
	infos := make([]info, 0, tensors)
	for range tensors {
		infos = append(infos, r.info(f))
	}
	r.locate(f, infos)
	return nil
}

// info is a tensor's header, and where in the file it stands.
type info struct {
	t    *Tensor
	at   int
	off  uint64
	size uint64
}

func (r *reader) info(f *File) info {
	at := r.off
	t := &Tensor{Name: r.str("tensor name")}
	if f.byName[t.Name] != nil {
		r.fail(at, "tensor %q occurs twice", t.Name)
	}
	dims := r.u32("dimensions")
	if dims > maxDims {
		r.fail(r.off-4, "tensor %q has %d dimensions, want at most %d", t.Name, dims, maxDims)
	}
	t.Shape = make([]int, dims)
	n := uint64(1)
	for i := range t.Shape {
		d := r.u64("dimension")
		// A tensor cannot have more elements than the file has bits for.
		if d == 0 || n > uint64(len(r.data))*16/d {
			r.fail(r.off-8, "tensor %q: dimension %d is %d: not possible in a file of %d bytes", t.Name, i, d, len(r.data))
		}
		n *= d
		t.Shape[len(t.Shape)-1-i] = int(d)
	}
	t.Type = tensor.DType(r.u32("tensor type"))
	elements, bytes, ok := t.Type.Block()
	if !ok {
		r.fail(r.off-4, "tensor %q has unknown %v", t.Name, t.Type)
	}
	row := uint64(1)
	if dims > 0 {
		row = uint64(t.Shape[dims-1])
	}
	if row%uint64(elements) != 0 {
		r.fail(r.off-4, "tensor %q: rows of %d elements are not whole blocks of %d (%v)", t.Name, row, elements, t.Type)
	}
	f.Tensors = append(f.Tensors, t)
	f.byName[t.Name] = t
	x := info{t: t, at: at, size: n / uint64(elements) * uint64(bytes)}
	x.off = r.u64("tensor offset")
	return x
}

// locate finds the tensors' data.
func (r *reader) locate(f *File, infos []info) {
	align := uint64(defaultAlignment)
	if f.Meta.Has("general.alignment") {
		a, err := f.Meta.Uint32("general.alignment")
		if err != nil || a == 0 || a > 1<<20 {
			r.fail(r.off, "general.alignment is not a number from 1 to 2²⁰")
		}
		align = uint64(a)
	}
	base := (uint64(r.off) + align - 1) / align * align
	for _, x := range infos {
		if x.off%align != 0 {
			r.fail(x.at, "tensor %q: data offset %d is not a multiple of %d", x.t.Name, x.off, align)
		}
		if size := uint64(len(r.data)); base > size || x.off > size-base || x.size > size-base-x.off {
			r.fail(x.at, "tensor %q: data at %d to %d, but the file ends at %d: is it complete?", x.t.Name, base+x.off, base+x.off+x.size, size)
		}
		a := base + x.off
		x.t.Data = r.data[a : a+x.size : a+x.size]
	}
	// Overlapping tensors could claim the file's size many times over.
	slices.SortFunc(infos, func(a, b info) int { return cmp.Compare(a.off, b.off) })
	for i := 1; i < len(infos); i++ {
		if a, b := infos[i-1], infos[i]; b.off < a.off+a.size {
			r.fail(b.at, "tensor %q: data at %d, within that of tensor %q", b.t.Name, base+b.off, a.t.Name)
		}
	}
}

func (r *reader) bytes(n int, what string) []byte {
	if n > len(r.data)-r.off {
		r.fail(r.off, "the file ends within %s", what)
	}
	b := r.data[r.off : r.off+n]
	r.off += n
	return b
}

func (r *reader) u32(what string) uint32 { return binary.LittleEndian.Uint32(r.bytes(4, what)) }
func (r *reader) u64(what string) uint64 { return binary.LittleEndian.Uint64(r.bytes(8, what)) }

// count reads a number of things that take at least least bytes each.
func (r *reader) count(what string, least int) int {
	n := r.u64(what)
	if n > uint64((len(r.data)-r.off)/least) {
		r.fail(r.off-8, "%s is %d: more than the rest of the file holds", what, n)
	}
	return int(n)
}

func (r *reader) str(what string) string {
	n := r.count("length of "+what, 1)
	return string(r.bytes(n, what))
}

// The types of metadata values.
const (
	typeU8 uint32 = iota
	typeI8
	typeU16
	typeI16
	typeU32
	typeI32
	typeF32
	typeBool
	typeString
	typeArray
	typeU64
	typeI64
	typeF64
)

// widths are the bytes of a value of each type; strings and arrays have at
// least a length.
var widths = [...]int{typeU8: 1, typeI8: 1, typeU16: 2, typeI16: 2, typeU32: 4, typeI32: 4, typeF32: 4, typeBool: 1, typeString: 8, typeArray: 12, typeU64: 8, typeI64: 8, typeF64: 8}

func (r *reader) value(typ uint32, key string, depth int) any {
	if int(typ) >= len(widths) {
		r.fail(r.off-4, "metadata %q has unknown value type %d", key, typ)
	}
	switch typ {
	case typeString:
		return r.str(key)
	case typeArray:
		return r.array(key, depth)
	}
	b := r.bytes(widths[typ], "metadata "+key)
	le := binary.LittleEndian
	switch typ {
	case typeU8:
		return b[0]
	case typeI8:
		return int8(b[0])
	case typeU16:
		return le.Uint16(b)
	case typeI16:
		return int16(le.Uint16(b))
	case typeU32:
		return le.Uint32(b)
	case typeI32:
		return int32(le.Uint32(b))
	case typeF32:
		return math.Float32frombits(le.Uint32(b))
	case typeBool:
		if b[0] > 1 {
			r.fail(r.off-1, "metadata %q: boolean is %d, want 0 or 1", key, b[0])
		}
		return b[0] == 1
	case typeU64:
		return le.Uint64(b)
	case typeI64:
		return int64(le.Uint64(b))
	default:
		return math.Float64frombits(le.Uint64(b))
	}
}

// array reads an array into a slice of its elements' type, arrays of arrays into
// []any.
func (r *reader) array(key string, depth int) any {
	typ := r.u32("element type of " + key)
	if int(typ) >= len(widths) {
		r.fail(r.off-4, "metadata %q has unknown element type %d", key, typ)
	}
	if depth == maxDepth {
		r.fail(r.off-4, "metadata %q: arrays nested deeper than %d", key, maxDepth)
	}
	n := r.count("length of "+key, widths[typ])
	switch typ {
	case typeU8:
		return each[uint8](r, n, typ, key, depth)
	case typeI8:
		return each[int8](r, n, typ, key, depth)
	case typeU16:
		return each[uint16](r, n, typ, key, depth)
	case typeI16:
		return each[int16](r, n, typ, key, depth)
	case typeU32:
		return each[uint32](r, n, typ, key, depth)
	case typeI32:
		return each[int32](r, n, typ, key, depth)
	case typeF32:
		return each[float32](r, n, typ, key, depth)
	case typeBool:
		return each[bool](r, n, typ, key, depth)
	case typeString:
		return each[string](r, n, typ, key, depth)
	case typeU64:
		return each[uint64](r, n, typ, key, depth)
	case typeI64:
		return each[int64](r, n, typ, key, depth)
	case typeF64:
		return each[float64](r, n, typ, key, depth)
	}
	return each[any](r, n, typ, key, depth)
}

func each[T any](r *reader, n int, typ uint32, key string, depth int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = r.value(typ, key, depth+1).(T)
	}
	return s
}
