package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

func sample(t testing.TB) []byte {
	t.Helper()
	w := NewWriter()
	w.Set("general.architecture", "test")
	w.Set("a.u32", uint32(7))
	w.Set("a.u64", uint64(1)<<40)
	w.Set("a.i32", int32(-3))
	w.Set("a.f32", float32(1.5))
	w.Set("a.bool", true)
	w.Set("a.strings", []string{"x", "", "long string"})
	w.Set("a.ints", []int32{1, -2, 3})
	w.Set("a.uints", []uint32{1, 2})
	w.Set("a.floats", []float32{0.5, -0.5})
	w.Add("m", tensor.F32, []int{2, 3}, tensor.F32Bytes([]float32{1, 2, 3, 4, 5, 6}))
	w.Add("v", tensor.BF16, []int{5}, tensor.BF16Bytes([]float32{1, 2, 3, 4, 5}))
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, sample(t), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, want := range map[string]any{
		"general.architecture": "test", "a.u32": uint32(7), "a.u64": uint64(1) << 40, "a.i32": int32(-3),
		"a.f32": float32(1.5), "a.bool": true, "a.strings": []string{"x", "", "long string"},
		"a.ints": []int32{1, -2, 3}, "a.uints": []uint32{1, 2}, "a.floats": []float32{0.5, -0.5},
	} {
		if got := f.Meta.Value(key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	m, err := f.Tensor("m")
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 6)
	tensor.F32FromBytes(x, m.Data)
	if !reflect.DeepEqual(m.Shape, []int{2, 3}) || x[5] != 6 {
		t.Errorf("tensor m has shape %v and ends in %g", m.Shape, x[5])
	}
	if v, err := f.Tensor("v"); err != nil || len(v.Data) != 10 {
		t.Errorf("tensor v: %v", err)
	}
	if _, err := f.Tensor("nope"); err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("missing tensor: %v", err)
	}
	if _, err := f.Meta.Uint32("a.i32"); err == nil {
		t.Error("−3 was read as a Uint32")
	}
	if _, err := f.Meta.String("a.u32"); err == nil || !strings.Contains(err.Error(), "a.u32") {
		t.Errorf("number as string: %v", err)
	}
}

