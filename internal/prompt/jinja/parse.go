package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Limits of a template's text.
const (
	maxSource  = 1 << 20 // bytes
	maxName    = 200     // bytes
	maxNesting = 200     // expressions and blocks inside one another
)

// Template is a parsed template.
type Template struct {
	body []node
}

// Parse reads a template. What is wrong with it is an [Error].
func Parse(source string) (t *Template, err error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("template of %d bytes, want at most %d", len(source), maxSource)
	}
	defer rescue(&err, func() int { return 0 })
	p := &parser{tokens: lex(source)}
	body, _ := p.block()
	return &Template{body}, nil
}

// rescue turns a panic into an error: an [Error] is what parsing and rendering
// fail with, anything else is a mistake of this package that a template must not
// crash the program with.
func rescue(err *error, line func() int) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		*err = p
	case stopped:
		*err = p.error
	default:
		*err = &Error{line(), fmt.Sprintf("internal error: %v", p)}
	}
}

// stopped is a panic that ends rendering because its context did.
type stopped struct{ error }

type parser struct {
	tokens  []token
	at      int
	nesting int
	loops   int // that a break would leave
}

func (p *parser) peek() token { return p.tokens[p.at] }

// next returns the current token and moves on; the last one stays.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) fail(t token, format string, args ...any) {
	panic(&Error{t.line, fmt.Sprintf(format, args...)})
}

// enter is called where the grammar recurs; what it returns leaves again.
func (p *parser) enter() (leave func()) {
	if p.nesting++; p.nesting > maxNesting {
		p.fail(p.peek(), "more than %d expressions and blocks inside one another", maxNesting)
	}
	return func() { p.nesting-- }
}

func (p *parser) is(kind tokenKind, text string) bool {
	t := p.peek()
	return t.kind == kind && t.text == text
}

func (p *parser) isOp(text string) bool   { return p.is(tokenOperator, text) }
func (p *parser) isName(text string) bool { return p.is(tokenName, text) }

