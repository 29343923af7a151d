package hub

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Choice is a model of a repository: a file, or the parts of a split one in
// their order.
type Choice []File

// Name is the path of the first file.
func (c Choice) Name() string { return c[0].Path }

// Size is that of all parts.
func (c Choice) Size() int64 {
	var n int64
	for _, f := range c {
		n += f.Size
	}
	return n
}

// SelectError says that a selector chooses no one model.
type SelectError struct {
	Repo     string
	Selector string
	Choices  []Choice // that it fits, or all if it fits none
	Fits     int      // how many it fits
}

func (e *SelectError) Error() string {
	switch {
	case e.Selector == "" && e.Fits == 0:
		return fmt.Sprintf("hub: %s has no GGUF models", e.Repo)
	case e.Selector == "":
		return fmt.Sprintf("hub: %s has %d GGUF models", e.Repo, e.Fits)
	case e.Fits == 0:
		return fmt.Sprintf("hub: %s has no file %q and no model called so", e.Repo, e.Selector)
	}
	return fmt.Sprintf("hub: %s has %d models that %q fits", e.Repo, e.Fits, e.Selector)
}

// Select returns the files that a selector stands for. It is the name of a
// file, with or without its folders, or a part of the name of one GGUF model
// such as its quantisation, in upper or lower case: Q4_K_M. An empty one stands
// for the only GGUF model. Of a split model it is always all parts. Anything
// else is a [SelectError].
//
// Projectors of images and sounds (mmproj) are chosen by their file names only.
func (l *Listing) Select(selector string) (Choice, error) {
	if c := l.named(selector); c != nil {
		return c, c.complete()
	}
	all := l.models()
	fits := slices.DeleteFunc(slices.Clone(all), func(c Choice) bool { return selector != "" && !holds(c.Name(), selector) })
	switch len(fits) {
	case 1:
		return fits[0], fits[0].complete()
	case 0:
		return nil, &SelectError{l.Repo, selector, all, 0}
	}
	return nil, &SelectError{l.Repo, selector, fits, len(fits)}
}

// named returns the file called name, with the other parts of its model.
func (l *Listing) named(name string) Choice {
	i := slices.IndexFunc(l.Files, func(f File) bool { return f.Path == name })
	if i < 0 {
		isNamed := func(f File) bool { return path.Base(f.Path) == name }
		i = slices.IndexFunc(l.Files, isNamed)
		if i < 0 || slices.ContainsFunc(l.Files[i+1:], isNamed) {
			return nil
		}
	}
	file := l.Files[i]
	if splitName.MatchString(file.Path) {
		for _, c := range group(l.Files) {
			if slices.Contains(c, file) {
				return c
			}
		}
	}
	return Choice{file}
}

// models returns the GGUF models in order of their names.
func (l *Listing) models() []Choice {
	return group(slices.DeleteFunc(slices.Clone(l.Files), func(f File) bool {
		name := strings.ToLower(path.Base(f.Path))
		return !isGGUF(name) || strings.Contains(name, "mmproj")
	}))
}

func isGGUF(name string) bool { return strings.EqualFold(path.Ext(name), ".gguf") }

// splitName is the name of a part: stem, number, count.
var splitName = regexp.MustCompile(`(?i)^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// group puts the parts of split models together.
func group(files []File) []Choice {
	var out []Choice
	at := make(map[[2]string]int) // in out, by stem and count
	for _, f := range files {
		m := splitName.FindStringSubmatch(f.Path)
		if m == nil {
			out = append(out, Choice{f})
			continue
		}
		key := [2]string{m[1], m[3]}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], f)
	}
	byPath := func(a, b File) int { return cmp.Compare(a.Path, b.Path) }
	for _, c := range out {
		slices.SortFunc(c, byPath)
	}
	slices.SortFunc(out, func(a, b Choice) int { return byPath(a[0], b[0]) })
	return out
}

// complete checks that a split model has all its parts.
func (c Choice) complete() error {
	m := splitName.FindStringSubmatch(c.Name())
	if m == nil {
		return nil
	}
	want, err := strconv.Atoi(m[3])
	if err != nil || want < 1 {
		return fmt.Errorf("hub: %s: a part of %s", c.Name(), m[3])
	}
	for i := range want {
		if i >= len(c) || splitName.FindStringSubmatch(c[i].Path)[2] != fmt.Sprintf("%05d", i+1) {
			return fmt.Errorf("hub: part %d of %d of %s is not on the hub", i+1, want, m[1])
		}
	}
	if len(c) > want {
		return fmt.Errorf("hub: %s has %d parts instead of %d", m[1], len(c), want)
	}
	return nil
}

// holds reports whether word is in a model's name and not in the middle of
// another: Q4_K is not in model-Q4_K_M, nor Q4_XS in model-IQ4_XS.
func holds(name, word string) bool {
	name = strings.ToLower(name)
	if m := splitName.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	name = strings.TrimSuffix(name, ".gguf")
	word = strings.ToLower(word)
	for from := 0; ; {
		i := strings.Index(name[from:], word)
		if i < 0 {
			return false
		}
		begin := from + i
		before, _ := utf8.DecodeLastRuneInString(name[:begin])
		after, _ := utf8.DecodeRuneInString(name[begin+len(word):])
		if !alphanumeric(before) && !alphanumeric(after) && after != '_' {
			return true
		}
		_, n := utf8.DecodeRuneInString(name[begin:])
		if n == 0 {
			return false
		}
		from = begin + n
	}
}

func alphanumeric(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