// TestTruncated cuts the file everywhere: always an error with an offset in
// what is left.
func TestTruncated(t *testing.T) {
	whole := sample(t)
	// The last tensor ends 10 bytes into its padded 32.
	for n := range len(whole) - 22 {
		_, err := Parse(whole[:n:n], "cut.gguf")
		var fe *FormatError
		if !errors.As(err, &fe) {
			t.Fatalf("cut to %d bytes: error %v", n, err)
		}
		if fe.Offset > int64(n) || !strings.Contains(err.Error(), "cut.gguf") {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

func TestBroken(t *testing.T) {
	whole := sample(t)
	le := binary.LittleEndian
	at := func(needle string) int {
		i := bytes.Index(whole, []byte(needle))
		if i < 0 {
			t.Fatalf("no %q in the sample", needle)
		}
		return i
	}
	// A tensor's header: name length, name, dimensions, shape, type, offset.
	m := at("m\x02\x00\x00\x00\x03") + 1
	v := at("v\x01\x00\x00\x00\x05") + 1
	for name, c := range map[string]struct {
		change func(b []byte)
		says   string
	}{
		"magic":          {func(b []byte) { copy(b, "XXXX") }, "XXXX"},
		"version 1":      {func(b []byte) { b[4] = 1 }, "version is 1"},
		"big-endian":     {func(b []byte) { copy(b[4:], []byte{0, 0, 0, 3}) }, "version"},
		"tensor count":   {func(b []byte) { le.PutUint64(b[8:], 1<<60) }, "tensor count"},
		"metadata count": {func(b []byte) { le.PutUint64(b[16:], 1<<62) }, "metadata count"},
		"string length":  {func(b []byte) { le.PutUint64(b[24:], 1<<63) }, "metadata key"},
		"array length":   {func(b []byte) { le.PutUint64(b[at("a.strings")+9+8:], 1<<40) }, "a.strings"},
		"value type":     {func(b []byte) { b[at("a.u32")+5] = 77 }, "77"},
		"boolean":        {func(b []byte) { b[at("a.bool")+6+4] = 2 }, "boolean"},
		"same key":       {func(b []byte) { copy(b[at("a.u64"):], "a.u32") }, "twice"},
		"same tensor":    {func(b []byte) { b[v-1] = 'm' }, "twice"},
		"dimensions":     {func(b []byte) { b[m] = 200 }, "dimensions"},
		"zero dimension": {func(b []byte) { le.PutUint64(b[m+4:], 0) }, "dimension"},
		"overflow":       {func(b []byte) { le.PutUint64(b[m+4:], 1<<62); le.PutUint64(b[m+12:], 1<<62) }, "dimension"},
		"tensor type":    {func(b []byte) { b[m+20] = 5 }, "unknown type"},
		"block":          {func(b []byte) { b[m+20] = byte(tensor.Q8_0) }, "whole blocks"},
		"alignment":      {func(b []byte) { b[v+4+8+4] = 3 }, "multiple of"},
		"data offset":    {func(b []byte) { le.PutUint64(b[v+4+8+4:], 1<<40) }, "complete"},
		"overlap":        {func(b []byte) { le.PutUint64(b[v+4+8+4:], 0) }, "within that of tensor"},
		"offset wraps":   {func(b []byte) { le.PutUint64(b[v+4+8+4:], ^uint64(31)) }, "complete"},
	} {
		b := bytes.Clone(whole)
		c.change(b)
		_, err := Parse(b, "broken.gguf")
		var fe *FormatError
		if !errors.As(err, &fe) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
	}
	for name, path := range map[string]string{"missing": "nope.gguf", "folder": t.TempDir()} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriterErrors(t *testing.T) {
	w := NewWriter()
	w.Set("k", uint32(1))
	w.Set("k", uint32(2))
	w.Set("bad", struct{}{})
	w.Add("t", tensor.F32, []int{3}, make([]byte, 8))
	path := filepath.Join(t.TempDir(), "w.gguf")
	err := w.WriteFile(path)
	for _, s := range []string{"twice", "struct", "8 bytes"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("error %v does not mention %q", err, s)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 0 {
		t.Errorf("a failed write left %v", left)
	}
}

// TestWriterShapes refuses what the reader would.
func TestWriterShapes(t *testing.T) {
	for name, add := range map[string]func(w *Writer){
		"zero":        func(w *Writer) { w.Add("t", tensor.F32, []int{0, 4}, nil) },
		"negative":    func(w *Writer) { w.Add("t", tensor.F32, []int{-1, -4}, make([]byte, 16)) },
		"nine":        func(w *Writer) { w.Add("t", tensor.F32, []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, make([]byte, 4)) },
		"split block": func(w *Writer) { w.Add("t", tensor.Q8_0, []int{2, 16}, make([]byte, 34)) },
		"type":        func(w *Writer) { w.Add("t", tensor.DType(5), []int{1}, make([]byte, 4)) },
	} {
		w := NewWriter()
		add(w)
		if _, err := w.WriteTo(new(bytes.Buffer)); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.gguf")
	for _, n := range []uint32{1, 2} { // the second replaces the first
		w := NewWriter()
		w.Set("n", n)
		w.Add("t", tensor.Q8_0, []int{3, 2, 64}, bytes.Repeat([]byte{byte(n)}, 3*2*2*34))
		if err := w.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Meta.Uint32("n")
		x, err2 := f.Tensor("t")
		if err != nil || err2 != nil || got != n || !reflect.DeepEqual(x.Shape, []int{3, 2, 64}) || x.Data[407] != byte(n) {
			t.Errorf("read %d, %v, %v; want %d", got, err, err2, n)
		}
		if err := errors.Join(f.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
		t.Errorf("writing left %v", left)
	}
}

// TestWriteFunc makes data while writing, and fails where it is too much, too
// little or cannot be made; nothing is left then.
func TestWriteFunc(t *testing.T) {
	broken := errors.New("broken")
	path := filepath.Join(t.TempDir(), "w.gguf")
	for says, write := range map[string]func(io.Writer) error{
		"":           func(out io.Writer) error { _, err := out.Write(tensor.F32Bytes([]float32{1, 2})); return err },
		"7 bytes":    func(out io.Writer) error { _, err := out.Write(make([]byte, 7)); return err },
		"9 bytes":    func(out io.Writer) error { _, err := out.Write(make([]byte, 9)); return err },
		"w.gguf: br": func(io.Writer) error { return broken },
	} {
		w := NewWriter()
		w.Add("before", tensor.F32, []int{1}, make([]byte, 4))
		w.AddFunc("made", tensor.F32, []int{2}, write)
		w.Add("after", tensor.F32, []int{1}, tensor.F32Bytes([]float32{3}))
		err := w.WriteFile(path)
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if says != "" {
			if err == nil || !strings.Contains(err.Error(), says) || errors.Is(err, broken) != (says == "w.gguf: br") || len(left) > 0 {
				t.Errorf("want %q, got %v, left %v", says, err, left)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		made, err := f.Tensor("made")
		after, err2 := f.Tensor("after")
		if err != nil || err2 != nil || !bytes.Equal(made.Data, tensor.F32Bytes([]float32{1, 2})) || !bytes.Equal(after.Data, tensor.F32Bytes([]float32{3})) {
			t.Errorf("read %v %v, %v %v", made, err, after, err2)
		}
		if st, err := os.Stat(path); err != nil || st.Size() != f.Size {
			t.Errorf("size is %d, %v", f.Size, err)
		}
		if err := errors.Join(f.Close(), os.Remove(path)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMetaRoundTrip writes every type that the reader reads.
func TestMetaRoundTrip(t *testing.T) {
	values := map[string]any{
		"u8": uint8(1), "i8": int8(-1), "u16": uint16(2), "i16": int16(-2), "u32": uint32(3), "i32": int32(-3), "u64": uint64(4), "i64": int64(-4),
		"f32": float32(0.5), "f64": 0.25, "false": false, "true": true, "s": "text", "empty": "",
		"u8s": []uint8{1}, "i8s": []int8{-1}, "u16s": []uint16{2, 3}, "i16s": []int16{-2}, "u32s": []uint32{3}, "i32s": []int32{-3},
		"u64s": []uint64{4}, "i64s": []int64{-4}, "f32s": []float32{0.5, 1}, "f64s": []float64{0.25}, "bools": []bool{true, false},
		"ss": []string{"a", ""}, "none": []string{}, "nested": []any{[]uint8{1}, []string{"x"}, []any{[]bool{true}}}, "no lists": []any{},
	}
	w := NewWriter()
	for k, v := range values {
		w.Set(k, v)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	f, err := Parse(b.Bytes(), "meta.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Meta.Keys(); len(got) != len(values) {
		t.Errorf("keys %q", got)
	}
	for k, v := range values {
		if got := f.Meta.Value(k); !reflect.DeepEqual(got, v) {
			t.Errorf("%s: %T %v became %T %v", k, v, v, got, got)
		}
	}
	for _, bad := range []any{nil, 1, []int{1}, []any{1}, []any{uint8(1)}, []any{[]any{"x"}}} {
		w := NewWriter()
		w.Set("bad", bad)
		if _, err := w.WriteTo(new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "cannot store") {
			t.Errorf("%T: %v", bad, err)
		}
	}
}

func TestVersion2(t *testing.T) {
	b := sample(t)
	b[4] = 2
	f, err := Parse(b, "v2.gguf")
	if err != nil || f.Version != 2 || len(f.Tensors) != 2 {
		t.Errorf("version 2: %v", err)
	}
}

// TestArrays reads the element types that the writer does not write.
func TestArrays(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		typ   uint32
		n     uint64
		bytes string
		want  any
		ints  []int
	}{
		{typeU8, 2, "\x01\xff", []uint8{1, 255}, []int{1, 255}},
		{typeI8, 2, "\x01\xff", []int8{1, -1}, []int{1, -1}},
		{typeU16, 1, "\xff\xff", []uint16{65535}, []int{65535}},
		{typeI16, 1, "\xfe\xff", []int16{-2}, []int{-2}},
		{typeBool, 2, "\x01\x00", []bool{true, false}, nil},
		{typeU64, 1, "\x07\x00\x00\x00\x00\x00\x00\x00", []uint64{7}, []int{7}},
		{typeU64, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", []uint64{1<<64 - 1}, nil},
		{typeI64, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", []int64{-1}, []int{-1}},
		{typeF64, 1, "\x00\x00\x00\x00\x00\x00\xf0\x3f", []float64{1}, nil},
		{typeArray, 1, "\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x09", []any{[]uint8{9}}, nil},
	} {
		b := append([]byte("GGUF\x03\x00\x00\x00"), make([]byte, 16)...)
		b[16] = 1
		b = le.AppendUint32(appendString(b, "k"), typeArray)
		b = append(le.AppendUint64(le.AppendUint32(b, c.typ), c.n), c.bytes...)
		f, err := Parse(append(b, make([]byte, 32)...), "arrays.gguf")
		if err != nil {
			t.Errorf("%T: %v", c.want, err)
			continue
		}
		if got := f.Meta.Value("k"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
		if ints, err := f.Meta.Ints("k"); !reflect.DeepEqual(ints, c.ints) || (err == nil) != (c.ints != nil) {
			t.Errorf("%T as ints: %v, %v", c.want, ints, err)
		}
	}
}

// TestHostileCounts checks that no count makes the reader take memory that the
// file could not fill.
func TestHostileCounts(t *testing.T) {
	whole := sample(t)
	for i := 8; i+8 <= len(whole); i++ {
		b := bytes.Clone(whole)
		binary.LittleEndian.PutUint64(b[i:], 1<<33)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = Parse(b, "hostile.gguf") // some of these bytes are free to be anything
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10+uint64(16*len(whole)) {
			t.Fatalf("2³³ at offset %d: %d bytes taken for a file of %d", i, n, len(whole))
		}
	}
}

// TestGoldens opens every golden model and vocabulary, and checks that the
// tensors' sizes follow from their shapes and types.
func TestGoldens(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/goldens/*/*.gguf")
	if len(files) == 0 {
		t.Skip("no golden models in ../../../shared/goldens beside this checkout")
	}
	for _, path := range files {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if arch, err := f.Meta.String("general.architecture"); err != nil || arch == "" {
			t.Errorf("%s: architecture: %v", path, err)
		}
		if len(f.Tensors) == 0 && !strings.Contains(path, "vocab") {
			t.Errorf("%s: no tensors", path)
		}
		for _, x := range f.Tensors {
			n := 1
			for _, d := range x.Shape {
				n *= d
			}
			if e, b, _ := x.Type.Block(); len(x.Data) != n/e*b {
				t.Errorf("%s: tensor %s has %d bytes, shape %v of %v", path, x.Name, len(x.Data), x.Shape, x.Type)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Parse(b, "fuzz")
		if err != nil {
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("error without an offset: %v", err)
			}
			return
		}
		for _, x := range g.Tensors {
			if _, err := g.Tensor(x.Name); err != nil {
				t.Fatal(err)
			}
		}
	})
}
