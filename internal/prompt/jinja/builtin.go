package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

type (
	filterFunc func(r *run, v any, a *arguments) any
	testFunc   func(r *run, v any, a *arguments) bool
)

// functions are the global ones.
var functions = map[string]any{
	"range":           function(rangeOf),
	"namespace":       function(newNamespace),
	"dict":            function(newDict),
	"raise_exception": function(raise),
	"strftime_now": function(func(r *run, a *arguments) any {
		return r.strftime(r.text(a.take(r, "format")[0]))
	}),
}

func rangeOf(r *run, a *arguments) any {
	v := a.take(r, "start", "stop", "step")
	from, to, step := r.int(v[0], 0), r.int(v[1], 0), r.int(v[2], 1)
	if len(a.placed) == 1 {
		from, to = 0, from
	}
	if step == 0 {
		r.fail("range with a step of 0")
	}
	var list List
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		r.spend(element)
		list = append(list, int64(i))
	}
	return list
}

func newNamespace(r *run, a *arguments) any {
	ns := &namespace{make(map[string]any)}
	d := newDict(r, a).(*Dict)
	for i, k := range d.keys {
		ns.vars[r.str(k).String()] = d.values[i]
	}
	return ns
}

func newDict(r *run, a *arguments) any {
	d := &Dict{}
	if len(a.placed) > 1 {
		r.fail("%d arguments, want at most 1", len(a.placed))
	}
	if len(a.placed) == 1 {
		from, ok := a.placed[0].(*Dict)
		if !ok {
			r.fail("%s where a mapping is wanted", kind(a.placed[0]))
		}
		for i, k := range from.keys {
			d.set(r.key(k), k, from.values[i])
		}
	}
	for _, name := range a.order {
		d.Set(name, a.named[name])
	}
	r.spend(element * len(d.keys))
	return d
}

func raise(r *run, a *arguments) any {
	r.fail("the template refuses this conversation: %s", r.str(a.take(r, "message")[0]).String())
	return nil
}

// layouts are strftime's directives in Go's terms.
var layouts = map[string]string{
	"Y": "2006", "y": "06", "m": "01", "-m": "1", "d": "02", "-d": "2", "e": "_2", "j": "002", "B": "January", "b": "Jan", "A": "Monday",
	"a": "Mon", "H": "15", "I": "03", "-I": "3", "M": "04", "S": "05", "p": "PM", "Z": "MST", "z": "-0700", "F": "2006-01-02", "T": "15:04:05",
}

func (r *run) strftime(format Text) Text {
	var out Text
	for len(format) > 0 {
		if format[0]&charMask != '%' || len(format) == 1 {
			out, format = append(out, format[0]), format[1:]
			continue
		}
		n := 2
		if format[1]&charMask == '-' && len(format) > 2 {
			n = 3
		}
		directive := format[1:n].String()
		layout, ok := layouts[directive]
		switch {
		case ok:
			out = append(out, Written(r.now.Format(layout))...)
		case directive == "%":
			out = append(out, '%')
		default:
			r.fail("time format %%%s is not known", directive)
		}
		format = format[n:]
	}
	r.spend(len(out))
	return out
}

// filters and tests refer to themselves, through map and select.
var (
	filters map[string]filterFunc
	tests   map[string]testFunc
)

