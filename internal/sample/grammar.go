package sample

import "slices"

const (
	// maxDepth is how deep values nest; what needs more is not begun.
	maxDepth = 64
	// maxConfigs bounds the readings that are followed at once. Each of them can
	// be completed by itself, so that leaving some out makes no dead end.
	maxConfigs = 128
	// indentation is how many spaces or tabs may follow a newline, for each level.
	indentation = 4
)

type kind uint8

const (
	union  kind = iota // one of alts
	text               // what d accepts, byte by byte
	str                // a JSON string that d accepts, code point by code point
	record             // an object
	array
)

// node is a compiled schema. It does not change once compiled.
type node struct {
	kind   kind
	at     string // JSON pointer, for errors
	height int    // the least depth of a value, above maxDepth if there is none
	d      *dfa   // text, str

	alts []*node // union; once compiled, none of them a union

	props    []prop  // record: in this order
	required []int   // record: for each i up to len(props), the first required property from there
	keys     *dfa    // record: the properties' names, each with its closing quote
	under    [][]int // record: for each state of keys, the properties below it, sorted
	extraKey *node   // record: names of other properties, nil for none
	extra    *node   // record: their values

	prefix []*node // array: the first items
	items  *node   // array: the others, nil for none
	least  int     // array: items
	most   int     // array: items; negative is no limit
}

type prop struct {
	name string
	val  *node
}

// alternatives are the nodes that are not unions and stand for n.
func (n *node) alternatives() []*node {
	if n.kind == union {
		return n.alts
	}
	return []*node{n}
}

// item is what stands at i in an array, nil for nothing.
func (n *node) item(i int) *node {
	switch {
	case n.most >= 0 && i >= n.most:
		return nil
	case i < len(n.prefix):
		return n.prefix[i]
	}
	return n.items
}

// counted is how far items have to be counted: from there on all are alike.
func (n *node) counted() int { return max(len(n.prefix), n.least, n.most) }

// frame is a value that is open around another. Frames are interned: the same
// ones are the same pointer.
type frame struct {
	n     *node
	up    *frame
	i     int  // the property or item that is being read
	depth int  // frames up to this one
	key   bool // the name of another property is being read
}

func (f *frame) level() int {
	if f == nil {
		return 0
	}
	return f.depth
}

// config is one reading of the bytes so far. The zero value is a complete one.
type config struct {
	n  *node
	up *frame
	at int32  // state of n's automaton, or phase
	i  int    // property or item
	x  uint32 // white space read, state of keys, or a rune read in part
}

// The phases of a record or an array; before is of every kind.
const (
	before    int32 = -1
	opened    int32 = iota // after the opening bracket
	naming                 // inside a property's name
	named                  // after it
	valued                 // after the colon
	separated              // after a comma
	ended                  // after a value
)

// matcher follows configs byte by byte.
type matcher struct {
	frames map[frame]*frame
}

func (m *matcher) push(c config, key bool) *frame {
	f := frame{c.n, c.up, c.i, c.up.level() + 1, key}
	p, ok := m.frames[f]
	if !ok {
		p = &f
		m.frames[f] = p
	}
	return p
}

// pop is the config once the value below f is complete.
func pop(f *frame) config {
	switch {
	case f == nil:
		return config{}
	case f.key:
		return config{n: f.n, up: f.up, at: named, i: f.i}
	case f.n.kind == record:
		return config{n: f.n, up: f.up, at: ended, i: min(f.i+1, len(f.n.props))}
	}
	return config{n: f.n, up: f.up, at: ended, i: min(f.i+1, f.n.counted())}
}

// complete says whether the value may end here.
func (c config) complete() bool {
	switch {
	case c.n == nil:
		return true
	case c.up != nil:
		return false
	case c.at == before:
		return slices.ContainsFunc(c.n.alternatives(), func(n *node) bool { return n.kind == text && n.d.states[0].accept })
	}
	return c.n.kind == text && c.n.d.states[c.at].accept
}

// step appends the configs that c may become by b.
func (m *matcher) step(dst []config, c config, b byte) []config {
	switch {
	case c.n == nil:
		return dst
	case c.at == before:
		return m.start(dst, c.n, c.up, b)
	}
	switch c.n.kind {
	case text:
		if c.up != nil && c.n.d.states[c.at].accept {
			dst = m.step(dst, pop(c.up), b)
		}
		return m.stepText(dst, c, b)
	case str:
		return stepString(dst, c, b)
	case record:
		return m.stepRecord(dst, c, b)
	}
	return m.stepArray(dst, c, b)
}

