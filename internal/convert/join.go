package convert

import (
	"fmt"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
)

// sensePrefixes begin the metadata of senses, the tensors of which have names of
// their own.
var sensePrefixes = []string{"handscroll.reader.", "handscroll.scenes.", "handscroll.hearing."}

// trainPrefix begins what only training needs of a checkpoint.
const trainPrefix = "train."

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
	later := map[string]bool{}
	var parts []*gguf.File
	for _, path := range senses {
		f, err := open(path)
		if err != nil {
			return err
		}
		parts = append(parts, f)
		for _, t := range f.Tensors {
			if strings.HasPrefix(t.Name, trainPrefix) {
				continue
			}
			if later[t.Name] {
				return fmt.Errorf("convert: %s: tensor %q is in another of the files too", path, t.Name)
			}
			later[t.Name] = true
		}
	}
	for _, key := range b.Meta.Keys() {
		w.Set(key, b.Meta.Value(key))
	}
	for _, t := range b.Tensors {
		if !later[t.Name] {
			w.Add(t.Name, t.Type, t.Shape, t.Data)
		}
	}
	for i, f := range parts {
		found := false
		for _, key := range f.Meta.Keys() {
			for _, p := range sensePrefixes {
				if strings.HasPrefix(key, p) {
					w.Set(key, f.Meta.Value(key))
					found = true
				}
			}
		}
		if !found {
			return fmt.Errorf("convert: %s has no sense", senses[i])
		}
		for _, t := range f.Tensors {
			if !strings.HasPrefix(t.Name, trainPrefix) {
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