func init() {
	filters = map[string]filterFunc{
		"tojson": toJSON, "join": join, "map": mapped, "indent": indent, "dictsort": dictsort, "sort": sorted, "unique": unique,
		"int": toInt, "float": toFloat, "round": round, "sum": sum,
		"select": selection(false, true), "reject": selection(false, false),
		"selectattr": selection(true, true), "rejectattr": selection(true, false),
		"length": func(r *run, v any, a *arguments) any { return int64(r.length(v)) },
		"string": func(r *run, v any, a *arguments) any { return r.str(v) },
		"safe":   func(r *run, v any, a *arguments) any { return r.str(v) },
		"escape": func(r *run, v any, a *arguments) any { return r.escape(r.str(v)) },
		"list":   func(r *run, v any, a *arguments) any { return r.iterate(v) },
		"items":  func(r *run, v any, a *arguments) any { return r.items(v) },
		"first":  func(r *run, v any, a *arguments) any { return r.item(r.iterate(v), int64(0)) },
		"last":   func(r *run, v any, a *arguments) any { return r.item(r.iterate(v), int64(-1)) },
		"min":    func(r *run, v any, a *arguments) any { return r.extreme(v, -1) },
		"max":    func(r *run, v any, a *arguments) any { return r.extreme(v, 1) },
		"abs": func(r *run, v any, a *arguments) any {
			if r.order(v, int64(0), 0) < 0 {
				return r.arithmetic("-", int64(0), v)
			}
			return v
		},
		"default": func(r *run, v any, a *arguments) any {
			args := a.take(r, "default_value", "boolean")
			if _, missing := v.(undefined); missing || truth(args[1]) && !truth(v) {
				if _, missing := args[0].(undefined); missing {
					return Text{}
				}
				return args[0]
			}
			return v
		},
		"reverse": func(r *run, v any, a *arguments) any {
			if _, ok := v.(Text); !ok {
				v = r.iterate(v)
			}
			return r.slice(v, [3]any{nil, nil, int64(-1)})
		},
		"title": func(r *run, v any, a *arguments) any {
			t := r.str(v)
			r.spend(len(t))
			return t.title(func(c rune) bool { return unicode.IsSpace(c) || strings.ContainsRune("-({[<", c) })
		},
	}
	// These are methods of strings too.
	for filter, name := range map[string]string{
		"trim": "strip", "upper": "upper", "lower": "lower", "capitalize": "capitalize", "replace": "replace",
	} {
		filters[filter] = func(r *run, v any, a *arguments) any { return textMethods[name](r, r.str(v), a) }
	}
	filters["count"], filters["d"], filters["e"] = filters["length"], filters["default"], filters["escape"]
	tests = map[string]testFunc{
		"defined":     func(r *run, v any, a *arguments) bool { _, missing := v.(undefined); return !missing },
		"undefined":   func(r *run, v any, a *arguments) bool { _, missing := v.(undefined); return missing },
		"none":        func(r *run, v any, a *arguments) bool { return v == nil },
		"string":      func(r *run, v any, a *arguments) bool { _, ok := v.(Text); return ok },
		"mapping":     func(r *run, v any, a *arguments) bool { _, ok := v.(*Dict); return ok },
		"boolean":     func(r *run, v any, a *arguments) bool { _, ok := v.(bool); return ok },
		"integer":     func(r *run, v any, a *arguments) bool { _, ok := v.(int64); return ok },
		"float":       func(r *run, v any, a *arguments) bool { _, ok := v.(float64); return ok },
		"number":      func(r *run, v any, a *arguments) bool { _, _, _, ok := number(v); return ok },
		"callable":    func(r *run, v any, a *arguments) bool { _, ok := v.(function); return ok },
		"iterable":    func(r *run, v any, a *arguments) bool { return isSequence(v) || isUndefined(v) },
		"sequence":    func(r *run, v any, a *arguments) bool { return isSequence(v) || isUndefined(v) },
		"true":        func(r *run, v any, a *arguments) bool { return v == true },
		"false":       func(r *run, v any, a *arguments) bool { return v == false },
		"odd":         func(r *run, v any, a *arguments) bool { return r.int(v, 0)&1 == 1 },
		"even":        func(r *run, v any, a *arguments) bool { return r.int(v, 0)&1 == 0 },
		"sameas":      func(r *run, v any, a *arguments) bool { return r.equal(v, a.take(r, "other")[0], 0) },
		"divisibleby": func(r *run, v any, a *arguments) bool { return r.arithmetic("%", v, a.take(r, "num")[0]) == int64(0) },
	}
	for op, names := range map[string]string{
		"==": "eq equalto", "!=": "ne", "<": "lt lessthan", "<=": "le", ">": "gt greaterthan", ">=": "ge", "in": "in",
	} {
		for name := range strings.FieldsSeq(names) {
			tests[name] = func(r *run, v any, a *arguments) bool { return r.compare(op, v, a.take(r, "other")[0]) }
		}
	}
}

