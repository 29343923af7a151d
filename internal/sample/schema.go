package sample

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Schema says what an answer may be. It does not change and may be shared.
type Schema struct {
	root *node
}

// anyJSON is the schema of every value.
var anyJSON = sync.OnceValues(func() (*Schema, error) { return ParseSchema(nil) })

// ParseSchema compiles a JSON Schema; an empty text is the schema of every value.
// A schema that it cannot hold answers to is refused with a [*SchemaError].
//
// Answers satisfy the schema, but not every value that satisfies it is an
// answer: properties come in the schema's order, and other ones only where
// additionalProperties asks for them or no properties are given; without a type,
// a schema with properties is one of objects, and so on.
func ParseSchema(text []byte) (*Schema, error) {
	if len(text) == 0 {
		text = []byte("true")
	}
	root, err := parseValue(text)
	if err != nil {
		return nil, err
	}
	c := &compiler{root: root, memo: make(map[*value]*node), budget: maxBudget}
	n, err := c.schema(root)
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if n.height > maxDepth {
		return nil, root.errorf("no value satisfies it, or none that nests at most %d deep", maxDepth)
	}
	return &Schema{n}, nil
}

// Choices is the schema of an answer that is one of the words, as they are.
func Choices(words []string) (*Schema, error) {
	b := maxBudget
	list := make([][]byte, len(words))
	for i, w := range words {
		list[i] = []byte(w)
	}
	d, err := trie(list, &b)
	if err != nil {
		return nil, fmt.Errorf("sample: %d choices: %w", len(words), err)
	}
	return &Schema{&node{kind: text, d: d}}, nil
}

// The keywords of a schema, by what they ask of.
const (
	annotation = "annotation"
	ofAny      = "any"
)

var keywords = map[string]string{
	"title": annotation, "description": annotation, "default": annotation, "example": annotation, "examples": annotation,
	"$schema": annotation, "$comment": annotation, "deprecated": annotation, "readOnly": annotation, "writeOnly": annotation,
	"contentEncoding": annotation, "contentMediaType": annotation, "$defs": annotation, "definitions": annotation,

	"type": ofAny, "nullable": ofAny, "enum": ofAny, "const": ofAny, "anyOf": ofAny, "oneOf": ofAny, "allOf": ofAny, "$ref": ofAny,

	"properties": "object", "required": "object", "additionalProperties": "object", "propertyOrdering": "object",
	"minProperties": "object", "maxProperties": "object",
	"items": "array", "prefixItems": "array", "minItems": "array", "maxItems": "array", "uniqueItems": "array",
	"minLength": "string", "maxLength": "string", "pattern": "string", "format": "string",
	"minimum": "number", "maximum": "number", "exclusiveMinimum": "number", "exclusiveMaximum": "number", "multipleOf": "number",
}

type compiler struct {
	root   *value
	memo   map[*value]*node // also of those in progress
	nodes  []*node
	budget budget
	depth  int
	all    *node // every value
}

const maxRecursion = 1000

// add makes a node of the schema's compilation.
func (c *compiler) add(at string, n node) *node {
	n.at = at
	c.nodes = append(c.nodes, &n)
	return &n
}

// schema compiles v, once.
func (c *compiler) schema(v *value) (*node, error) {
	if n, ok := c.memo[v]; ok {
		return n, nil
	}
	n := c.add(v.at, node{kind: union})
	c.memo[v] = n
	if c.depth++; c.depth > maxRecursion {
		return nil, v.errorf("schemas refer to one another too deep")
	}
	defer func() { c.depth-- }()
	if err := c.budget.spend(1); err != nil {
		return nil, v.errorf("%v", err)
	}
	var err error
	n.alts, err = c.union(v)
	return n, err
}

// union compiles v as the values of several schemas.
func (c *compiler) union(v *value) ([]*node, error) {
	if b, ok := v.v.(bool); ok {
		if b {
			all, err := c.every()
			return []*node{all}, err
		}
		return nil, nil
	}
	obj, ok := v.v.(object)
	if !ok {
		return nil, v.errorf("a schema is an object, true or false")
	}
	for _, m := range obj {
		if m.key == "$id" && v == c.root {
			continue
		}
		if keywords[m.key] == "" {
			return nil, m.val.errorf("the keyword is not supported")
		}
	}
	alts, err := c.core(v, obj)
	if err != nil {
		return nil, err
	}
	if nullable := v.get("nullable"); nullable != nil {
		yes, err := nullable.boolean()
		if err != nil {
			return nil, err
		}
		if yes {
			null, err := c.literals(v, "null")
			if err != nil {
				return nil, err
			}
			alts = append(alts, null)
		}
	}
	return alts, nil
}

