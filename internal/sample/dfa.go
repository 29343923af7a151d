package sample

import (
	"errors"
	"slices"
	"unicode/utf8"
)

// dfa is a deterministic automaton over runes: code points in strings, bytes
// elsewhere. State 0 is the start. From every state an accepting one can be
// reached, and no edge carries a surrogate.
type dfa struct {
	states []dfaState
	// free is, for each state, how many code points of any kind may follow,
	// counted up to maxPlain; nil unless measure was called.
	free []uint8
}

type dfaState struct {
	edges  []edge // sorted, disjoint
	accept bool
}

type edge struct {
	lo, hi rune
	to     int32
}

var (
	errEmpty    = errors.New("nothing satisfies it")
	errTooLarge = errors.New("the schema's automaton would be too large; simplify it")
)

// budget bounds the work of a schema's compilation, and so its memory.
type budget int

const maxBudget budget = 1 << 19

func (b *budget) spend(n int) error {
	if *b -= budget(n); *b < 0 {
		return errTooLarge
	}
	return nil
}

// build makes the automaton whose states are the values reached from start.
// edges emits disjoint ranges in rising order.
func build[S comparable](start S, edges func(s S, emit func(lo, hi rune, to S)), accept func(S) bool, b *budget) (*dfa, error) {
	index := map[S]int32{start: 0}
	queue := []S{start}
	d := &dfa{}
	for at := 0; at < len(queue); at++ {
		st := dfaState{accept: accept(queue[at])}
		edges(queue[at], func(lo, hi rune, to S) {
			id, seen := index[to]
			if !seen {
				id = int32(len(queue))
				index[to] = id
				queue = append(queue, to)
			}
			if n := len(st.edges); n > 0 && st.edges[n-1].to == id && st.edges[n-1].hi+1 == lo {
				st.edges[n-1].hi = hi
				return
			}
			st.edges = append(st.edges, edge{lo, hi, id})
		})
		if err := b.spend(1 + len(st.edges)); err != nil {
			return nil, err
		}
		d.states = append(d.states, st)
	}
	return d.trim()
}

// trim takes out the states from which nothing is accepted.
func (d *dfa) trim() (*dfa, error) {
	into := make([][]int32, len(d.states))
	var live []int32
	alive := make([]bool, len(d.states))
	for i, st := range d.states {
		for _, e := range st.edges {
			into[e.to] = append(into[e.to], int32(i))
		}
		if st.accept {
			live = append(live, int32(i))
			alive[i] = true
		}
	}
	for at := 0; at < len(live); at++ {
		for _, from := range into[live[at]] {
			if !alive[from] {
				alive[from] = true
				live = append(live, from)
			}
		}
	}
	if !alive[0] {
		return nil, errEmpty
	}
	slices.Sort(live)
	renumber := make([]int32, len(d.states))
	for to, from := range live {
		renumber[from] = int32(to)
	}
	out := &dfa{states: make([]dfaState, len(live))}
	for to, from := range live {
		st := d.states[from]
		st.edges = slices.DeleteFunc(st.edges, func(e edge) bool { return !alive[e.to] })
		for i := range st.edges {
			st.edges[i].to = renumber[st.edges[i].to]
		}
		out.states[to] = st
	}
	return out, nil
}

// find is the first edge of state s that does not lie wholly below r.
func (d *dfa) find(s int32, r rune) int {
	edges := d.states[s].edges
	if len(edges) < 8 {
		i := 0
		for i < len(edges) && edges[i].hi < r {
			i++
		}
		return i
	}
	i, _ := slices.BinarySearchFunc(edges, r, func(e edge, r rune) int { return int(e.hi) - int(r) })
	return i
}

// next is where r leads from state s, or -1.
func (d *dfa) next(s int32, r rune) int32 {
	edges := d.states[s].edges
	if i := d.find(s, r); i < len(edges) && edges[i].lo <= r {
		return edges[i].to
	}
	return -1
}

// meets says whether some rune from lo to hi leads on from state s.
func (d *dfa) meets(s int32, lo, hi rune) bool {
	edges := d.states[s].edges
	i := d.find(s, lo)
	return i < len(edges) && edges[i].lo <= hi
}