func isUndefined(v any) bool { _, ok := v.(undefined); return ok }

func isSequence(v any) bool {
	switch v.(type) {
	case Text, List, *Dict:
		return true
	}
	return false
}

// getter returns what takes an attribute, "a.b" or "a.0", of a value.
func (r *run) getter(path any) func(v any) any {
	if isUndefined(path) || path == nil {
		return func(v any) any { return v }
	}
	text := r.str(path)
	r.spend(len(text))
	parts := strings.Split(text.String(), ".")
	return func(v any) any {
		r.spend(len(parts))
		for _, p := range parts {
			if i, err := strconv.ParseInt(p, 10, 64); err == nil {
				v = r.item(v, i)
			} else {
				v = r.item(v, Written(p))
			}
		}
		return v
	}
}

// elements is iterate for which none has no elements.
func (r *run) elements(v any) List {
	if v == nil {
		return nil
	}
	return r.iterate(v)
}

func mapped(r *run, v any, a *arguments) any {
	apply := func(v any) any { return nil }
	if path, ok := a.named["attribute"]; ok {
		args := a.take(r, "attribute", "default")
		get := r.getter(path)
		apply = func(v any) any {
			if v = get(v); isUndefined(v) && !isUndefined(args[1]) {
				return args[1]
			}
			return v
		}
	} else if f, rest := r.named(a, "map"); filters[f] != nil {
		apply = func(v any) any { return filters[f](r, v, rest) }
	} else {
		r.fail("filter %q is not known", f)
	}
	var out List
	for _, x := range r.elements(v) {
		r.spend(element)
		out = append(out, apply(x))
	}
	return out
}

// named takes the name of a filter or test from the arguments.
func (r *run) named(a *arguments, filter string) (string, *arguments) {
	if len(a.placed) == 0 {
		r.fail("%s wants the name of what it applies", filter)
	}
	return r.str(a.placed[0]).String(), &arguments{placed: a.placed[1:], named: a.named, order: a.order}
}

// selection keeps the elements for which a test, of an attribute if so, says want.
func selection(attribute, want bool) filterFunc {
	return func(r *run, v any, a *arguments) any {
		get := func(v any) any { return v }
		if attribute {
			path, rest := r.named(a, "selectattr")
			get, a = r.getter(Written(path)), rest
		}
		test := func(r *run, v any, a *arguments) bool { return truth(v) }
		if len(a.placed) > 0 {
			name, rest := r.named(a, "select")
			if test, a = tests[name], rest; test == nil {
				r.fail("test %q is not known", name)
			}
		}
		var out List
		for _, x := range r.elements(v) {
			r.spend(element)
			if test(r, get(x), a) == want {
				out = append(out, x)
			}
		}
		return out
	}
}

func join(r *run, v any, a *arguments) any {
	args := a.take(r, "d", "attribute")
	sep, get := r.str(args[0]), r.getter(args[1])
	var out Text
	for i, x := range r.iterate(v) {
		if i > 0 {
			r.spend(len(sep))
			out = append(out, sep...)
		}
		t := r.str(get(x))
		r.spend(len(t) + 1)
		out = append(out, t...)
	}
	return out
}

func indent(r *run, v any, a *arguments) any {
	args := a.take(r, "width", "first", "blank")
	space, ok := args[0].(Text)
	if !ok {
		space = slices.Repeat(Text{' '}, r.times(1, int64(r.int(args[0], 4))))
	}
	var out Text
	for i, line := range slices.Concat(r.str(v), Text{'\n'}).lines() {
		if i > 0 {
			out = append(out, '\n')
		}
		if i == 0 && truth(args[1]) || i > 0 && (len(line) > 0 || truth(args[2])) {
			r.spend(len(space))
			out = append(out, space...)
		}
		r.spend(len(line) + 1)
		out = append(out, line...)
	}
	return out
}