// start reads the first byte of a value.
func (m *matcher) start(dst []config, n *node, up *frame, b byte) []config {
	for _, n := range n.alternatives() {
		switch {
		case !fits(n, up.level()):
		case n.kind == text:
			dst = m.stepText(dst, config{n: n, up: up}, b)
		case n.kind == str && b == '"':
			dst = append(dst, config{n: n, up: up})
		case n.kind == record && b == '{', n.kind == array && b == '[':
			dst = append(dst, config{n: n, up: up, at: opened})
		}
	}
	return dst
}

// fits says whether a value may stand below so many open ones.
func fits(n *node, depth int) bool { return depth+n.height <= maxDepth }

func (m *matcher) stepText(dst []config, c config, b byte) []config {
	if c.at = c.n.d.next(c.at, rune(b)); c.at < 0 {
		return dst
	}
	if c.n.d.final(c.at) {
		return append(dst, pop(c.up))
	}
	return append(dst, c)
}

// space reads white space: one space, or a newline and indentation.
func space(c config, b byte) (config, bool) {
	const one, newline = 1, 2
	switch {
	case c.x == 0 && b == ' ':
		c.x = one
	case c.x == 0 && b == '\n':
		c.x = newline
	case c.x >= newline && (b == ' ' || b == '\t') && int(c.x-newline) < indentation*(c.up.level()+1):
		c.x++
	default:
		return c, false
	}
	return c, true
}

func (m *matcher) stepArray(dst []config, c config, b byte) []config {
	item := c.n.item(c.i)
	more := item != nil && fits(item, c.up.level()+1)
	closes := c.i >= c.n.least && c.at != separated
	if c, ok := space(c, b); ok && (closes || c.at != ended) {
		return append(dst, c)
	}
	switch {
	case b == ']' && closes:
		return append(dst, pop(c.up))
	case !more:
	case c.at == ended:
		if b == ',' && c.x == 0 {
			c.at = separated
			return append(dst, c)
		}
	default:
		return m.start(dst, item, m.push(c, false), b)
	}
	return dst
}

func (m *matcher) stepRecord(dst []config, c config, b byte) []config {
	switch c.at {
	case naming:
		c.x = uint32(c.n.keys.next(int32(c.x), rune(b)))
		if int32(c.x) < 0 {
			return dst
		}
		i := c.among(c.n.under[c.x])
		if i < 0 {
			return dst
		}
		if c.n.keys.states[c.x].accept {
			c.at, c.i, c.x = named, i, 0
		}
		return append(dst, c)
	case named:
		if b == ':' {
			c.at = valued
			return append(dst, c)
		}
		return dst
	case valued:
		if b == ' ' && c.x == 0 {
			c.x = 1
			return append(dst, c)
		}
		val := c.n.extra
		if c.i < len(c.n.props) {
			val = c.n.props[c.i].val
		}
		return m.start(dst, val, m.push(c, false), b)
	}
	closes := c.n.required[c.i] == len(c.n.props) && c.at != separated
	if c, ok := space(c, b); ok && (closes || c.at != ended) {
		return append(dst, c)
	}
	switch {
	case b == '}' && closes:
		return append(dst, pop(c.up))
	case b == ',' && c.at == ended && c.x == 0 && (c.namesOne() || c.namesOther()):
		c.at = separated
		return append(dst, c)
	case b == '"' && c.at != ended:
		if c.namesOther() {
			other := config{n: c.n, up: c.up, i: len(c.n.props)}
			dst = append(dst, config{n: c.n.extraKey, up: m.push(other, true)})
		}
		if c.namesOne() {
			c.at, c.x = naming, 0
			dst = append(dst, c)
		}
	}
	return dst
}

// among is the first of the given properties that may come next, or -1.
func (c config) among(props []int) int {
	from, _ := slices.BinarySearch(props, c.i)
	for _, i := range props[from:] {
		if i > c.n.required[c.i] {
			break
		}
		if fits(c.n.props[i].val, c.up.level()+1) {
			return i
		}
	}
	return -1
}

// namesOne says whether a property of the schema may come next.
func (c config) namesOne() bool { return len(c.n.props) > 0 && c.among(c.n.under[0]) >= 0 }

// namesOther says whether a property that the schema does not name may.
func (c config) namesOther() bool {
	return c.n.extra != nil && c.n.required[c.i] == len(c.n.props) && fits(c.n.extra, c.up.level()+1)
}
