package gguf

import (
	"fmt"
	"strings"
)

// The metadata of a model split into files. Every part has the first two.
const (
	keySplitNo      = "split.no" // from 0
	keySplitCount   = "split.count"
	keySplitTensors = "split.tensors.count" // in all parts
)

// partSuffix is how the name of part no, from 0, ends.
func partSuffix(no, count uint32) string { return fmt.Sprintf("-%05d-of-%05d.gguf", no+1, count) }

// Parts returns how many files the model is in.
func (f *File) Parts() int { return max(1, len(f.unmap)) }

// join maps the other parts of which f is the first, if it is one of several.
func (f *File) join() error {
	if !f.Meta.Has(keySplitCount) {
		return nil
	}
	no, count, err := f.part()
	if err != nil || count <= 1 {
		return err
	}
	stem, named := strings.CutSuffix(f.Name, partSuffix(no, count))
	if no != 0 {
		first := "the first part"
		if named {
			first = stem + partSuffix(0, count)
		}
		return fmt.Errorf("gguf: %s: part %d of the %d of a split model: open %s", f.Name, no+1, count, first)
	}
	if !named {
		return fmt.Errorf("gguf: %s: the first of %d parts, but its name does not end in %q, by which the others are found: give them their names back",
			f.Name, count, partSuffix(0, count))
	}
	total, err := f.Meta.Uint32(keySplitTensors)
	if err != nil {
		return err
	}
	for i := uint32(1); i < count; i++ {
		if err := f.add(stem+partSuffix(i, count), i, count, total); err != nil {
			return err
		}
	}
	if len(f.Tensors) != int(total) {
		return fmt.Errorf("gguf: %s: the %d parts hold %d tensors, but %s is %d", f.Name, count, len(f.Tensors), keySplitTensors, total)
	}
	return nil
}

// part reads which part of how many a file is.
func (f *File) part() (no, count uint32, err error) {
	no, err = f.Meta.Uint32(keySplitNo)
	if err != nil {
		return 0, 0, err
	}
	count, err = f.Meta.Uint32(keySplitCount)
	if err == nil && no > 0 && no >= count {
		err = fmt.Errorf("gguf: %s: %s is %d, want less than the %d of %s", f.Name, keySplitNo, no, count, keySplitCount)
	}
	return no, count, err
}

// add maps a further part and takes over its tensors.
func (f *File) add(path string, no, count, total uint32) error {
	p, err := openFile(path)
	if err != nil {
		return fmt.Errorf("gguf: %s: opening part %d of %d: %w", f.Name, no+1, count, err)
	}
	f.unmap, f.Size = append(f.unmap, p.unmap...), f.Size+p.Size
	isNo, isCount, err := p.part()
	if err != nil {
		return err
	}
	if isNo != no || isCount != count {
		return fmt.Errorf("gguf: %s: holds part %d of %d, want part %d of %d: is it of another model?", path, isNo+1, isCount, no+1, count)
	}
	if p.Meta.Has(keySplitTensors) {
		isTotal, err := p.Meta.Uint32(keySplitTensors)
		if err != nil {
			return err
		}
		if isTotal != total {
			return fmt.Errorf("gguf: %s: %s is %d, but %d in %s: is it of another model?", path, keySplitTensors, isTotal, total, f.Name)
		}
	}
	for _, t := range p.Tensors {
		if f.Has(t.Name) {
			return fmt.Errorf("gguf: %s: tensor %q is in an earlier part of %s too", path, t.Name, f.Name)
		}
		f.byName[t.Name] = t
	}
	f.Tensors = append(f.Tensors, p.Tensors...)
	return nil
}
