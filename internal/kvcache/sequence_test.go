package kvcache

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var formats = []Format{F16, F32, Q8}

// filled returns a sequence of n random tokens, with its keys and values.
func filled(shapes []LayerShape, f Format, n int) (s *Sequence, k, v [][]float32) {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	s = NewSequence(shapes, f)
	for _, sh := range shapes {
		x, y := make([]float32, n*sh.Heads*sh.Dim), make([]float32, n*sh.Heads*sh.Dim)
		for i := range x {
			x[i], y[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		}
		k, v = append(k, x), append(v, y)
	}
	for from := 0; from < n; {
		to := min(n, from+1+r.IntN(700))
		for i, sh := range shapes {
			if w := sh.Heads * sh.Dim; w > 0 {
				s.Layer(i).Append(k[i][from*w:to*w], v[i][from*w:to*w])
			}
		}
		s.Advance(to - from)
		from = to
	}
	return s, k, v
}

// check compares what products with a layer's pages give with products of the keys
// and values that were appended, from token first on.
func check(t *testing.T, s *Sequence, layer int, k, v []float32, first int) {
	t.Helper()
	l := s.Layer(layer)
	tolerance := map[Format]float64{F16: 2e-3, F32: 1e-5, Q8: 3e-2}[s.Format()]
	r := rand.New(rand.NewPCG(3, 4))
	const rows = 3
	q := make([]float32, rows*l.Dim)
	for i := range q {
		q[i] = float32(r.NormFloat64())
	}
	var buf []float32
	for p := first / PageTokens; p*PageTokens < l.Len(); p++ {
		n := min(PageTokens, l.Len()-p*PageTokens)
		for h := range l.Heads {
			got := make([]float32, rows*n)
			l.Scores(&buf, got, n, q, rows, h, p, n)
			sums, want := make([]float32, rows*l.Dim), make([]float64, rows*l.Dim)
			w := make([]float32, rows*n)
			for i := range w {
				w[i] = r.Float32() / float32(n)
			}
			l.Values(&buf, sums, w, n, rows, h, p, n)
			for i := range rows {
				for j := range n {
					at := ((p*PageTokens+j)*l.Heads + h) * l.Dim
					dot := 0.0
					for d := range l.Dim {
						dot += float64(q[i*l.Dim+d]) * float64(k[at+d])
						want[i*l.Dim+d] += float64(w[i*n+j]) * float64(v[at+d])
					}
					if math.Abs(dot-float64(got[i*n+j])) > tolerance*math.Sqrt(float64(l.Dim))*3 {
						t.Fatalf("%v layer %d head %d page %d: score (%d,%d) is %v, want %v", s.Format(), layer, h, p, i, j, got[i*n+j], dot)
					}
				}
			}
			for i := range want {
				if math.Abs(want[i]-float64(sums[i])) > tolerance {
					t.Fatalf("%v layer %d head %d page %d: value %d is %v, want %v", s.Format(), layer, h, p, i, sums[i], want[i])
				}
			}
		}
	}
}

var testShapes = []LayerShape{{Heads: 2, Dim: 40}, {}, {Heads: 1, Dim: 64, Window: 300}}

func TestSequence(t *testing.T) {
	for _, f := range formats {
		s, k, v := filled(testShapes, f, 2600)
		check(t, s, 0, k[0], v[0], 0)
		check(t, s, 2, k[2], v[2], 2300)
		if l := s.Layer(2); len(l.pages) != 1 || l.first != 2 {
			t.Errorf("%v: a layer with a window of 300 keeps %d pages from %d of 2600 tokens", f, len(l.pages), l.first)
		}
		if got, want := s.Bytes(), SequenceBytes(testShapes, f, 2600); got > want {
			t.Errorf("%v: %d bytes, estimated %d", f, got, want)
		}
	}
}

// A clone and the original go on apart, whichever is cut or appended to.
func TestSequenceClone(t *testing.T) {
	for _, f := range formats {
		s, k, v := filled(testShapes[:1], f, 1500)
		c := s.Clone()
		if !c.Truncate(1200) {
			t.Fatal("a layer without a window was not cut")
		}
		w := testShapes[0].Heads * testShapes[0].Dim
		other := make([]float32, 100*w)
		for i := range other {
			other[i] = float32(i%7) - 3
		}
		c.Layer(0).Append(other, other)
		c.Advance(100)
		check(t, s, 0, k[0], v[0], 0)
		check(t, c, 0, append(slices.Clone(k[0][:1200*w]), other...), append(slices.Clone(v[0][:1200*w]), other...), 0)
		s.Layer(0).Append(other, other)
		s.Advance(100)
		check(t, s, 0, append(slices.Clone(k[0]), other...), append(slices.Clone(v[0]), other...), 0)
	}
	s, _, _ := filled(testShapes, F16, 2600)
	if s.Truncate(1000) || s.Len() != 2600 {
		t.Error("a layer that has forgotten what comes before token 1000 was cut to it")
	}
	if !s.Truncate(2500) || s.Len() != 2500 {
		t.Error("a layer with a window was not cut within it")
	}
}

func TestSequencePages(t *testing.T) {
	for _, f := range formats {
		dir := t.TempDir()
		s, k, v := filled(testShapes, f, 2600)
		if full, err := s.SavePages(dir, 0); err != nil || full != 2048 {
			t.Fatalf("%d tokens in full pages: %v", full, err)
		}
		for _, n := range []int{2600, 9999, 2100, 1500} {
			c := NewSequence(testShapes, f)
			held, release, err := c.LoadPages(dir, n)
			if err != nil || held != min(n, 2600) {
				t.Fatalf("%v: %d of %d tokens: %v", f, held, n, err)
			}
			check(t, c, 0, k[0], v[0], 0)
			if n >= 2600 {
				check(t, c, 2, k[2], v[2], 2300)
			}
			// What is appended does not go to the file.
			w := testShapes[0].Heads * testShapes[0].Dim
			c.Layer(0).Append(k[0][:w], v[0][:w])
			c.Layer(2).Append(k[2][:64], v[2][:64])
			c.Advance(1)
			if err := release(); err != nil {
				t.Fatal(err)
			}
		}
		c := NewSequence(testShapes, f)
		if held, release, err := c.LoadPages(dir, 2600); err != nil || held != 2600 {
			t.Errorf("%v: after appending, %d tokens: %v", f, held, err)
		} else if err := release(); err != nil {
			t.Error(err)
		}
	}
}

func TestSequencePagesDamaged(t *testing.T) {
	s, _, _ := filled(testShapes[:1], F16, 1100)
	good := t.TempDir()
	if _, err := s.SavePages(good, 0); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(filepath.Join(good, pageName(0)))
	if err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(b []byte) []byte{
		"not a page":   func(b []byte) []byte { b[0] = 'X'; return b },
		"version 1":    func(b []byte) []byte { b[8] = 9; return b },
		"in format 1":  func(b []byte) []byte { b[12] = 1; return b },
		"0 tokens":     func(b []byte) []byte { b[16], b[17] = 0, 0; return b },
		"checksum":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a page of th": func(b []byte) []byte { return b[:len(b)-10] },
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, pageName(0)), change(slices.Clone(first)), 0o666); err != nil {
			t.Fatal(err)
		}
		_, _, err := NewSequence(testShapes[:1], F16).LoadPages(dir, 1100)
		var format *FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), pageName(0)) {
			t.Errorf("want an error that says %q: %v", says, err)
		}
	}
	c := NewSequence(testShapes[:1], F16)
	if held, _, err := c.LoadPages(t.TempDir(), 1100); err != nil || held != 0 {
		t.Errorf("from an empty directory %d tokens: %v", held, err)
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range formats {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("%v came back as %v: %v", f, got, err)
		}
	}
	if _, err := ParseFormat("q4_0"); err == nil {
		t.Error("q4_0 is a format")
	}
}
