package jinja

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A value is nil (Jinja's none), a bool, an int64, a float64, a [Text], a [List],
// a *[Dict], or one of the types below.

// List is a list or tuple of values.
type List []any

// Dict keeps its keys in the order in which they were set.
type Dict struct {
	keys, values []any
	index        map[string]int
}

// Set sets the value of a key that the caller wrote.
func (d *Dict) Set(key string, v any) { d.set("s"+key, Written(key), v) }

// set sets a value by what identifies its key.
func (d *Dict) set(id string, key, v any) {
	if i, ok := d.index[id]; ok {
		d.values[i] = v
		return
	}
	if d.index == nil {
		d.index = make(map[string]int)
	}
	d.index[id] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, v)
}

func (d *Dict) get(id string) (any, bool) {
	if i, ok := d.index[id]; ok {
		return d.values[i], true
	}
	return nil, false
}

// undefined is what a name does not stand for, or an attribute or item that does
// not exist, of the kind of value in of.
type undefined struct{ name, of string }

func (u undefined) String() string {
	switch {
	case u.of == "":
		return strconv.Quote(u.name)
	case u.name == "":
		return "an item of " + u.of
	}
	return fmt.Sprintf("attribute %q of %s", u.name, u.of)
}

type namespace struct{ vars map[string]any }

// loopState is the variable loop.
type loopState struct {
	list  List
	index int
}

type function func(r *run, a *arguments) any

// arguments are those of a call, values by place and by name.
type arguments struct {
	placed []any
	named  map[string]any
	order  []string // of the names
}

func (a *arguments) add(name string, v any) {
	if name == "" {
		a.placed = append(a.placed, v)
		return
	}
	if a.named == nil {
		a.named = make(map[string]any)
	}
	a.named[name] = v
	a.order = append(a.order, name)
}

// take returns the arguments that are called so, in this order, each given by
// place or by name; undefined if it is missing.
func (a *arguments) take(r *run, names ...string) []any {
	if len(a.placed) > len(names) {
		r.fail("%d arguments, want at most %d", len(a.placed), len(names))
	}
	out := slices.Clone(a.placed)
	used := 0
	for i, name := range names {
		v, ok := a.named[name]
		if ok {
			used++
		} else {
			v = undefined{name: name}
		}
		if i >= len(out) {
			out = append(out, v)
		} else if ok {
			r.fail("argument %q is given twice", name)
		}
	}
	if used < len(a.named) {
		for _, name := range a.order {
			if !slices.Contains(names, name) {
				r.fail("argument %q is not known", name)
			}
		}
	}
	return out
}

// searched is how many characters cost as much as one that is made.
const searched = 8

// size is what a value counts as input.
func size(v any, depth int) int {
	n := 64
	switch v := v.(type) {
	case Text:
		n += len(v)
	case List:
		for _, x := range v {
			n += size(x, depth+1)
		}
	case *Dict:
		for i, k := range v.keys {
			n += size(k, depth+1) + size(v.values[i], depth+1)
		}
	}
	return n
}

func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "none"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case Text:
		return "a string"
	case List:
		return "a list"
	case *Dict:
		return "a mapping"
	case undefined:
		return v.String() + ", which is undefined,"
	case *namespace:
		return "a namespace"
	case function:
		return "a function"
	}
	return "a loop"
}

func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case Text:
		return len(v) > 0
	case List:
		return len(v) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// number returns a number, a boolean counting as 0 or 1.
func number(v any) (i int64, f float64, isInt, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, 1, true, true
		}
		return 0, 0, true, true
	case int64:
		return v, float64(v), true, true
	case float64:
		return 0, v, false, true
	}
	return 0, 0, false, false
}

// int is an integer argument, otherwise if it is missing.
func (r *run) int(v any, otherwise int) int {
	if _, missing := v.(undefined); missing || v == nil {
		return otherwise
	}
	i, _, isInt, _ := number(v)
	if !isInt {
		r.fail("%s where an integer is wanted", kind(v))
	}
	return int(max(min(i, math.MaxInt32), math.MinInt32))
}

// text is a string argument, nil if it is missing.
func (r *run) text(v any) Text {
	switch v := v.(type) {
	case nil, undefined:
		return nil
	case Text:
		return v
	}
	r.fail("%s where a string is wanted", kind(v))
	return nil
}

// str is the text that stands for a value where it is written.
func (r *run) str(v any) Text {
	switch v := v.(type) {
	case Text:
		return v
	case undefined:
		return nil
	}
	return r.repr(nil, v, 0)
}

// descend is called where a value is walked.
func (r *run) descend(depth int) {
	r.spend(1)
	if depth > maxDepth {
		r.fail("a value is nested more than %d deep", maxDepth)
	}
}