// skip moves over a token if it is the current one.
func (p *parser) skip(kind tokenKind, text string) bool {
	if p.is(kind, text) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipOp(text string) bool   { return p.skip(tokenOperator, text) }
func (p *parser) skipName(text string) bool { return p.skip(tokenName, text) }

func (p *parser) expect(kind tokenKind, text string) {
	if t := p.next(); t.kind != kind || t.text != text {
		p.fail(t, "unexpected %v, want %q", t, text)
	}
}

func (p *parser) name() token {
	t := p.next()
	if t.kind != tokenName {
		p.fail(t, "unexpected %v, want a name", t)
	}
	return t
}

// block reads statements up to a tag of one of the names, whose name it consumes
// and returns; without names up to the end.
func (p *parser) block(ends ...string) (body []node, end token) {
	defer p.enter()()
	for {
		t := p.next()
		switch t.kind {
		case tokenEnd:
			if ends != nil {
				p.fail(t, "unexpected end of template, want tag %q", ends[len(ends)-1])
			}
			return body, t
		case tokenText:
			body = append(body, &output{at{t.line}, &literal{at{t.line}, Written(t.text)}})
		case tokenOutput:
			body = append(body, &output{at{t.line}, p.tuple()})
			p.expect(tokenOutputEnd, "}}")
		case tokenTag:
			tag := p.name()
			if slices.Contains(ends, tag.text) {
				return body, tag
			}
			body = append(body, p.statement(tag))
		default:
			p.fail(t, "unexpected %v", t)
		}
	}
}

func (p *parser) endTag() { p.expect(tokenTagEnd, "%}") }

// body reads a block up to the tag that ends it, and that tag.
func (p *parser) body(end string) []node {
	p.endTag()
	body, _ := p.block(end)
	p.endTag()
	return body
}

func (p *parser) statement(tag token) node {
	switch tag.text {
	case "if":
		return p.parseIf(tag)
	case "for":
		return p.parseFor(tag)
	case "set":
		return p.parseSet(tag)
	case "macro":
		return p.parseMacro(tag)
	case "filter":
		hole := &captured{}
		e := p.filters(hole, tag)
		hole.body = p.body("endfilter")
		return &output{at{tag.line}, e}
	case "generation":
		// Marks an assistant's words for training.
		return &inner{at{tag.line}, p.body("endgeneration")}
	case "break", "continue":
		if p.loops == 0 {
			p.fail(tag, "%s outside a loop", tag.text)
		}
		p.endTag()
		return &jump{at{tag.line}, map[string]flow{"break": flowBreak, "continue": flowContinue}[tag.text]}
	case "include", "import", "from", "extends", "block":
		p.fail(tag, "tag %q is refused: a chat template is one piece and reads no files", tag.text)
	}
	p.fail(tag, "tag %q is not known", tag.text)
	return nil
}

func (p *parser) parseIf(tag token) node {
	cond := p.tuple()
	p.endTag()
	n := &branch{at: at{tag.line}, cond: cond}
	var end token
	n.then, end = p.block("elif", "else", "endif")
	switch end.text {
	case "elif":
		defer p.enter()()
		n.otherwise = []node{p.parseIf(end)}
		return n
	case "else":
		p.endTag()
		n.otherwise, _ = p.block("endif")
	}
	p.endTag()
	return n
}

func (p *parser) parseFor(tag token) node {
	n := &loop{at: at{tag.line}, targets: p.targets(false)}
	if !p.skipName("in") {
		p.fail(p.peek(), "unexpected %v, want \"in\"", p.peek())
	}
	n.over = p.list(p.or)
	if p.skipName("if") {
		n.cond = p.expression()
	}
	if p.isName("recursive") {
		p.fail(tag, "recursive loops are not supported")
	}
	p.endTag()
	p.loops++
	var end token
	n.body, end = p.block("else", "endfor")
	p.loops--
	if end.text == "else" {
		p.endTag()
		n.otherwise, _ = p.block("endfor")
	}
	p.endTag()
	return n
}

// targets are what a for or set assigns to: names, in a set also attributes.
func (p *parser) targets(attributes bool) (list []target) {
	inner := p.skipOp("(")
	for {
		name := p.name()
		t := target{name: name.text}
		if attributes && p.skipOp(".") {
			t.attribute = p.name().text
		}
		list = append(list, t)
		if !p.skipOp(",") || p.isOp(")") {
			break
		}
	}
	if inner {
		p.expect(tokenOperator, ")")
	}
	return list
}

func (p *parser) parseSet(tag token) node {
	n := &assign{at: at{tag.line}, targets: p.targets(true)}
	if p.skipOp("=") {
		n.value = p.tuple()
		p.endTag()
		return n
	}
	hole := &captured{}
	n.value = hole
	if p.skipOp("|") {
		n.value = p.filters(hole, tag)
	}
	hole.body = p.body("endset")
	return n
}

func (p *parser) parseMacro(tag token) node {
	n := &macro{at: at{tag.line}, name: p.name().text}
	p.expect(tokenOperator, "(")
	for !p.skipOp(")") {
		param := p.name().text
		var value node
		if p.skipOp("=") {
			value = p.expression()
		}
		n.params, n.defaults = append(n.params, param), append(n.defaults, value)
		p.comma(")")
	}
	loops := p.loops
	p.loops = 0
	n.body = p.body("endmacro")
	p.loops = loops
	return n
}

// list reads items with commas between; more than one, or a comma at the end,
// make a list of them.
func (p *parser) list(item func() node) node {
	first := p.peek()
	n := item()
	if !p.isOp(",") {
		return n
	}
	items := []node{n}
	for p.skipOp(",") {
		if t := p.peek(); t.kind == tokenTagEnd || t.kind == tokenOutputEnd || p.isOp(")") || p.isOp("=") {
			break
		}
		items = append(items, item())
	}
	return &listOf{at{first.line}, items}
}

func (p *parser) tuple() node { return p.list(p.expression) }

// expression reads "a if b else c" and all that binds tighter.
func (p *parser) expression() node {
	defer p.enter()()
	n := p.or()
	for p.isName("if") {
		t := p.next()
		c := &choice{at: at{t.line}, then: n, cond: p.or()}
		if p.skipName("else") {
			c.otherwise = p.expression()
		}
		n = c
	}
	return n
}

func (p *parser) or() node {
	n := p.and()
	for p.isName("or") {
		t := p.next()
		n = &logic{at{t.line}, true, n, p.and()}
	}
	return n
}

func (p *parser) and() node {
	n := p.not()
	for p.isName("and") {
		t := p.next()
		n = &logic{at{t.line}, false, n, p.not()}
	}
	return n
}

func (p *parser) not() node {
	if !p.isName("not") {
		return p.comparison()
	}
	defer p.enter()()
	t := p.next()
	return &negation{at{t.line}, p.not()}
}

func (p *parser) comparison() node {
	first := p.peek()
	c := &comparison{at: at{first.line}, left: p.sum()}
	for {
		t := p.peek()
		op := t.text
		switch {
		case t.kind == tokenOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, op), p.isName("in"):
			p.next()
		case p.isName("not") && p.tokens[p.at+1].kind == tokenName && p.tokens[p.at+1].text == "in":
			p.next()
			p.next()
			op = "not in"
		default:
			if c.ops == nil {
				return c.left
			}
			return c
		}
		c.ops, c.right = append(c.ops, op), append(c.right, p.sum())
	}
}

