package jinja

import (
	"slices"
	"strconv"
	"unicode"
)

// method binds a method of a value, nil if there is none of that name.
func method(of any, name string) any {
	switch of := of.(type) {
	case Text:
		if m, ok := textMethods[name]; ok {
			return function(func(r *run, a *arguments) any { return m(r, of, a) })
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			return function(func(r *run, a *arguments) any { return m(r, of, a) })
		}
		if changing[name] {
			return function(func(r *run, _ *arguments) any { return r.frozen(name) })
		}
	case List:
		if m, ok := listMethods[name]; ok {
			return function(func(r *run, a *arguments) any { return m(r, of, a) })
		}
		if changing[name] {
			return function(func(r *run, _ *arguments) any { return r.frozen(name) })
		}
	}
	return nil
}

// changing are the methods by which Python changes a list or dict in place.
var changing = map[string]bool{
	"append": true, "clear": true, "extend": true, "insert": true, "pop": true, "popitem": true, "remove": true, "reverse": true,
	"setdefault": true, "sort": true, "update": true,
}

func (r *run) frozen(name string) any {
	r.fail("method %q would change a value in place, which templates may not: lists and mappings are immutable", name)
	return nil
}

var dictMethods = map[string]func(r *run, d *Dict, a *arguments) any{
	"items":  func(r *run, d *Dict, a *arguments) any { return r.items(d) },
	"keys":   func(r *run, d *Dict, a *arguments) any { return List(d.keys) },
	"values": func(r *run, d *Dict, a *arguments) any { return List(d.values) },
	"copy":   func(r *run, d *Dict, a *arguments) any { return d },
	"get": func(r *run, d *Dict, a *arguments) any {
		args := a.take(r, "key", "default")
		if v, ok := d.get(r.key(args[0])); ok {
			return v
		}
		if isUndefined(args[1]) {
			return nil
		}
		return args[1]
	},
}

var listMethods = map[string]func(r *run, l List, a *arguments) any{
	"copy": func(r *run, l List, a *arguments) any { return l },
	"count": func(r *run, l List, a *arguments) any {
		x, n := a.take(r, "value")[0], int64(0)
		for _, v := range l {
			if r.equal(v, x, 0) {
				n++
			}
		}
		return n
	},
	"index": func(r *run, l List, a *arguments) any {
		x := a.take(r, "value")[0]
		i := slices.IndexFunc(l, func(v any) bool { return r.equal(v, x, 0) })
		if i < 0 {
			r.fail("the list does not hold what index looks for")
		}
		return int64(i)
	},
}

type textMethod = func(r *run, t Text, a *arguments) any

var textMethods = map[string]textMethod{
	"strip":      strip(true, true),
	"lstrip":     strip(true, false),
	"rstrip":     strip(false, true),
	"upper":      letters(Text.upper),
	"lower":      letters(Text.lower),
	"capitalize": letters(Text.capitalize),
	"title":      letters(func(t Text) Text { return t.title(func(c rune) bool { return !unicode.IsLetter(c) }) }),
	"startswith": affix(Text.hasPrefix),
	"endswith":   affix(Text.hasSuffix),
	"isdigit":    every(unicode.IsDigit),
	"isalpha":    every(unicode.IsLetter),
	"isalnum":    every(func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }),
	"isspace":    every(isSpace),
	"split":      splitting(Text.split, Text.words),
	"rsplit":     splitting(Text.splitRight, Text.wordsRight),
	"format":     format,
	"replace": func(r *run, t Text, a *arguments) any {
		args := a.take(r, "old", "new", "count")
		return r.replace(t, r.text(args[0]), r.text(args[1]), r.int(args[2], -1))
	},
	"splitlines": func(r *run, t Text, a *arguments) any { return texts(r, t, t.lines()) },
	"join": func(r *run, t Text, a *arguments) any {
		return filters["join"](r, a.take(r, "iterable")[0], &arguments{placed: []any{t}})
	},
	"removeprefix": func(r *run, t Text, a *arguments) any {
		p := r.text(a.take(r, "prefix")[0])
		if r.spend(len(p) / searched); t.hasPrefix(p) {
			return t[len(p):]
		}
		return t
	},
	"removesuffix": func(r *run, t Text, a *arguments) any {
		p := r.text(a.take(r, "suffix")[0])
		if r.spend(len(p) / searched); t.hasSuffix(p) {
			return t[:len(t)-len(p)]
		}
		return t
	},
	"count": func(r *run, t Text, a *arguments) any {
		part := r.text(a.take(r, "sub")[0])
		if len(part) == 0 {
			return int64(len(t) + 1)
		}
		return int64(len(texts(r, t, t.split(part, -1))) - 1)
	},
	"find": func(r *run, t Text, a *arguments) any {
		part := r.text(a.take(r, "sub")[0])
		r.spend((len(t) + len(part)) / searched)
		return int64(t.index(part))
	},
	"rfind": func(r *run, t Text, a *arguments) any {
		part := r.text(a.take(r, "sub")[0])
		r.spend(len(t) + len(part))
		i := t.reversed().index(part.reversed())
		if i >= 0 {
			i = len(t) - len(part) - i
		}
		return int64(i)
	},
}