// sortBy sorts by keys; strings count as lower case unless cased is set.
func (r *run) sortBy(list List, key func(any) any, cased, reverse bool) List {
	r.spend(element * len(list))
	fold := func(v any) any {
		v = key(v)
		if t, ok := v.(Text); ok && !cased {
			r.spend(len(t))
			return t.lower()
		}
		return v
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b any) int {
		if reverse {
			a, b = b, a
		}
		return r.order(fold(a), fold(b), 0)
	})
	return list
}

func sorted(r *run, v any, a *arguments) any {
	args := a.take(r, "reverse", "case_sensitive", "attribute")
	return r.sortBy(r.iterate(v), r.getter(args[2]), truth(args[1]), truth(args[0]))
}

func dictsort(r *run, v any, a *arguments) any {
	args := a.take(r, "case_sensitive", "by", "reverse")
	by := int64(0)
	if t, ok := args[1].(Text); ok && t.String() == "value" {
		by = 1
	}
	return r.sortBy(r.items(v), func(v any) any { return r.item(v, by) }, truth(args[0]), truth(args[2]))
}

func unique(r *run, v any, a *arguments) any {
	var out List
	seen := make(map[string]bool)
	for _, x := range r.iterate(v) {
		r.spend(element)
		if id := r.key(x); !seen[id] {
			seen[id] = true
			out = append(out, x)
		}
	}
	return out
}

// items returns the pairs of a dict.
func (r *run) items(v any) List {
	if isUndefined(v) {
		return nil
	}
	d, ok := v.(*Dict)
	if !ok {
		r.fail("%s has no items, only a mapping has", kind(v))
	}
	r.spend(2 * element * len(d.keys))
	list := make(List, len(d.keys))
	for i, k := range d.keys {
		list[i] = List{k, d.values[i]}
	}
	return list
}

func (r *run) extreme(v any, sign int) any {
	list := r.iterate(v)
	if len(list) == 0 {
		return undefined{of: "a list"}
	}
	best := list[0]
	for _, x := range list[1:] {
		if r.order(x, best, 0)*sign > 0 {
			best = x
		}
	}
	return best
}

func sum(r *run, v any, a *arguments) any {
	args := a.take(r, "attribute", "start")
	get, total := r.getter(args[0]), args[1]
	if isUndefined(total) {
		total = int64(0)
	}
	for _, x := range r.iterate(v) {
		r.spend(1)
		total = r.arithmetic("+", total, get(x))
	}
	return total
}

func toInt(r *run, v any, a *arguments) any {
	f, otherwise := r.parse(v), a.take(r, "default", "base")[0]
	switch i, err := strconv.ParseInt(f, 10, 64); {
	case err == nil:
		return i
	case isUndefined(otherwise):
		otherwise = int64(0)
	}
	if x, err := strconv.ParseFloat(f, 64); err == nil && math.Abs(x) < 1<<62 {
		return int64(x)
	}
	return otherwise
}

func toFloat(r *run, v any, a *arguments) any {
	otherwise := a.take(r, "default")[0]
	if x, err := strconv.ParseFloat(r.parse(v), 64); err == nil {
		return x
	}
	if isUndefined(otherwise) {
		return 0.0
	}
	return otherwise
}

// parse is the text of a number.
func (r *run) parse(v any) string {
	if i, _, isInt, _ := number(v); isInt {
		return strconv.FormatInt(i, 10)
	}
	t := r.str(v)
	r.spend(len(t))
	return strings.TrimSpace(t.String())
}

func round(r *run, v any, a *arguments) any {
	args := a.take(r, "precision", "method")
	_, f, _, ok := number(v)
	if !ok {
		r.fail("%s where a number is wanted", kind(v))
	}
	scale := math.Pow(10, float64(r.int(args[0], 0)))
	switch method := r.text(args[1]).String(); method {
	case "", "common":
		return math.RoundToEven(f*scale) / scale
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	default:
		r.fail("rounding method %q is not known", method)
	}
	return nil
}

var htmlEscapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;", '\'': "&#39;"}

func (r *run) escape(t Text) Text {
	r.spend(len(t) * 5)
	var out Text
	for _, c := range t {
		if e, ok := htmlEscapes[c&charMask]; ok {
			out = append(out, decode(e, c&dataMark)...)
		} else {
			out = append(out, c)
		}
	}
	return out
}