// operation reads a chain of operators that are equals in rank.
func (p *parser) operation(operand func() node, ops ...string) node {
	n := operand()
	for p.peek().kind == tokenOperator && slices.Contains(ops, p.peek().text) {
		t := p.next()
		n = &binary{at{t.line}, t.text, n, operand()}
	}
	return n
}

func (p *parser) sum() node     { return p.operation(p.concat, "+", "-") }
func (p *parser) concat() node  { return p.operation(p.product, "~") }
func (p *parser) product() node { return p.operation(p.power, "*", "/", "//", "%") }
func (p *parser) power() node   { return p.operation(p.filtered, "**") }

// filtered reads an operand with its filters and tests.
func (p *parser) filtered() node {
	n := p.unary()
	for {
		switch {
		case p.isOp("|"):
			p.next()
			n = p.filters(n, p.peek())
		case p.isName("is"):
			n = p.test(n)
		case p.isOp("("):
			n = p.call(n)
		default:
			return n
		}
	}
}

func (p *parser) unary() node {
	if t := p.peek(); p.isOp("-") || p.isOp("+") {
		defer p.enter()()
		p.next()
		return &sign{at{t.line}, t.text == "-", p.unary()}
	}
	return p.postfix(p.primary())
}

func (p *parser) postfix(n node) node {
	for {
		switch {
		case p.isOp("."):
			dot := p.next()
			t := p.next()
			switch t.kind {
			case tokenName:
				n = &attribute{at{dot.line}, n, t.text}
			case tokenInt:
				n = &item{at{dot.line}, n, &literal{at{t.line}, p.integer(t)}}
			default:
				p.fail(t, "unexpected %v, want a name", t)
			}
		case p.isOp("["):
			n = p.subscript(n)
		case p.isOp("("):
			n = p.call(n)
		default:
			return n
		}
	}
}

func (p *parser) subscript(n node) node {
	t := p.next()
	var bounds [3]node
	i, colons := 0, 0
	for !p.isOp("]") {
		if p.skipOp(":") {
			colons++
			i++
			if i == 3 {
				p.fail(t, "slice of more than three parts")
			}
			continue
		}
		if bounds[i] != nil {
			p.fail(p.peek(), "unexpected %v, want \"]\"", p.peek())
		}
		bounds[i] = p.expression()
	}
	p.next()
	if colons > 0 {
		return &slice{at{t.line}, n, bounds}
	}
	if bounds[0] == nil {
		p.fail(t, "nothing between [ and ]")
	}
	return &item{at{t.line}, n, bounds[0]}
}

