package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
)

// senseParts are what begins the metadata of each sense, and its tensors.
var senseParts = []struct{ meta, tensors string }{
	{"handscroll.reader.", "eyes."}, {"handscroll.scenes.", "scenes."}, {"handscroll.hearing.", "ears."},
}

// Join writes to out the native model of base with the senses of other files,
// which take the places of those that base has.
func Join(out, base string, senses []string) (err error) {
	w := gguf.NewWriter()
	var files []*gguf.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	open := func(path string) (*gguf.File, error) {
		f, err := gguf.Open(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		return f, nil
	}
	b, err := open(base)
	if err != nil {
		return err
	}
	if arch, err := b.Meta.String("general.architecture"); err != nil || arch != model.Architecture {
		return fmt.Errorf("convert: %s is not a model of the architecture %s", base, model.Architecture)
	}
	owner := make([]int, len(senseParts)) // of a sense: 1 more than its file's index in senses; 0 is base
	parts := make([]*gguf.File, len(senses))
	for i, path := range senses {
		f, err := open(path)
		if err != nil {
			return err
		}
		parts[i] = f
		found := false
		for j, s := range senseParts {
			if !slices.ContainsFunc(f.Meta.Keys(), func(key string) bool { return strings.HasPrefix(key, s.meta) }) {
				continue
			}
			if owner[j] > 0 {
				return fmt.Errorf("convert: %s and %s both have %s*: name one of them", senses[owner[j]-1], path, s.meta)
			}
			owner[j], found = i+1, true
		}
		if !found {
			return fmt.Errorf("convert: %s has no sense", path)
		}
	}
	for i, f := range append([]*gguf.File{b}, parts...) {
		// Of base all but the senses that others replace, of others their senses alone.
		takes := func(name string, prefix func(j int) string) bool {
			for j := range senseParts {
				if strings.HasPrefix(name, prefix(j)) {
					return owner[j] == i
				}
			}
			return i == 0
		}
		for _, key := range f.Meta.Keys() {
			if takes(key, func(j int) string { return senseParts[j].meta }) {
				w.Set(key, f.Meta.Value(key))
			}
		}
		for _, t := range f.Tensors {
			if takes(t.Name, func(j int) string { return senseParts[j].tensors }) {
				w.Add(t.Name, t.Type, t.Shape, t.Data)
			}
		}
	}
	if err := w.WriteFile(out); err != nil {
		return err
	}
	f, err := gguf.Open(out)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = model.LoadNative(f)
	return err
}
