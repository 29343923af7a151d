package sample

import "slices"

// record compiles what v says of objects.
func (c *compiler) record(v *value) (*node, error) {
	n := c.add(v.at, node{kind: record})
	props, err := properties(v)
	if err != nil {
		return nil, err
	}
	var needs []string
	if m := v.get("required"); m != nil {
		if needs, err = m.strings(); err != nil {
			return nil, err
		}
	}
	extra := v.get("additionalProperties")
	open := extra == nil && len(props) == 0
	if extra != nil && extra.v != false {
		if n.extra, err = c.schema(extra); err != nil {
			return nil, err
		}
	} else if open {
		if n.extra, err = c.every(); err != nil {
			return nil, err
		}
	}
	known, needed := object(props).index(), make(map[string]bool)
	for _, name := range needs {
		if needed[name] {
			continue
		}
		needed[name] = true
		if known[name] != nil {
			continue
		}
		val := &value{at: v.get("required").at, v: true} // not described, so of any kind
		if extra != nil {
			val = extra
		}
		props = append(props, member{name, val})
	}
	names := make([]string, len(props))
	for i, m := range props {
		val, err := c.schema(m.val)
		if err != nil {
			return nil, err
		}
		names[i] = m.key
		n.props = append(n.props, prop{m.key, val})
	}
	n.required = make([]int, len(props)+1)
	n.required[len(props)] = len(props)
	for i := len(props) - 1; i >= 0; i-- {
		n.required[i] = n.required[i+1]
		if needed[names[i]] {
			n.required[i] = i
		}
	}
	if err := n.sizes(v, len(needed)); err != nil {
		return nil, err
	}
	return n, c.names(n, v, names)
}

// properties are the members of "properties", in the order of answers.
func properties(v *value) ([]member, error) {
	m := v.get("properties")
	if m == nil {
		return nil, nil
	}
	obj, ok := m.v.(object)
	if !ok {
		return nil, m.errorf("want an object")
	}
	props := slices.Clone(obj)
	order := v.get("propertyOrdering")
	if order == nil {
		return props, nil
	}
	names, err := order.strings()
	if err != nil {
		return nil, err
	}
	rank, known := make(map[string]int), obj.index()
	for i, name := range names {
		if known[name] == nil {
			return nil, order.errorf("%q is not one of the properties", name)
		}
		rank[name] = i - len(names)
	}
	slices.SortStableFunc(props, func(a, b member) int { return rank[a.key] - rank[b.key] })
	return props, nil
}

// sizes refuses minProperties and maxProperties, unless they follow from the rest.
func (n *node) sizes(v *value, needs int) error {
	if m := v.get("minProperties"); m != nil {
		if least, err := m.count(); err != nil {
			return err
		} else if least > needs {
			return m.errorf("it is supported only up to the number of required properties")
		}
	}
	if m := v.get("maxProperties"); m != nil {
		if most, err := m.count(); err != nil {
			return err
		} else if most < len(n.props) || n.extra != nil {
			return m.errorf("it is supported only where no more properties are possible")
		}
	}
	return nil
}

// names compiles the names of n's properties and of others.
func (c *compiler) names(n *node, v *value, names []string) error {
	words := make([][]byte, len(names))
	for i, name := range names {
		words[i] = appendString(nil, name)[1:]
	}
	var err error
	if len(names) > 0 {
		if n.keys, err = trie(words, &c.budget); err != nil {
			return v.errorf("%v", err)
		}
		n.under = make([][]int, len(n.keys.states))
	}
	for i, w := range words {
		at := int32(0)
		n.under[at] = append(n.under[at], i)
		for _, b := range w {
			at = n.keys.next(at, rune(b))
			n.under[at] = append(n.under[at], i)
		}
	}
	if n.extra != nil {
		d, err := except(names, &c.budget)
		if err != nil {
			return v.errorf("%v", err)
		}
		n.extraKey = c.add(v.at, node{kind: str, d: d.measure()})
	}
	return nil
}

// array compiles what v says of arrays.
func (c *compiler) array(v *value) (*node, error) {
	n := c.add(v.at, node{kind: array, most: -1})
	var err error
	if m := v.get("minItems"); m != nil {
		if n.least, err = m.count(); err != nil {
			return nil, err
		}
	}
	if m := v.get("maxItems"); m != nil {
		if n.most, err = m.count(); err != nil {
			return nil, err
		}
	}
	if m := v.get("uniqueItems"); m != nil && m.v != false {
		return nil, m.errorf("it is not supported")
	}
	items, first := v.get("items"), v.get("prefixItems")
	if first != nil {
		list, err := first.list()
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			item, err := c.schema(e)
			if err != nil {
				return nil, err
			}
			n.prefix = append(n.prefix, item)
		}
	}
	switch {
	case items != nil && items.v == false:
	case items != nil:
		n.items, err = c.schema(items)
	case first == nil || n.least > len(n.prefix):
		n.items, err = c.every()
	}
	if n.most >= 0 && n.most < n.least {
		return nil, v.get("maxItems").errorf("it is less than minItems")
	}
	return n, err
}