// arguments reads what stands in the parentheses of a call.
func (p *parser) arguments() (list []argument) {
	open := p.next()
	for !p.skipOp(")") {
		if p.isOp("*") || p.isOp("**") {
			p.fail(open, "arguments with * are not supported")
		}
		var a argument
		if t := p.peek(); t.kind == tokenName && p.tokens[p.at+1].kind == tokenOperator && p.tokens[p.at+1].text == "=" {
			p.next()
			p.next()
			a.name = t.text
		} else if len(list) > 0 && list[len(list)-1].name != "" {
			p.fail(open, "argument without name after one with a name")
		}
		a.value = p.expression()
		list = append(list, a)
		p.comma(")")
	}
	return list
}

func (p *parser) call(n node) node {
	t := p.peek()
	return &call{at{t.line}, n, p.arguments()}
}

// filters reads the names after a pipe.
func (p *parser) filters(n node, t token) node {
	for {
		name := p.name()
		c := &filter{at{t.line}, n, name.text, filters[name.text], nil}
		if p.isOp("(") {
			c.arguments = p.arguments()
		}
		n = c
		if !p.skipOp("|") {
			return n
		}
	}
}

func (p *parser) test(n node) node {
	t := p.next()
	negated := p.skipName("not")
	name := p.name()
	c := &filter{at{t.line}, n, name.text, nil, nil}
	if f, ok := tests[name.text]; ok {
		c.apply = func(r *run, v any, a *arguments) any { return f(r, v, a) }
	}
	switch next := p.peek(); {
	case p.isOp("("):
		c.arguments = p.arguments()
	case p.isName("else"), p.isName("or"), p.isName("and"), p.isName("is"), p.isName("if"), p.isName("in"), p.isName("not"):
	case next.kind == tokenName, next.kind == tokenString, next.kind == tokenInt, next.kind == tokenFloat, p.isOp("["), p.isOp("{"):
		c.arguments = []argument{{"", p.postfix(p.primary())}}
	}
	if negated {
		return &negation{at{t.line}, c}
	}
	return c
}

func (p *parser) integer(t token) int64 {
	v, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		p.fail(t, "number %s is too large", t.text)
	}
	return v
}

var constants = map[string]any{"true": true, "True": true, "false": false, "False": false, "none": nil, "None": nil}

func (p *parser) primary() node {
	t := p.next()
	a := at{t.line}
	switch t.kind {
	case tokenName:
		if v, ok := constants[t.text]; ok {
			return &literal{a, v}
		}
		return &variable{a, t.text}
	case tokenString:
		s := Written(t.text)
		for p.peek().kind == tokenString {
			s = append(s, Written(p.next().text)...)
		}
		return &literal{a, s}
	case tokenInt:
		return &literal{a, p.integer(t)}
	case tokenFloat:
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			p.fail(t, "%s is no number", t.text)
		}
		return &literal{a, v}
	case tokenOperator:
		switch t.text {
		case "(":
			if p.skipOp(")") {
				return &listOf{a, nil}
			}
			n := p.tuple()
			p.expect(tokenOperator, ")")
			return n
		case "[":
			n := &listOf{at: a}
			for !p.skipOp("]") {
				n.items = append(n.items, p.expression())
				p.comma("]")
			}
			return n
		case "{":
			n := &dictOf{at: a}
			for !p.skipOp("}") {
				n.keys = append(n.keys, p.expression())
				p.expect(tokenOperator, ":")
				n.values = append(n.values, p.expression())
				p.comma("}")
			}
			return n
		}
	}
	p.fail(t, "unexpected %v, want an expression", t)
	return nil
}

// comma moves over a comma, which may be missing only before end.
func (p *parser) comma(end string) {
	if !p.skipOp(",") && !p.isOp(end) {
		p.fail(p.peek(), "unexpected %v, want \",\" or %q", p.peek(), end)
	}
}
