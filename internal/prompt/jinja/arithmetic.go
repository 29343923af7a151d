package jinja

import (
	"math"
	"slices"
)

// arithmetic is left op right.
func (r *run) arithmetic(op string, left, right any) any {
	if op == "~" {
		return r.concat(r.str(left), r.str(right))
	}
	i, f, isInt, ok := number(left)
	j, g, isInt2, ok2 := number(right)
	switch {
	case isInt && isInt2 && op != "/":
		return r.integers(op, i, j)
	case ok && ok2:
		return r.floats(op, f, g)
	}
	switch l := left.(type) {
	case Text:
		if t, ok := right.(Text); ok && op == "+" {
			return r.concat(l, t)
		}
		if isInt2 && op == "*" {
			return slices.Repeat(l, r.times(len(l), j))
		}
	case List:
		if t, ok := right.(List); ok && op == "+" {
			r.spend(element * (len(l) + len(t)))
			return slices.Concat(l, t)
		}
		if isInt2 && op == "*" {
			return slices.Repeat(l, r.times(element*len(l), j))
		}
	}
	if isInt && op == "*" {
		switch right.(type) {
		case Text, List:
			return r.arithmetic(op, right, left)
		}
	}
	r.fail("%q is not defined for %s and %s", op, kind(left), kind(right))
	return nil
}

// times charges for n elements repeated and says how often.
func (r *run) times(n int, times int64) int {
	times = max(times, 0)
	if n > 0 && times > int64(r.work/n) {
		r.spend(r.work + 1)
	}
	r.spend(n * int(times))
	return int(times)
}

func (r *run) concat(a, b Text) Text {
	r.spend(len(a) + len(b))
	return slices.Concat(a, b)
}

func (r *run) integers(op string, i, j int64) any {
	var v int64
	var f float64 // about v, had it room
	switch op {
	case "+":
		v, f = i+j, float64(i)+float64(j)
	case "-":
		v, f = i-j, float64(i)-float64(j)
	case "*":
		v, f = i*j, float64(i)*float64(j)
	case "**":
		if j < 0 {
			return r.floats(op, float64(i), float64(j))
		}
		f = math.Pow(float64(i), float64(j))
		v = 1
		for range min(j, 64) {
			v *= i
		}
		if i >= -1 && i <= 1 && j > 64 {
			v = int64(f)
		}
	default:
		if j == 0 {
			r.fail("division by zero")
		}
		v = i / j
		if i%j != 0 && (i < 0) != (j < 0) {
			v--
		}
		if op == "%" {
			v = i - v*j
		}
		f = float64(v)
	}
	if math.Abs(f) >= 1<<62 {
		r.fail("a number is too large")
	}
	return v
}

func (r *run) floats(op string, f, g float64) any {
	switch op {
	case "+":
		return f + g
	case "-":
		return f - g
	case "*":
		return f * g
	case "**":
		return math.Pow(f, g)
	}
	if g == 0 {
		r.fail("division by zero")
	}
	switch op {
	case "/":
		return f / g
	case "//":
		return math.Floor(f / g)
	}
	return f - math.Floor(f/g)*g
}
