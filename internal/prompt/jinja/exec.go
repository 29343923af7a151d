package jinja

import (
	"context"
	"fmt"
	"time"
)

// Limits of a rendering.
const (
	baseWork  = 4 << 20 // that any template may take: 1 for a node or character, more for what follows
	inputWork = 32      // and for each of its input
	baseText  = 1 << 20 // characters that any template may write
	inputText = 16      // and for each of its input
	maxDepth  = 2000    // of evaluation, and of values
	maxCalls  = 100     // of macros inside one another
	element   = 4       // what an element of a new list costs
	scopeCost = 8       // what a turn of a loop or a call costs
)

// run is one rendering.
type run struct {
	ctx   context.Context
	now   time.Time
	scope *scope
	out   Text
	room  int // characters that may still be written
	work  int // what is left of the budget
	ticks int // until the context is checked
	line  int // of the node that runs
	depth int
	calls int
}

// scope holds variables; what it lacks may be in the outer one.
type scope struct {
	vars  map[string]any
	outer *scope
}

func (s *scope) get(name string) (any, bool) {
	for ; s != nil; s = s.outer {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// Render runs the template with these variables; now is what strftime_now
// formats. What the template fails with is an [Error], or the context's error.
func (t *Template) Render(ctx context.Context, vars *Dict, now time.Time) (out Text, err error) {
	r := &run{ctx: ctx, now: now, line: 1}
	defer rescue(&err, func() int { return r.line })
	input := size(vars, 0)
	r.work, r.room = baseWork+inputWork*input, baseText+inputText*input
	r.scope = &scope{vars: make(map[string]any), outer: &scope{vars: functions}}
	for i, k := range vars.keys {
		r.scope.vars[r.str(k).String()] = vars.values[i]
	}
	r.block(t.body)
	return r.out, nil
}

func (r *run) fail(format string, args ...any) {
	panic(&Error{r.line, fmt.Sprintf(format, args...)})
}

// spend charges n to the budget.
func (r *run) spend(n int) {
	if r.work -= n; r.work < 0 || n < 0 {
		r.fail("the template does more work than its input allows: does a loop not end?")
	}
	if r.ticks--; r.ticks < 0 {
		r.ticks = 1000
		if err := r.ctx.Err(); err != nil {
			panic(stopped{fmt.Errorf("line %d: %w", r.line, err)})
		}
	}
}

func (r *run) write(t Text) {
	r.spend(len(t))
	if r.room -= len(t); r.room < 0 {
		r.fail("the template writes more than its input allows")
	}
	r.out = append(r.out, t...)
}

// node is an expression or a statement; a statement has no value. A node is run
// by [run.eval] only.
type node interface {
	pos() int
	eval(r *run) any
}

type at struct{ line int }

func (a at) pos() int { return a.line }

// eval runs a node.
func (r *run) eval(n node) any {
	r.spend(1)
	if r.depth++; r.depth > maxDepth {
		r.fail("evaluation is nested more than %d deep", maxDepth)
	}
	line := r.line
	r.line = n.pos()
	v := n.eval(r)
	r.line = line
	r.depth--
	return v
}

// flow is how a statement ends, where it is not the next one's turn.
type flow int

const (
	flowBreak flow = iota + 1
	flowContinue
)

// block runs statements until one of them jumps.
func (r *run) block(body []node) any {
	for _, n := range body {
		if f, ok := r.eval(n).(flow); ok {
			return f
		}
	}
	return nil
}

// within runs f in a scope of its own.
func (r *run) within(s *scope, f func()) {
	outer := r.scope
	r.scope = s
	f()
	r.scope = outer
}

// capture returns what f writes.
func (r *run) capture(f func()) Text {
	out, room := r.out, r.room
	r.out = nil
	f()
	t := r.out
	r.out, r.room = out, room
	return t
}

type output struct {
	at
	value node
}

func (n *output) eval(r *run) any {
	r.write(r.str(r.eval(n.value)))
	return nil
}

// captured is the text that a block writes.
type captured struct {
	at
	body []node
}

func (n *captured) eval(r *run) any {
	return r.capture(func() {
		r.within(&scope{make(map[string]any), r.scope}, func() { r.block(n.body) })
	})
}

// inner is a block with a scope of its own.
type inner struct {
	at
	body []node
}

func (n *inner) eval(r *run) (v any) {
	r.within(&scope{make(map[string]any), r.scope}, func() { v = r.block(n.body) })
	return v
}

type jump struct {
	at
	to flow
}

func (n *jump) eval(*run) any { return n.to }

type branch struct {
	at
	cond            node
	then, otherwise []node
}

func (n *branch) eval(r *run) any {
	if truth(r.eval(n.cond)) {
		return r.block(n.then)
	}
	return r.block(n.otherwise)
}

// target is what is assigned to: a variable, or an attribute of a namespace.
type target struct{ name, attribute string }

func (r *run) assign(targets []target, v any) {
	if len(targets) == 1 {
		r.assignOne(targets[0], v)
		return
	}
	list := r.iterate(v)
	if len(list) != len(targets) {
		r.fail("%d values for %d names", len(list), len(targets))
	}
	for i, t := range targets {
		r.assignOne(t, list[i])
	}
}

func (r *run) assignOne(t target, v any) {
	if t.attribute == "" {
		r.scope.vars[t.name] = v
		return
	}
	held, _ := r.scope.get(t.name)
	ns, ok := held.(*namespace)
	if !ok {
		r.fail("%q is no namespace, only of one attributes can be set", t.name)
	}
	ns.vars[t.attribute] = v
}

type assign struct {
	at
	targets []target
	value   node
}

func (n *assign) eval(r *run) any {
	r.assign(n.targets, r.eval(n.value))
	return nil
}

type loop struct {
	at
	targets         []target
	over, cond      node
	body, otherwise []node
}

func (n *loop) eval(r *run) (v any) {
	list := r.iterate(r.eval(n.over))
	if n.cond != nil {
		var kept List
		for _, x := range list {
			r.spend(scopeCost)
			r.within(&scope{make(map[string]any), r.scope}, func() {
				r.assign(n.targets, x)
				if truth(r.eval(n.cond)) {
					kept = append(kept, x)
				}
			})
		}
		list = kept
	}
	if len(list) == 0 {
		return r.block(n.otherwise)
	}
	state := &loopState{list: list}
	for i, x := range list {
		r.spend(scopeCost)
		state.index = i
		var jump any
		r.within(&scope{map[string]any{"loop": state}, r.scope}, func() {
			r.assign(n.targets, x)
			jump = r.block(n.body)
		})
		if jump == flowBreak {
			break
		}
	}
	return nil
}

type macro struct {
	at
	name     string
	params   []string
	defaults []node // nil where there is none
	body     []node
}

func (n *macro) eval(r *run) any {
	outer := r.scope
	r.scope.vars[n.name] = function(func(r *run, a *arguments) (v any) {
		if r.calls++; r.calls > maxCalls {
			r.fail("macro %q is called more than %d deep", n.name, maxCalls)
		}
		r.spend(scopeCost)
		given := a.take(r, n.params...)
		r.within(&scope{make(map[string]any), outer}, func() {
			for i, name := range n.params {
				if _, missing := given[i].(undefined); missing && n.defaults[i] != nil {
					given[i] = r.eval(n.defaults[i])
				}
				r.scope.vars[name] = given[i]
			}
			v = r.capture(func() { r.block(n.body) })
		})
		r.calls--
		return v
	})
	return nil
}

type literal struct {
	at
	value any
}

func (n *literal) eval(*run) any { return n.value }

type variable struct {
	at
	name string
}

func (n *variable) eval(r *run) any {
	if v, ok := r.scope.get(n.name); ok {
		return v
	}
	return undefined{name: n.name}
}

type listOf struct {
	at
	items []node
}

func (n *listOf) eval(r *run) any {
	r.spend(element * len(n.items))
	list := make(List, len(n.items))
	for i, x := range n.items {
		list[i] = r.eval(x)
	}
	return list
}

type dictOf struct {
	at
	keys, values []node
}

func (n *dictOf) eval(r *run) any {
	d := &Dict{}
	r.spend(element * len(n.keys))
	for i, k := range n.keys {
		key := r.eval(k)
		d.set(r.key(key), key, r.eval(n.values[i]))
	}
	return d
}

type choice struct {
	at
	cond, then, otherwise node
}

func (n *choice) eval(r *run) any {
	switch {
	case truth(r.eval(n.cond)):
		return r.eval(n.then)
	case n.otherwise != nil:
		return r.eval(n.otherwise)
	}
	return undefined{name: "if without else"}
}

// logic is "or", or else "and".
type logic struct {
	at
	or          bool
	left, right node
}

func (n *logic) eval(r *run) any {
	if v := r.eval(n.left); truth(v) == n.or {
		return v
	}
	return r.eval(n.right)
}

type negation struct {
	at
	value node
}

func (n *negation) eval(r *run) any { return !truth(r.eval(n.value)) }

type comparison struct {
	at
	left  node
	ops   []string
	right []node
}

func (n *comparison) eval(r *run) any {
	left := r.eval(n.left)
	for i, op := range n.ops {
		right := r.eval(n.right[i])
		if !r.compare(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

type binary struct {
	at
	op          string
	left, right node
}

func (n *binary) eval(r *run) any {
	left := r.eval(n.left)
	return r.arithmetic(n.op, left, r.eval(n.right))
}

type sign struct {
	at
	negative bool
	value    node
}

func (n *sign) eval(r *run) any {
	v := r.eval(n.value)
	if n.negative {
		return r.arithmetic("-", int64(0), v)
	}
	return r.arithmetic("+", int64(0), v)
}

type attribute struct {
	at
	of   node
	name string
}

func (n *attribute) eval(r *run) any { return r.attribute(r.eval(n.of), n.name) }

type item struct {
	at
	of, key node
}

func (n *item) eval(r *run) any {
	of := r.eval(n.of)
	return r.item(of, r.eval(n.key))
}

// slice is of[from:to:step].
type slice struct {
	at
	of     node
	bounds [3]node
}

func (n *slice) eval(r *run) any {
	of := r.eval(n.of)
	var bounds [3]any
	for i, b := range n.bounds {
		if b != nil {
			bounds[i] = r.eval(b)
		}
	}
	return r.slice(of, bounds)
}

// argument is one of a call; name is empty if it is given by place.
type argument struct {
	name  string
	value node
}

func (r *run) arguments(list []argument) *arguments {
	a := &arguments{}
	for _, x := range list {
		a.add(x.name, r.eval(x.value))
	}
	return a
}

type call struct {
	at
	of        node
	arguments []argument
}

func (n *call) eval(r *run) any {
	f := r.eval(n.of)
	a := r.arguments(n.arguments)
	return r.call(f, a)
}

// filter applies a filter or a test. One that is not known fails only if it is
// reached: templates ask first whether their renderer has it.
type filter struct {
	at
	of        node
	name      string
	apply     filterFunc
	arguments []argument
}

func (n *filter) eval(r *run) any {
	if n.apply == nil {
		r.fail("filter or test %q is not known", n.name)
	}
	of := r.eval(n.of)
	return n.apply(r, of, r.arguments(n.arguments))
}
