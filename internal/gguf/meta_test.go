package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

// TestGetters: a getter takes every type that holds the value exactly, and its
// error names the key and what is there.
func TestGetters(t *testing.T) {
	m := Meta{file: "x.gguf", values: map[string]any{
		"u8": uint8(200), "u16": uint16(65535), "u32": uint32(7), "u64": uint64(math.MaxUint64), "big": uint64(1) << 32,
		"i8": int8(1), "i16": int16(-1), "i32": int32(9), "i64": int64(-5),
		"f32": float32(0.5), "f64": 0.25, "bool": true, "s": "text",
		"strings": []string{"a", "b"}, "floats": []float32{1, 2},
	}}
	get := map[string]func(string) (any, error){
		"Uint64":   func(k string) (any, error) { return m.Uint64(k) },
		"Uint32":   func(k string) (any, error) { return m.Uint32(k) },
		"Float32":  func(k string) (any, error) { return m.Float32(k) },
		"Bool":     func(k string) (any, error) { return m.Bool(k) },
		"String":   func(k string) (any, error) { return m.String(k) },
		"Strings":  func(k string) (any, error) { return m.Strings(k) },
		"Float32s": func(k string) (any, error) { return m.Float32s(k) },
		"Ints":     func(k string) (any, error) { return m.Ints(k) },
	}
	for _, c := range []struct {
		getter, key string
		want        any // nil: an error
	}{
		{"Uint64", "u8", uint64(200)}, {"Uint64", "u16", uint64(65535)}, {"Uint64", "u64", uint64(math.MaxUint64)},
		{"Uint64", "i8", uint64(1)}, {"Uint64", "i16", nil}, {"Uint64", "i64", nil}, {"Uint64", "f32", nil}, {"Uint64", "none", nil},
		{"Uint32", "u32", uint32(7)}, {"Uint32", "i32", uint32(9)}, {"Uint32", "big", nil}, {"Uint32", "u64", nil},
		{"Float32", "f32", float32(0.5)}, {"Float32", "f64", float32(0.25)}, {"Float32", "u32", nil},
		{"Bool", "bool", true}, {"Bool", "u8", nil}, {"String", "s", "text"}, {"String", "strings", nil},
		{"Strings", "strings", []string{"a", "b"}}, {"Strings", "s", nil},
		{"Float32s", "floats", []float32{1, 2}}, {"Float32s", "strings", nil}, {"Ints", "floats", nil},
	} {
		got, err := get[c.getter](c.key)
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), `"`+c.key+`"`) || !strings.Contains(err.Error(), "x.gguf") {
				t.Errorf("%s of %s: %v, error %v", c.getter, c.key, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s of %s is %v, want %v: %v", c.getter, c.key, got, c.want, err)
		}
	}
	if keys := m.Keys(); len(keys) != len(m.values) || keys[0] != "big" || !m.Has("u8") || m.Has("none") {
		t.Errorf("keys %v", keys)
	}
}

// TestAlignment reads a file aligned otherwise than by default, and refuses
// alignments that cannot be.
func TestAlignment(t *testing.T) {
	le := binary.LittleEndian
	file := func(align uint32) []byte {
		w := NewWriter()
		w.Set("general.alignment", align)
		w.Add("a", tensor.F32, []int{1}, tensor.F32Bytes([]float32{1}))
		w.Add("b", tensor.F32, []int{1}, tensor.F32Bytes([]float32{2}))
		header, err := w.header()
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(header, []byte("b\x01\x00\x00\x00")) + 1 + 4 + 8 + 4
		le.PutUint64(header[at:], uint64(align))
		if align == 0 || align > 1<<20 {
			return append(header, make([]byte, 64)...)
		}
		n := (at + 8 + int(align) - 1) / int(align) * int(align)
		data := make([]byte, n+int(align)+4)
		copy(data, header[:at+8])
		copy(data[n:], tensor.F32Bytes([]float32{1}))
		copy(data[n+int(align):], tensor.F32Bytes([]float32{2}))
		return data
	}
	for _, align := range []uint32{8, 32, 256, 4096} {
		f, err := Parse(file(align), "aligned.gguf")
		if err != nil {
			t.Errorf("alignment %d: %v", align, err)
			continue
		}
		for i, x := range f.Tensors {
			v := make([]float32, 1)
			tensor.F32FromBytes(v, x.Data)
			if v[0] != float32(i+1) {
				t.Errorf("alignment %d: tensor %d is %g", align, i, v[0])
			}
		}
	}
	for _, align := range []uint32{0, 1<<20 + 1, math.MaxUint32} {
		if _, err := Parse(file(align), "aligned.gguf"); err == nil || !strings.Contains(err.Error(), "alignment") {
			t.Errorf("alignment %d: %v", align, err)
		}
	}
}