// core compiles what v says beside "nullable".
func (c *compiler) core(v *value, obj object) ([]*node, error) {
	rest := &value{at: v.at}
	var parts []member // what combines schemas
	asserts := object{}
	for _, m := range obj {
		switch {
		case m.key == "anyOf", m.key == "oneOf", m.key == "allOf", m.key == "$ref":
			parts = append(parts, m)
		case m.key != "nullable" && keywords[m.key] != annotation && m.key != "$id":
			asserts = append(asserts, m)
		}
	}
	rest.v = asserts
	if len(parts) == 0 {
		return c.plain(rest)
	}
	if len(parts) > 1 {
		return nil, parts[1].val.errorf("it is not supported beside %s", parts[0].key)
	}
	part := parts[0].val
	if parts[0].key == "$ref" {
		if len(asserts) > 0 {
			return nil, asserts[0].val.errorf("it is not supported beside $ref; use allOf")
		}
		to, err := c.resolve(part)
		if err != nil {
			return nil, err
		}
		n, err := c.schema(to)
		return []*node{n}, err
	}
	list, err := part.list()
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, part.errorf("want at least one schema")
	}
	if parts[0].key == "allOf" {
		all := list[0]
		for _, e := range append(list[1:len(list):len(list)], rest) {
			if all, err = c.merge(all, e); err != nil {
				return nil, err
			}
		}
		n, err := c.schema(all)
		return []*node{n}, err
	}
	alts := make([]*node, len(list))
	for i, e := range list {
		if e, err = c.merge(e, rest); err != nil {
			return nil, err
		}
		if alts[i], err = c.schema(e); err != nil {
			return nil, err
		}
	}
	return alts, nil
}

// resolve is what a $ref refers to.
func (c *compiler) resolve(ref *value) (*value, error) {
	s, err := ref.str()
	if err != nil {
		return nil, err
	}
	path, local := strings.CutPrefix(s, "#")
	path, err = url.PathUnescape(path)
	if !local || err != nil || path != "" && path[0] != '/' {
		return nil, ref.errorf("%q is not supported, only %q and what begins with %q", s, "#", "#/")
	}
	to := c.root
	for _, key := range strings.Split(path, "/")[1:] {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		next := to.get(key)
		if list, ok := to.v.([]*value); ok {
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(list) {
				next = list[i]
			}
		}
		if to = next; to == nil {
			return nil, ref.errorf("there is nothing at %q", s)
		}
	}
	return to, nil
}

var typeNames = []string{"object", "array", "string", "number", "integer", "boolean", "null"}

// plain compiles a schema that combines no others.
func (c *compiler) plain(v *value) ([]*node, error) {
	types, err := c.types(v)
	if err != nil {
		return nil, err
	}
	if v.get("enum") != nil || v.get("const") != nil {
		return c.enum(v, types)
	}
	if types == nil {
		all, err := c.every()
		return []*node{all}, err
	}
	var alts []*node
	for _, t := range types {
		var n *node
		switch t {
		case "object":
			n, err = c.record(v)
		case "array":
			n, err = c.array(v)
		case "string":
			n, err = c.str(v)
		case "number", "integer":
			n, err = c.number(v, t == "integer")
		case "boolean":
			n, err = c.literals(v, "true", "false")
		case "null":
			n, err = c.literals(v, "null")
		}
		if err != nil {
			return nil, err
		}
		alts = append(alts, n)
	}
	return alts, nil
}

// types are those that v permits: as it says, or as its keywords imply; nil is
// all of them.
func (c *compiler) types(v *value) ([]string, error) {
	var types []string
	if t := v.get("type"); t != nil {
		list, ok := t.v.([]*value)
		if !ok {
			list = []*value{t}
		}
		for _, e := range list {
			s, err := e.str()
			if err != nil {
				return nil, err
			}
			s = strings.ToLower(s) // Gemini writes STRING
			if !slices.Contains(typeNames, s) {
				return nil, e.errorf("the type %q is unknown", s)
			}
			types = append(types, s)
		}
		if len(types) == 0 {
			return nil, t.errorf("want at least one type")
		}
		if slices.Contains(types, "number") { // every integer is a number
			types = slices.DeleteFunc(types, func(s string) bool { return s == "integer" })
		}
		return types, nil
	}
	for _, m := range v.v.(object) {
		if k := keywords[m.key]; k != ofAny && !slices.Contains(types, k) {
			types = append(types, k)
		}
	}
	return types, nil
}