// final says whether state s accepts and leads nowhere.
func (d *dfa) final(s int32) bool { return d.states[s].accept && len(d.states[s].edges) == 0 }

// measure fills in d.free.
func (d *dfa) measure() *dfa {
	d.free = make([]uint8, len(d.states))
	for n := uint8(1); n <= maxPlain; n++ {
		for i, st := range d.states {
			open := rune(0x20)
			for _, e := range st.edges {
				if d.free[e.to] < n-1 {
					break
				}
				if e.lo <= open && open <= e.hi {
					if open = e.hi + 1; open == surrogateMin {
						open = surrogateMax + 1
					}
				}
			}
			if open > utf8.MaxRune {
				d.free[i] = n
			}
		}
	}
	return d
}

const surrogateMin, surrogateMax = 0xD800, 0xDFFF

// anyRune emits every code point.
func anyRune[S any](emit func(lo, hi rune, to S), to S) {
	emit(0, surrogateMin-1, to)
	emit(surrogateMax+1, utf8.MaxRune, to)
}

// lengths accepts strings of lo to hi code points; a negative hi is no limit.
func lengths(lo, hi int, b *budget) (*dfa, error) {
	last := max(lo, hi)
	return build(0, func(n int, emit func(lo, hi rune, to int)) {
		if n < last {
			anyRune(emit, n+1)
		} else if hi < 0 {
			anyRune(emit, n)
		}
	}, func(n int) bool { return n >= lo && (hi < 0 || n <= hi) }, b)
}

// intersect accepts what a and b both do.
func intersect(a, b *dfa, bud *budget) (*dfa, error) {
	return build([2]int32{}, func(s [2]int32, emit func(lo, hi rune, to [2]int32)) {
		x, y := a.states[s[0]].edges, b.states[s[1]].edges
		for len(x) > 0 && len(y) > 0 {
			if lo, hi := max(x[0].lo, y[0].lo), min(x[0].hi, y[0].hi); lo <= hi {
				emit(lo, hi, [2]int32{x[0].to, y[0].to})
			}
			if x[0].hi < y[0].hi {
				x = x[1:]
			} else {
				y = y[1:]
			}
		}
	}, func(s [2]int32) bool { return a.states[s[0]].accept && b.states[s[1]].accept }, bud)
}

// trie accepts the words, which are sequences of runes or of bytes.
func trie[R byte | rune](words [][]R, b *budget) (*dfa, error) {
	d := &dfa{states: make([]dfaState, 1)}
	for _, w := range words {
		at := int32(0)
		if err := b.spend(1 + len(w)); err != nil {
			return nil, err
		}
		for _, r := range w {
			i := d.find(at, rune(r))
			if edges := d.states[at].edges; i == len(edges) || edges[i].lo != rune(r) {
				d.states = append(d.states, dfaState{})
				d.states[at].edges = slices.Insert(d.states[at].edges, i, edge{rune(r), rune(r), int32(len(d.states) - 1)})
			}
			at = d.states[at].edges[i].to
		}
		d.states[at].accept = true
	}
	if len(words) == 0 {
		return nil, errEmpty
	}
	return d, nil
}

// except accepts every string but the words.
func except(words []string, b *budget) (*dfa, error) {
	const elsewhere = -1
	runes := make([][]rune, len(words))
	for i, w := range words {
		runes[i] = []rune(w)
	}
	t, err := trie(runes, b)
	if errors.Is(err, errEmpty) {
		return lengths(0, -1, b)
	}
	if err != nil {
		return nil, err
	}
	return build(int32(0), func(s int32, emit func(lo, hi rune, to int32)) {
		if s == elsewhere {
			anyRune(emit, s)
			return
		}
		gap := func(lo, hi rune) { // between edges, which carry no surrogate
			for _, r := range [][2]rune{{lo, min(hi, surrogateMin-1)}, {max(lo, surrogateMax+1), hi}} {
				if r[0] <= r[1] {
					emit(r[0], r[1], elsewhere)
				}
			}
		}
		open := rune(0)
		for _, e := range t.states[s].edges {
			gap(open, e.lo-1)
			emit(e.lo, e.hi, e.to)
			open = e.hi + 1
		}
		gap(open, utf8.MaxRune)
	}, func(s int32) bool { return s == elsewhere || !t.states[s].accept }, b)
}