func strip(left, right bool) textMethod {
	return func(r *run, t Text, a *arguments) any {
		set := r.text(a.take(r, "chars")[0])
		r.spend(len(set))
		out := t.strip(set, left, right)
		r.spend((len(t) - len(out)) / searched)
		return out
	}
}

func letters(f func(Text) Text) textMethod {
	return func(r *run, t Text, a *arguments) any {
		a.take(r)
		r.spend(len(t))
		return f(t)
	}
}

// affix tests for one of several prefixes or suffixes.
func affix(has func(t, part Text) bool) textMethod {
	return func(r *run, t Text, a *arguments) any {
		part := a.take(r, "affix")[0]
		list, ok := part.(List)
		if !ok {
			list = List{part}
		}
		return slices.ContainsFunc(list, func(v any) bool {
			part, ok := v.(Text)
			if !ok {
				r.fail("%s where a string is wanted", kind(v))
			}
			r.spend(1 + len(part)/searched)
			return has(t, part)
		})
	}
}

func every(is func(rune) bool) textMethod {
	return func(r *run, t Text, a *arguments) any {
		a.take(r)
		r.spend(len(t) / searched)
		return len(t) > 0 && !slices.ContainsFunc(t, func(c rune) bool { return !is(c & charMask) })
	}
}

// texts makes a list of pieces of t.
func texts(r *run, t Text, pieces []Text) List {
	r.spend(len(t)/searched + element*len(pieces))
	list := make(List, len(pieces))
	for i, p := range pieces {
		list[i] = p
	}
	return list
}

// splitting cuts at a separator, at white space if there is none.
func splitting(at func(t, sep Text, limit int) []Text, words func(t Text, limit int) []Text) textMethod {
	return func(r *run, t Text, a *arguments) any {
		args := a.take(r, "sep", "maxsplit")
		limit := r.int(args[1], -1)
		sep := r.text(args[0])
		switch {
		case sep == nil && (args[0] == nil || isUndefined(args[0])):
			return texts(r, t, words(t, limit))
		case len(sep) == 0:
			r.fail("split at an empty separator")
		}
		r.spend(len(sep))
		return texts(r, t, at(t, sep, limit))
	}
}

// replace puts to for from, at most limit times if limit is not negative.
func (r *run) replace(t, from, to Text, limit int) Text {
	if len(from) == 0 {
		r.fail("replace of an empty string")
	}
	pieces := t.split(from, limit)
	r.spend(len(t) + (len(pieces)-1)*len(to) + len(pieces))
	var out Text
	for i, p := range pieces {
		if i > 0 {
			out = append(out, to...)
		}
		out = append(out, p...)
	}
	return out
}

// format fills in {}, {0} and {name}, without format specifications.
func format(r *run, t Text, a *arguments) any {
	var out Text
	next := 0
	for len(t) > 0 {
		r.spend(1)
		c := t[0] & charMask
		if c != '{' && c != '}' {
			out, t = append(out, t[0]), t[1:]
			continue
		}
		if len(t) > 1 && t[1]&charMask == c {
			out, t = append(out, t[0]), t[2:]
			continue
		}
		end := t.index(Text{'}'})
		if c == '}' || end < 0 {
			r.fail("single brace in a format")
		}
		r.spend(end)
		name := t[1:end].String()
		t = t[end+1:]
		var v any
		ok := false
		if i, err := strconv.Atoi(name); err == nil || name == "" {
			if name == "" {
				i = next
				next++
			}
			if ok = i >= 0 && i < len(a.placed); ok {
				v = a.placed[i]
			}
		} else {
			v, ok = a.named[name]
		}
		if !ok {
			r.fail("format field {%s} has no argument; specifications after : or ! are not supported", name)
		}
		s := r.str(v)
		r.spend(len(s))
		out = append(out, s...)
	}
	return out
}
