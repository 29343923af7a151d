package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/tensor"
)

// split is a model of three parts to be written, one tensor t0 to t2 in each.
type split struct {
	names [3]string
	parts [3]*Writer
}

// write writes the parts there are and returns the path of the first.
func (s *split) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i, w := range s.parts {
		if w != nil {
			if err := w.WriteFile(filepath.Join(dir, s.names[i])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return filepath.Join(dir, s.names[0])
}

func part(no, count uint16, total int32, tensors ...string) *Writer {
	w := NewWriter()
	w.Set("split.no", no)
	w.Set("split.count", count)
	w.Set("split.tensors.count", total)
	w.Set("general.name", fmt.Sprintf("part %d", no))
	for _, name := range tensors {
		w.Add(name, tensor.F32, []int{1}, tensor.F32Bytes([]float32{float32(no)}))
	}
	return w
}

func newSplit() *split {
	s := &split{}
	for i := range s.parts {
		s.names[i] = fmt.Sprintf("x-%05d-of-00003.gguf", i+1)
		s.parts[i] = part(uint16(i), 3, 3, fmt.Sprintf("t%d", i))
	}
	return s
}

func TestSplit(t *testing.T) {
	path := newSplit().write(t)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if name, err := f.Meta.String("general.name"); err != nil || name != "part 0" || f.Name != path {
		t.Errorf("file %s, name %q, %v", f.Name, name, err)
	}
	size := int64(0)
	for i := range 3 {
		x, err := f.Tensor(fmt.Sprintf("t%d", i))
		if err != nil || f.Tensors[i] != x {
			t.Fatal(err)
		}
		v := make([]float32, 1)
		if tensor.F32FromBytes(v, x.Data); v[0] != float32(i) {
			t.Errorf("%s is %g", x.Name, v[0])
		}
		st, err := os.Stat(strings.Replace(path, "00001", fmt.Sprintf("%05d", i+1), 1))
		if err != nil {
			t.Fatal(err)
		}
		size += st.Size()
	}
	if len(f.Tensors) != 3 || f.Size != size || f.Parts() != 3 {
		t.Errorf("%d tensors, %d bytes of %d, %d parts", len(f.Tensors), f.Size, size, f.Parts())
	}
	if err := errors.Join(f.Close(), f.Close()); err != nil {
		t.Error(err)
	}
}

// TestSplitWhole: a part may be without tensors, a further one without their
// number in all; a model of one part is a file like another, whatever its name.
func TestSplitWhole(t *testing.T) {
	s := newSplit()
	s.parts[0], s.parts[1], s.parts[2] = part(0, 3, 3), NewWriter(), part(2, 3, 3, "t0", "t1", "t2")
	s.parts[1].Set("split.no", uint16(1))
	s.parts[1].Set("split.count", uint16(3))
	for want, path := range map[int]string{
		3: s.write(t),
		1: (&split{[3]string{"one.gguf"}, [3]*Writer{part(0, 1, 1, "t")}}).write(t),
		2: (&split{[3]string{"none.gguf"}, [3]*Writer{part(0, 0, 0, "t", "u")}}).write(t),
	} {
		f, err := Open(path)
		if err != nil || len(f.Tensors) != want {
			t.Errorf("want %d tensors: %v", want, err)
			continue
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSplitBroken(t *testing.T) {
	without := func(key string) *Writer {
		w := NewWriter()
		for k, v := range map[string]any{"split.no": uint16(1), "split.count": uint16(3), "split.tensors.count": int32(3)} {
			if k != key {
				w.Set(k, v)
			}
		}
		return w
	}
	for name, c := range map[string]struct {
		change func(s *split)
		says   []string
	}{
		"missing":         {func(s *split) { s.parts[1] = nil }, []string{"x-00002-of-00003.gguf", "part 2 of 3"}},
		"no first name":   {func(s *split) { s.names[0] = "y.gguf" }, []string{"y.gguf", `"-00001-of-00003.gguf"`}},
		"not the first":   {func(s *split) { s.names[0], s.names[1] = s.names[1], s.names[0]; s.parts[0] = part(1, 3, 3) }, []string{"part 2 of the 3", "open ", "x-00001-of-00003.gguf"}},
		"renamed second":  {func(s *split) { s.names[0] = "y.gguf"; s.parts[0] = part(1, 3, 3) }, []string{"y.gguf", "open the first part"}},
		"no place":        {func(s *split) { s.parts[0] = part(5, 3, 3) }, []string{"split.no is 5"}},
		"two swapped":     {func(s *split) { s.parts[1], s.parts[2] = s.parts[2], s.parts[1] }, []string{"x-00002-of-00003.gguf", "part 3 of 3, want part 2 of 3"}},
		"other count":     {func(s *split) { s.parts[2] = part(2, 4, 3, "t2") }, []string{"x-00003-of-00003.gguf", "part 3 of 4, want part 3 of 3"}},
		"other total":     {func(s *split) { s.parts[2] = part(2, 3, 9, "t2") }, []string{"x-00003-of-00003.gguf", "split.tensors.count is 9, but 3"}},
		"too few":         {func(s *split) { s.parts[2] = part(2, 3, 3) }, []string{"2 tensors", "split.tensors.count is 3"}},
		"too many":        {func(s *split) { s.parts[2] = part(2, 3, 3, "t2", "t3") }, []string{"4 tensors", "split.tensors.count is 3"}},
		"twice":           {func(s *split) { s.parts[2] = part(2, 3, 3, "t1") }, []string{"x-00003-of-00003.gguf", `"t1"`}},
		"no number":       {func(s *split) { s.parts[1] = without("split.no") }, []string{"x-00002-of-00003.gguf", "split.no"}},
		"no count":        {func(s *split) { s.parts[1] = without("split.count") }, []string{"x-00002-of-00003.gguf", "split.count"}},
		"no first number": {func(s *split) { s.parts[0] = without("split.no") }, []string{"x-00001-of-00003.gguf", "split.no"}},
		"no total": {func(s *split) {
			s.parts[0] = NewWriter()
			s.parts[0].Set("split.no", uint16(0))
			s.parts[0].Set("split.count", uint16(3))
		}, []string{"x-00001-of-00003.gguf", "split.tensors.count"}},
	} {
		s := newSplit()
		c.change(s)
		_, err := Open(s.write(t))
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: error %v does not say %q", name, err, says)
			}
		}
		if errors.Is(err, fs.ErrNotExist) != (name == "missing") {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := newSplit().write(t)
	if err := os.Truncate(strings.Replace(path, "00001", "00003", 1), 40); err != nil {
		t.Fatal(err)
	}
	var fe *FormatError
	if _, err := Open(path); !errors.As(err, &fe) || !strings.Contains(fe.File, "x-00003-of-00003.gguf") {
		t.Errorf("a part cut off: %v", err)
	}
}
