package quant

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

// typeNamed returns the type of that name.
func typeNamed(t *testing.T, name string) tensor.DType {
	t.Helper()
	for i := range tensor.DType(64) {
		if i.String() == name {
			return i
		}
	}
	t.Fatalf("no type %q", name)
	return 0
}

// TestDecodeRows decodes the golden rows, bit for bit: testdata/TYPE.blocks are
// the first four rows of a tensor as a file holds them, TYPE.f32 their values.
func TestDecodeRows(t *testing.T) {
	files, err := filepath.Glob("testdata/*.blocks")
	if err != nil || len(files) < len(decoders)+2 {
		t.Fatalf("%d golden rows, %v", len(files), err)
	}
	seen := map[tensor.DType]bool{}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".blocks")
		typ := typeNamed(t, name)
		seen[typ] = true
		blocks, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(strings.TrimSuffix(path, ".blocks") + ".f32")
		if err != nil {
			t.Fatal(err)
		}
		want, got := make([]float32, len(raw)/4), make([]float32, len(raw)/4)
		tensor.F32FromBytes(want, raw)
		if err := Decode(got, typ, blocks); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: element %d is %g, want %g", name, i, got[i], want[i])
				break
			}
		}
	}
	for typ := range decoders {
		if !seen[typ] {
			t.Errorf("no golden rows of %v", typ)
		}
	}
}

// TestDecodeAnyBits: every pattern of bits is a number, and blocks are taken one
// after the other.
func TestDecodeAnyBits(t *testing.T) {
	for typ := range decoders {
		n, size, _ := typ.Block()
		src := make([]byte, 3*size)
		for i := range src {
			src[i] = byte(i*37 + i>>3)
		}
		for i := range 3 { // scales must be finite: zero their upper bytes' top bits
			for j := range size {
				src[i*size+j] &= 0x3f
			}
		}
		all, one := make([]float32, 3*n), make([]float32, n)
		if err := Decode(all, typ, src); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := Decode(one, typ, src[i*size:]); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(one, all[i*n:(i+1)*n]) {
				t.Errorf("%v: block %d differs alone", typ, i)
			}
		}
		for i, v := range all {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Errorf("%v: element %d is %g", typ, i, v)
			}
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	if err := Decode(make([]float32, 33), tensor.Q8_0, make([]byte, 68)); err == nil || !strings.Contains(err.Error(), "whole blocks") {
		t.Errorf("33 elements: %v", err)
	}
	if err := Decode(make([]float32, 256), tensor.IQ1_S, make([]byte, 50)); err == nil || !strings.Contains(err.Error(), "IQ1_S") {
		t.Errorf("IQ1_S: %v", err)
	}
	if Supported(tensor.IQ1_S) || !Supported(tensor.Q4_K) || !Supported(tensor.BF16) {
		t.Error("Supported")
	}
}