// repr appends a value as Python writes it.
func (r *run) repr(dst Text, v any, depth int) Text {
	r.descend(depth)
	word := func(s string) Text { return append(dst, Written(s)...) }
	switch v := v.(type) {
	case nil:
		return word("None")
	case undefined:
		return word("Undefined")
	case bool:
		if v {
			return word("True")
		}
		return word("False")
	case int64:
		return word(strconv.FormatInt(v, 10))
	case float64:
		return word(formatFloat(v))
	case Text:
		return r.quote(dst, v)
	case List:
		dst = word("[")
		for i, x := range v {
			if i > 0 {
				dst = append(dst, ',', ' ')
			}
			dst = r.repr(dst, x, depth+1)
		}
		return append(dst, ']')
	case *Dict:
		dst = word("{")
		for i, k := range v.keys {
			if i > 0 {
				dst = append(dst, ',', ' ')
			}
			dst = append(r.repr(dst, k, depth+1), ':', ' ')
			dst = r.repr(dst, v.values[i], depth+1)
		}
		return append(dst, '}')
	}
	return word("<" + kind(v) + ">")
}

// quote appends a string as Python writes it inside a list.
func (r *run) quote(dst, t Text) Text {
	r.spend(len(t))
	q := '\''
	if t.index(Text{'\''}) >= 0 && t.index(Text{'"'}) < 0 {
		q = '"'
	}
	dst = append(dst, q)
	for _, c := range t {
		mark := c & dataMark
		switch u := c & charMask; {
		case u == q || u == '\\':
			dst = append(dst, '\\'|mark, c)
		case u == '\n':
			dst = append(dst, '\\'|mark, 'n'|mark)
		case u == '\r':
			dst = append(dst, '\\'|mark, 'r'|mark)
		case u == '\t':
			dst = append(dst, '\\'|mark, 't'|mark)
		case u < ' ' || u == 0x7f:
			dst = append(dst, decode(fmt.Sprintf(`\x%02x`, u), mark)...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, q)
}

// formatFloat writes a float as Python does.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	case math.IsNaN(f):
		return "nan"
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// key identifies a key of a dict; equal keys have the same.
func (r *run) key(v any) string {
	switch v := v.(type) {
	case Text:
		r.spend(len(v))
		return "s" + v.String()
	case nil:
		return "none"
	}
	i, f, isInt, ok := number(v)
	switch {
	case isInt:
		return "n" + strconv.FormatInt(i, 10)
	case ok && f == math.Trunc(f) && math.Abs(f) < 1<<53:
		return "n" + strconv.FormatInt(int64(f), 10)
	case ok:
		return "n" + formatFloat(f)
	}
	r.fail("%s cannot be a key", kind(v))
	return ""
}

func (r *run) equal(a, b any, depth int) bool {
	r.descend(depth)
	switch x := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case Text:
		y, ok := b.(Text)
		if ok && len(x) == len(y) {
			r.spend(len(x) / searched)
		}
		return ok && x.equal(y)
	case List:
		y, ok := b.(List)
		return ok && slices.EqualFunc(x, y, func(a, b any) bool { return r.equal(a, b, depth+1) })
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for id, i := range x.index {
			if v, ok := y.get(id); !ok || !r.equal(x.values[i], v, depth+1) {
				return false
			}
		}
		return true
	case *namespace:
		y, ok := b.(*namespace)
		return ok && x == y
	}
	i, f, isInt, ok := number(a)
	j, g, isInt2, ok2 := number(b)
	if isInt && isInt2 {
		return i == j
	}
	return ok && ok2 && f == g
}

// order compares numbers, strings and lists of them.
func (r *run) order(a, b any, depth int) int {
	r.descend(depth)
	i, f, isInt, ok := number(a)
	j, g, isInt2, ok2 := number(b)
	switch {
	case isInt && isInt2:
		return cmp.Compare(i, j)
	case ok && ok2:
		return cmp.Compare(f, g)
	}
	switch x := a.(type) {
	case Text:
		if y, ok := b.(Text); ok {
			r.spend(min(len(x), len(y)) / searched)
			return x.compare(y)
		}
	case List:
		if y, ok := b.(List); ok {
			return slices.CompareFunc(x, y, func(a, b any) int { return r.order(a, b, depth+1) })
		}
	}
	r.fail("%s and %s have no order", kind(a), kind(b))
	return 0
}

func (r *run) compare(op string, a, b any) bool {
	switch op {
	case "==":
		return r.equal(a, b, 0)
	case "!=":
		return !r.equal(a, b, 0)
	case "in":
		return r.contains(b, a)
	case "not in":
		return !r.contains(b, a)
	}
	c := r.order(a, b, 0)
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func (r *run) contains(in, v any) bool {
	switch in := in.(type) {
	case Text:
		part, ok := v.(Text)
		if !ok {
			r.fail("%s cannot be in a string", kind(v))
		}
		r.spend((len(in) + len(part)) / searched)
		return in.index(part) >= 0
	case *Dict:
		_, ok := in.get(r.key(v))
		return ok
	}
	return slices.ContainsFunc(r.iterate(in), func(x any) bool { return r.equal(x, v, 0) })
}

// iterate returns what a loop over a value sees.
func (r *run) iterate(v any) List {
	switch v := v.(type) {
	case List:
		return v
	case *Dict:
		return v.keys
	case Text:
		r.spend(element * len(v))
		list := make(List, len(v))
		for i := range v {
			list[i] = v[i : i+1]
		}
		return list
	case undefined:
		return nil
	}
	r.fail("%s cannot be iterated over", kind(v))
	return nil
}

// attribute is of.name: a method before an item.
func (r *run) attribute(of any, name string) any {
	switch of := of.(type) {
	case undefined:
		r.fail("%v is undefined and has no attribute %q", of, name)
	case *namespace:
		if v, ok := of.vars[name]; ok {
			return v
		}
	case *loopState:
		if v, ok := of.attribute(r, name); ok {
			return v
		}
	default:
		if f := method(of, name); f != nil {
			return f
		}
	}
	if d, ok := of.(*Dict); ok {
		if v, ok := d.get("s" + name); ok {
			return v
		}
	}
	return undefined{name, kind(of)}
}

// item is of[key]: an item before a method.
func (r *run) item(of, key any) any {
	switch x := of.(type) {
	case undefined:
		r.fail("%v is undefined and has no items", x)
	case *Dict:
		if v, ok := x.get(r.key(key)); ok {
			return v
		}
	case List:
		if i, ok := r.place(key, len(x)); ok {
			return x[i]
		}
	case Text:
		if i, ok := r.place(key, len(x)); ok {
			return x[i : i+1]
		}
	}
	if name, ok := key.(Text); ok {
		r.spend(len(name))
		return r.attribute(of, name.String())
	}
	return undefined{of: kind(of)}
}

// place is where an index points to among n, negative ones from the end.
func (r *run) place(key any, n int) (i int, ok bool) {
	j, _, isInt, _ := number(key)
	if !isInt {
		return 0, false
	}
	if j < 0 {
		j += int64(n)
	}
	return int(j), j >= 0 && j < int64(n)
}

func (r *run) slice(of any, bounds [3]any) any {
	var n int
	switch of := of.(type) {
	case Text:
		n = len(of)
	case List:
		n = len(of)
	default:
		r.fail("%s cannot be sliced", kind(of))
	}
	step := r.int(bounds[2], 1)
	if step == 0 {
		r.fail("a slice's step is 0")
	}
	low, high := 0, n // where the bounds may be
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(v any, otherwise int) int {
		if v == nil {
			return otherwise
		}
		i := r.int(v, 0)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	from, to := bound(bounds[0], low), bound(bounds[1], high)
	if step < 0 {
		from, to = bound(bounds[0], high), bound(bounds[1], low)
	}
	if step == 1 && from < to {
		switch of := of.(type) {
		case Text:
			return of[from:to]
		case List:
			return of[from:to]
		}
	}
	var at []int
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		r.spend(1)
		at = append(at, i)
	}
	if t, ok := of.(Text); ok {
		out := make(Text, len(at))
		for i, j := range at {
			out[i] = t[j]
		}
		return out
	}
	out := make(List, len(at))
	for i, j := range at {
		out[i] = of.(List)[j]
	}
	return out
}

func (r *run) call(f any, a *arguments) any {
	if f, ok := f.(function); ok {
		return f(r, a)
	}
	r.fail("%s cannot be called", kind(f))
	return nil
}

// length is the number of elements.
func (r *run) length(v any) int {
	switch v := v.(type) {
	case Text:
		return len(v)
	case List:
		return len(v)
	case *Dict:
		return len(v.keys)
	case undefined:
		return 0
	}
	r.fail("%s has no length", kind(v))
	return 0
}

func (s *loopState) attribute(r *run, name string) (any, bool) {
	i, n := int64(s.index), int64(len(s.list))
	switch name {
	case "index":
		return i + 1, true
	case "index0":
		return i, true
	case "revindex":
		return n - i, true
	case "revindex0":
		return n - i - 1, true
	case "length":
		return n, true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "previtem":
		if i > 0 {
			return s.list[i-1], true
		}
	case "nextitem":
		if i < n-1 {
			return s.list[i+1], true
		}
	case "cycle":
		return function(func(r *run, a *arguments) any {
			if len(a.placed) == 0 {
				r.fail("loop.cycle without arguments")
			}
			return a.placed[i%int64(len(a.placed))]
		}), true
	}
	return nil, false
}