// enum compiles the values of "enum" or "const" that are of the types.
func (c *compiler) enum(v *value, types []string) ([]*node, error) {
	var list []*value
	for _, m := range v.v.(object) {
		switch m.key {
		case "type":
		case "format": // Gemini's "enum", else an annotation beside the values
		case "enum", "const":
			if list != nil {
				return nil, m.val.errorf("enum and const together are not supported")
			}
			list = []*value{m.val}
			if m.key == "enum" {
				var err error
				if list, err = m.val.list(); err != nil {
					return nil, err
				}
			}
		default:
			return nil, m.val.errorf("it is not supported beside enum and const")
		}
	}
	var words []string
	for _, e := range list {
		if v.get("type") == nil || slices.ContainsFunc(types, func(t string) bool { return isOf(e, t) }) {
			words = append(words, string(e.encode(nil)))
		}
	}
	n, err := c.literals(v, words...)
	return []*node{n}, err
}

// isOf says whether a value is of a type.
func isOf(v *value, typ string) bool {
	switch x := v.v.(type) {
	case object:
		return typ == "object"
	case []*value:
		return typ == "array"
	case string:
		return typ == "string"
	case bool:
		return typ == "boolean"
	case json.Number:
		r, err := parseLimit(x.String())
		whole := !strings.ContainsAny(x.String(), ".eE") || err == nil && r.IsInt()
		return typ == "number" || typ == "integer" && whole
	}
	return typ == "null"
}

// literals compiles values written as they are.
func (c *compiler) literals(v *value, words ...string) (*node, error) {
	list := make([][]byte, len(words))
	for i, w := range words {
		list[i] = []byte(w)
	}
	d, err := trie(list, &c.budget)
	if err != nil {
		return nil, v.errorf("%v", err)
	}
	return c.add(v.at, node{kind: text, d: d}), nil
}

// every compiles the schema of all values.
func (c *compiler) every() (*node, error) {
	if c.all != nil {
		return c.all, nil
	}
	c.all = c.add("", node{kind: union})
	empty := &value{v: object{}}
	s, err := c.str(empty)
	if err != nil {
		return nil, err
	}
	num, err := c.number(empty, false)
	if err != nil {
		return nil, err
	}
	words, err := c.literals(empty, "true", "false", "null")
	if err != nil {
		return nil, err
	}
	obj, err := c.record(empty)
	if err != nil {
		return nil, err
	}
	list, err := c.array(empty)
	c.all.alts = []*node{obj, list, s, num, words}
	return c.all, err
}

// str compiles what v says of strings.
func (c *compiler) str(v *value) (*node, error) {
	d, err := c.sized(v)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"format", "pattern"} {
		m := v.get(key)
		if m == nil {
			continue
		}
		expr, err := m.str()
		if err != nil {
			return nil, err
		}
		compile := pattern
		if key == "format" {
			var known bool
			if expr, known = formats[expr]; !known {
				continue
			}
			compile = regex
		}
		other, err := compile(expr, &c.budget)
		if err == nil && d != nil {
			other, err = intersect(d, other, &c.budget)
		}
		if err != nil {
			return nil, m.errorf("%v", err)
		}
		d = other
	}
	if d == nil {
		if d, err = lengths(0, -1, &c.budget); err != nil {
			return nil, v.errorf("%v", err)
		}
	}
	return c.add(v.at, node{kind: str, d: d.measure()}), nil
}

// sized is the automaton of minLength and maxLength, nil if there are none.
func (c *compiler) sized(v *value) (*dfa, error) {
	shortest, longest := v.get("minLength"), v.get("maxLength")
	if shortest == nil && longest == nil {
		return nil, nil
	}
	lo, hi := 0, -1
	var err error
	if shortest != nil {
		if lo, err = shortest.count(); err != nil {
			return nil, err
		}
	}
	if longest != nil {
		if hi, err = longest.count(); err != nil {
			return nil, err
		}
	}
	d, err := lengths(lo, hi, &c.budget)
	if err != nil {
		return nil, v.errorf("minLength and maxLength: %v", err)
	}
	return d, nil
}

