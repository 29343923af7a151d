package sample

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// anyNumber bounds digits so that a number ends, and the exponent so that it
// fits a float64.
const anyNumber = `^-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?$`

const (
	integerDigits = 19 // of an int64
	// numberDigits is how many decimal digits a float64 keeps apart: with more,
	// a number below an exclusive limit could be read as the limit itself.
	numberDigits = 15
)

// limit is an end of an interval.
type limit struct {
	x    *big.Rat // nil is no limit
	open bool     // x itself is outside
}

// tighten takes the narrower of two upper limits (sign 1) or lower ones (-1).
func (l *limit) tighten(o limit, sign int) {
	if c := 0; l.x != nil {
		if c = sign * o.x.Cmp(l.x); c > 0 || c == 0 && l.open {
			return
		}
	}
	*l = o
}

// parseLimit reads a JSON number exactly; its digits must be few enough.
func parseLimit(s string) (*big.Rat, error) {
	few := fmt.Errorf("%s has too many digits for a limit", s)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || len(s) > 64 {
		return nil, few
	}
	if _, e, found := strings.Cut(strings.ToLower(s), "e"); found { // 1e-999999999 is a number
		if n, err := strconv.Atoi(e); err != nil || n < -64 || n > 64 {
			return nil, few
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok || math.Abs(f) >= 1e19 {
		return nil, few
	}
	return r, nil
}

// magnitude is a limit's absolute value in digits.
type magnitude struct {
	whole, frac string // without leading and trailing zeros; whole is "0" for none
	set, open   bool
}

func magnitudeOf(l limit) (magnitude, error) {
	if l.x == nil {
		return magnitude{}, nil
	}
	abs := new(big.Rat).Abs(l.x)
	s := abs.FloatString(20)
	if back, _ := new(big.Rat).SetString(s); back.Cmp(abs) != 0 {
		return magnitude{}, fmt.Errorf("%s has too many digits for a limit", s)
	}
	whole, frac, _ := strings.Cut(s, ".")
	return magnitude{whole, strings.TrimRight(frac, "0"), true, l.open}, nil
}

// part is where a number stands; the orders compare what was read of it with
// the same digits of the lower and the upper limit.
type part struct {
	neg    bool
	at     byte // 's' sign or start, 'z' a leading zero, 'w' whole digits, '.' the point, 'f' fraction
	digits int8 // of the whole part, then of the fraction
	whole  int8 // digits of the whole part, once it has ended
	lo, hi int8
}

// side is the numbers of one sign, by absolute value.
type side struct {
	lo, hi magnitude
	empty  bool
}

// interval accepts the decimal numbers between two limits, written without an
// exponent; integers if whole.
func interval(lo, hi limit, whole bool, b *budget) (*dfa, error) {
	var sides [2]side // positive, negative
	below := func(l limit) bool { return l.x != nil && l.x.Sign() < 0 }
	a, err := magnitudeOf(lo)
	if err != nil {
		return nil, err
	}
	z, err := magnitudeOf(hi)
	if err != nil {
		return nil, err
	}
	sides[0] = side{lo: a, hi: z, empty: below(hi)}
	if below(lo) {
		sides[0].lo = magnitude{}
	}
	sides[1] = side{lo: z, hi: a, empty: lo.x != nil && lo.x.Sign() >= 0}
	if hi.x != nil && hi.x.Sign() > 0 {
		sides[1].lo = magnitude{}
	}
	n := numberRules{sides: sides, whole: whole, max: numberDigits}
	if whole {
		n.max = integerDigits
	}
	return build(part{at: 's'}, n.edges, n.accept, b)
}

type numberRules struct {
	sides [2]side
	whole bool
	max   int8
}

func (n *numberRules) side(p part) side {
	if p.neg {
		return n.sides[1]
	}
	return n.sides[0]
}

func (n *numberRules) edges(p part, emit func(lo, hi rune, to part)) {
	s := n.side(p)
	if p.at == 's' && !p.neg && !n.sides[1].empty {
		emit('-', '-', part{neg: true, at: 's'})
	}
	if s.empty {
		return
	}
	if (p.at == 'z' || p.at == 'w') && !n.whole && p.digits < n.max {
		emit('.', '.', part{p.neg, '.', 0, p.digits, s.lo.ended(p.lo, p.digits), s.hi.ended(p.hi, p.digits)})
	}
	for d := byte('0'); d <= '9'; d++ {
		q := p
		switch {
		case p.at == 's':
			q.at = 'w'
			if d == '0' {
				q.at = 'z'
			}
		case p.at == 'z', p.at == 'w' && p.digits == n.max, p.at == 'f' && p.digits+p.whole == n.max:
			return
		case p.at == '.':
			q.at = 'f'
		}
		q.digits++
		q.lo, q.hi = s.lo.order(p.lo, q, p.digits, d), s.hi.order(p.hi, q, p.digits, d)
		emit(rune(d), rune(d), q)
	}
}

// order goes on comparing with the limit's digit at the place of d.
func (m *magnitude) order(before int8, p part, at int8, d byte) int8 {
	if !m.set || before != 0 {
		return before
	}
	of := m.whole
	if p.at == 'f' {
		of = m.frac
	}
	e := byte('0')
	if int(at) < len(of) {
		e = of[at]
	} else if p.at != 'f' {
		return 1 // a longer whole part
	}
	return int8(min(max(int(d)-int(e), -1), 1))
}

// ended is the order once the whole part has ended: fewer digits are less, more
// of them are more.
func (m *magnitude) ended(order, digits int8) int8 {
	switch {
	case m.set && int(digits) < len(m.whole):
		return -1
	case m.set && int(digits) > len(m.whole):
		return 1
	}
	return order
}

func (n *numberRules) accept(p part) bool {
	s := n.side(p)
	final := func(m *magnitude, order int8) int8 {
		read := p.digits
		if p.at != 'f' {
			order, read = m.ended(order, p.digits), 0
		}
		if order == 0 && int(read) < len(m.frac) {
			return -1
		}
		return order
	}
	if p.at == 's' || p.at == '.' || s.empty || n.whole && p.neg && p.at == 'z' {
		return false
	}
	if o := final(&s.lo, p.lo); s.lo.set && (o < 0 || o == 0 && s.lo.open) {
		return false
	}
	if o := final(&s.hi, p.hi); s.hi.set && (o > 0 || o == 0 && s.hi.open) {
		return false
	}
	return true
}

// multiples accepts the integers that m divides, with any sign.
func multiples(m int, b *budget) (*dfa, error) {
	const begin, minus = -2, -1
	return build(begin, func(s int, emit func(lo, hi rune, to int)) {
		if s == begin {
			emit('-', '-', minus)
		}
		for d := range 10 {
			emit(rune('0'+d), rune('0'+d), (max(s, 0)*10+d)%m)
		}
	}, func(s int) bool { return s == 0 }, b)
}
