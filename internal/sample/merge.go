package sample

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

const maxRefs = 32

// merge is the schema of what both a and b accept, if keywords can say it.
func (c *compiler) merge(a, b *value) (*value, error) {
	if obj, ok := b.v.(object); ok && len(asserting(obj)) == 0 {
		return a, nil // keeps a's identity, so that it is compiled once
	}
	if obj, ok := a.v.(object); ok && len(asserting(obj)) == 0 {
		return b, nil
	}
	if err := c.budget.spend(1); err != nil {
		return nil, a.errorf("%v", err)
	}
	x, err := c.merged(a)
	if err != nil {
		return nil, err
	}
	y, err := c.merged(b)
	if err != nil {
		return nil, err
	}
	for _, s := range [][2]*value{{x, y}, {y, x}} {
		if err := closed(s[0], s[1]); err != nil {
			return nil, err
		}
	}
	out := &value{at: a.at}
	obj := slices.Clone(x.v.(object))
	for _, m := range y.v.(object) {
		i := slices.IndexFunc(obj, func(o member) bool { return o.key == m.key })
		if i < 0 {
			obj = append(obj, m)
			continue
		}
		if obj[i].val, err = c.conjoin(m.key, obj[i].val, m.val); err != nil {
			return nil, err
		}
	}
	out.v = obj
	return out, nil
}

// asserting are the members of a schema that are no annotations.
func asserting(obj object) object {
	return slices.DeleteFunc(slices.Clone(obj), func(m member) bool { return keywords[m.key] == annotation })
}

// merged is a schema with its reference followed and its annotations gone; one
// that combines others in turn cannot be merged.
func (c *compiler) merged(v *value) (*value, error) {
	for range maxRefs {
		obj, ok := v.v.(object)
		if !ok {
			return nil, v.errorf("only schemas that are objects can be combined")
		}
		obj = asserting(obj)
		if len(obj) == 1 && obj[0].key == "$ref" {
			var err error
			if v, err = c.resolve(obj[0].val); err != nil {
				return nil, err
			}
			continue
		}
		for _, m := range obj {
			switch m.key {
			case "anyOf", "oneOf", "allOf", "$ref", "nullable":
				return nil, m.val.errorf("it is not supported in a schema that is combined with another")
			}
		}
		return &value{v.at, obj}, nil
	}
	return nil, v.errorf("references lead round in circles")
}

// closed refuses what a says of properties and items that only b names: in the
// union of the keywords it would no longer be said.
func closed(a, b *value) error {
	if extra, others := a.get("additionalProperties"), b.get("properties"); extra != nil && extra.v != true && others != nil {
		named := map[string]*value{}
		if p := a.get("properties"); p != nil {
			obj, _ := p.v.(object)
			named = obj.index()
		}
		obj, _ := others.v.(object)
		for _, m := range obj {
			if named[m.key] == nil {
				return extra.errorf("it is not supported beside another schema that has the property %q", m.key)
			}
		}
	}
	if items := a.get("items"); items != nil && b.get("prefixItems") != nil {
		return items.errorf("it is not supported beside another schema that has prefixItems")
	}
	return nil
}

// conjoin is what two values of a keyword say together.
func (c *compiler) conjoin(key string, a, b *value) (*value, error) {
	x, y := a.encode(nil), b.encode(nil)
	if err := c.budget.spend((len(x) + len(y)) / 16); err != nil {
		return nil, b.errorf("%v", err)
	}
	if bytes.Equal(x, y) {
		return a, nil
	}
	switch key {
	case "required":
		x, err := a.list()
		if err != nil {
			return nil, err
		}
		y, err := b.list()
		return &value{a.at, append(x[:len(x):len(x)], y...)}, err
	case "properties":
		x, okA := a.v.(object)
		y, okB := b.v.(object)
		if !okA || !okB {
			return nil, b.errorf("want an object")
		}
		out, known := slices.Clone(x), x.index()
		for _, m := range y {
			if o := known[m.key]; o == nil {
				out = append(out, m)
			} else if !bytes.Equal(o.encode(nil), m.val.encode(nil)) {
				return nil, m.val.errorf("it is described differently at #%s", o.at)
			}
		}
		return &value{a.at, out}, nil
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "maximum", "exclusiveMaximum", "maxLength", "maxItems":
		x, okA := a.v.(json.Number)
		y, okB := b.v.(json.Number)
		if !okA || !okB {
			return nil, b.errorf("want a number")
		}
		p, err := parseLimit(x.String())
		if err != nil {
			return nil, a.errorf("%v", err)
		}
		q, err := parseLimit(y.String())
		if err != nil {
			return nil, b.errorf("%v", err)
		}
		if less := p.Cmp(q) < 0; less == strings.Contains(strings.ToLower(key), "max") { // the narrower
			return a, nil
		}
		return b, nil
	}
	return nil, b.errorf("it differs from what #%s says, and the two cannot be combined", a.at)
}