// number compiles what v says of numbers.
func (c *compiler) number(v *value, whole bool) (*node, error) {
	var lo, hi limit
	if whole {
		lo.x, hi.x = new(big.Rat).SetInt64(math.MinInt64), new(big.Rat).SetInt64(math.MaxInt64)
	}
	for _, k := range []struct {
		key  string
		to   *limit
		sign int
		open bool
	}{
		{"minimum", &lo, -1, false}, {"exclusiveMinimum", &lo, -1, true},
		{"maximum", &hi, 1, false}, {"exclusiveMaximum", &hi, 1, true},
	} {
		m := v.get(k.key)
		if m == nil {
			continue
		}
		text, ok := m.v.(json.Number)
		if !ok {
			return nil, m.errorf("want a number")
		}
		x, err := parseLimit(text.String())
		if err != nil {
			return nil, m.errorf("%v", err)
		}
		k.to.tighten(limit{x, k.open}, k.sign)
	}
	if name := v.get("format"); whole && name != nil && name.v == "int32" {
		lo.tighten(limit{x: new(big.Rat).SetInt64(math.MinInt32)}, -1)
		hi.tighten(limit{x: new(big.Rat).SetInt64(math.MaxInt32)}, 1)
	}
	var d *dfa
	var err error
	if lo.x == nil && hi.x == nil {
		d, err = regex(anyNumber, &c.budget)
	} else {
		d, err = interval(lo, hi, whole, &c.budget)
	}
	if err != nil {
		return nil, v.errorf("minimum and maximum: %v", err)
	}
	if m := v.get("multipleOf"); m != nil {
		by, err := m.count()
		if err != nil || by == 0 || by > 500 || !whole {
			return nil, m.errorf("multipleOf is supported for integers, from 1 to 500")
		}
		of, err := multiples(by, &c.budget)
		if err == nil {
			d, err = intersect(d, of, &c.budget)
		}
		if err != nil {
			return nil, m.errorf("%v", err)
		}
	}
	return c.add(v.at, node{kind: text, d: d}), nil
}

// finish removes unions of unions and finds every node's height.
func (c *compiler) finish() error {
	for _, n := range c.nodes {
		if n.kind != union {
			continue
		}
		seen := map[*node]bool{n: true}
		flat := []*node{}
		todo := slices.Clone(n.alts)
		slices.Reverse(todo)
		for len(todo) > 0 {
			a := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if seen[a] {
				continue
			}
			seen[a] = true
			if err := c.budget.spend(1); err != nil {
				return &SchemaError{n.at, err.Error()}
			}
			if a.kind == union {
				for _, b := range slices.Backward(a.alts) {
					todo = append(todo, b)
				}
			} else {
				flat = append(flat, a)
			}
		}
		n.alts = flat
	}
	for _, n := range c.nodes {
		if n.kind != text && n.kind != str {
			n.height = maxDepth + 1
		}
	}
	for changed := true; changed; {
		changed = false
		for _, n := range c.nodes {
			if h := n.minHeight(); h < n.height {
				n.height, changed = h, true
			}
		}
	}
	for _, n := range c.nodes {
		n.alts = slices.DeleteFunc(n.alts, func(a *node) bool { return a.height > maxDepth })
		if len(n.alts) > maxConfigs {
			return &SchemaError{n.at, fmt.Sprintf("%d alternatives, want at most %d; for fixed values use enum", len(n.alts), maxConfigs)}
		}
	}
	return nil
}

// minHeight is the height that follows from the nodes below.
func (n *node) minHeight() int {
	h := 0
	switch n.kind {
	case union:
		h = maxDepth + 1
		for _, a := range n.alts {
			h = min(h, a.height)
		}
		return h
	case record:
		for i := n.required[0]; i < len(n.props); i = n.required[i+1] {
			h = max(h, n.props[i].val.height)
		}
		return h + 1
	case array:
		for i := 0; i < n.least; i++ {
			item := n.item(i)
			if item == nil {
				return maxDepth + 1
			}
			h = max(h, item.height)
			if i >= len(n.prefix) {
				break
			}
		}
		return h + 1
	}
	return 0
}
