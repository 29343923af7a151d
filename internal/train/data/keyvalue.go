package data

import (
	"slices"
	"strings"
)

// fact is a needle: an attribute of an entity with a value.
type fact struct {
	attribute *attribute
	noun      string // the attribute's name in the context
	entity    string
	value     string
	at        source // the value
	key       source // the entity
	carrier   *carrier
	slots     slots // of the carrier
}

// factBook keeps the facts of an example and what makes them ambiguous.
type factBook struct {
	list       []fact
	keys       map[string]int // attribute and entity
	entities   map[string]int
	attributes map[*attribute]int
	values     map[string]int
}

func (b *factBook) init() {
	b.keys, b.entities, b.values = map[string]int{}, map[string]int{}, map[string]int{}
	b.attributes = map[*attribute]int{}
}

func factKey(a *attribute, entity string) string {
	return a.names[0] + "\x00" + strings.ToLower(entity)
}

// theme narrows what the facts of an example are about; many needles of one
// pattern are harder than many patterns.
type theme struct {
	attributes []*attribute
	kinds      []entityKind
	frames     []string
	carriers   []*carrier
	carried    float64 // share of facts told by a carrier
}

func (w *world) newTheme() theme {
	t, r := &w.g.tables, w.r
	var th theme
	n := pick(r, []int{1, 1, 2, 3, 8, 30, 400})
	coined, related := pick(r, []float64{0, 0.3, 1}), pick(r, []float64{0, 0.3, 0.3, 1})
	for range n {
		switch {
		case chance(r, coined):
			th.attributes = append(th.attributes, t.coin(r, w.g.opts.HeldOut))
		case chance(r, related):
			th.attributes = append(th.attributes, &t.relations[r.IntN(len(t.relations))])
		default:
			th.attributes = append(th.attributes, &t.attributes[r.IntN(len(t.attributes))])
		}
	}
	for range pick(r, []int{1, 1, 2, 4, 60}) {
		th.kinds = append(th.kinds, pick(r, entityKinds))
	}
	for range pick(r, []int{1, 1, 2, 4, 400}) {
		if chance(r, 0.25) {
			th.frames = append(th.frames, pick(r, t.backward))
		} else {
			th.frames = append(th.frames, pick(r, t.forward))
		}
	}
	for range pick(r, []int{1, 2, 8, 400}) {
		th.carriers = append(th.carriers, &t.carriers[r.IntN(len(t.carriers))])
	}
	th.carried = pick(r, []float64{0, 0.3, 0.6, 1})
	return th
}

// newEntity makes a name of the split that is not in use.
func (w *world) newEntity(th *theme) string {
	for {
		e := pick(w.r, th.kinds).make(w.r)
		if !w.usableEntity(e) {
			continue
		}
		return e
	}
}

func (w *world) usableEntity(e string) bool {
	return e != "" && reserved(strings.ToLower(e)) == w.g.opts.HeldOut && !famous(e)
}

// newFact draws a fact, often one close to an earlier fact. ok is false when
// the draw collides with an existing key.
func (w *world) newFact(th *theme) (f fact, ok bool) {
	r := w.r
	f.attribute = pick(r, th.attributes)
	if n := len(w.facts.list); n > 0 && chance(r, w.g.opts.NearDuplicate) {
		f = w.nearby(th, w.facts.list[r.IntN(n)])
	} else {
		f.entity = w.newEntity(th)
	}
	if w.facts.keys[factKey(f.attribute, f.entity)] > 0 || !w.usableEntity(f.entity) {
		return f, false
	}
	f.noun = f.attribute.names[0]
	if len(f.attribute.names) > 1 && chance(r, 0.1) {
		f.noun = pick(r, f.attribute.names)
	}
	f.value = w.newValue(f.attribute)
	if !f.attribute.relation && chance(r, th.carried) {
		f.carrier = pick(r, th.carriers)
	}
	return f, f.value != "" && !strings.EqualFold(f.value, f.entity)
}

// nearby draws the key of a fact that is easy to mix up with another.
func (w *world) nearby(th *theme, old fact) fact {
	f := fact{attribute: old.attribute, entity: old.entity}
	switch x := w.r.Float64(); {
	case x < 0.5:
		f.entity = vary(w.r, old.entity)
	case x < 0.9:
		f.attribute = w.otherAttribute(th)
	default:
		f.entity = w.newEntity(th)
	}
	return f
}

// otherAttribute draws one that need not be of the theme.
func (w *world) otherAttribute(th *theme) *attribute {
	switch t := &w.g.tables; w.r.IntN(5) {
	case 0, 1:
		return &t.attributes[w.r.IntN(len(t.attributes))]
	case 2:
		return &t.relations[w.r.IntN(len(t.relations))]
	case 3:
		return t.coin(w.r, w.g.opts.HeldOut)
	}
	return pick(w.r, th.attributes)
}

// newValue draws a value, sometimes a mutated copy of another needle's.
func (w *world) newValue(a *attribute) string {
	r := w.r
	if n := len(w.facts.list); n > 0 && chance(r, w.g.opts.Collide) {
		v := w.facts.list[r.IntN(n)].value
		if chance(r, 0.12) {
			return v
		}
		return mutate(r, v)
	}
	switch x := r.Float64(); {
	case x < 0.3:
		return pick(r, w.g.tables.types).make(r)
	case x < 0.34 && !w.g.opts.HeldOut:
		return w.sentence()
	}
	return pick(r, a.types).make(r)
}

// addFact puts a fact into the context.
func (w *world) addFact(f fact, frame string) bool {
	if f.attribute.relation && chance(w.r, 0.9) {
		frame = pick(w.r, f.attribute.say)
	}
	if f.carrier != nil {
		frame, f.slots = f.carrier.carry(w.r)
	}
	s := f.slots.with(f.noun, f.entity, f.value)
	text := expand(w.r, frame, &s)
	v, e := text.span('V'), text.span('E')
	n := w.add(text.text, []span{v, e}, true)
	if n < 0 {
		return false
	}
	f.at, f.key = source{block: n}, source{block: n, span: 1}
	b := &w.facts
	b.list = append(b.list, f)
	b.keys[factKey(f.attribute, f.entity)]++
	b.entities[strings.ToLower(f.entity)]++
	b.attributes[f.attribute]++
	b.values[strings.ToLower(f.value)]++
	return true
}

// keyValues adds facts until the budget is spent and asks about n of them.
func (w *world) keyValues(n int) {
	first := len(w.facts.list)
	th := w.newTheme()
	for misses := 0; misses < 20; {
		f, ok := w.newFact(&th)
		if !ok || !w.addFact(f, pick(w.r, th.frames)) {
			misses++
			continue
		}
		if len(w.facts.list)-first >= 4*n && chance(w.r, 0.01) {
			break
		}
	}
	order := w.r.Perm(len(w.facts.list) - first)
	for range n {
		if chance(w.r, w.g.opts.AbsentShare) || len(w.facts.list) == first {
			w.askAbsent(&th)
			continue
		}
		if len(order) == 0 {
			break // no room for more; something else will be asked
		}
		w.askFact(w.facts.list[first+order[0]])
		order = order[1:]
	}
	for _, i := range order {
		w.spare = append(w.spare, w.facts.list[first+i])
	}
}

// askFact asks for a fact's value, or now and then for its entity.
func (w *world) askFact(f fact) {
	r, t, b := w.r, &w.g.tables, &w.facts
	alone := b.entities[strings.ToLower(f.entity)] == 1
	s := f.slots.with(f.noun, f.entity, f.value)
	list := t.full
	from := f.at
	switch x := r.Float64(); {
	case alone && x < 0.04:
		list = t.entity
	case b.attributes[f.attribute] == 1 && x < 0.25 && !f.attribute.relation:
		list = t.attr
	case b.values[strings.ToLower(f.value)] == 1 && x > 0.95:
		list, from = t.reverse, f.key
	case f.attribute.relation && x < 0.91:
		list = f.attribute.ask
	case f.carrier != nil && x > 0.4:
		list = f.carrier.ask
	}
	// Another name of the attribute is fair where nothing else is said of the
	// entity, but teaches to take one attribute for another.
	if alone && len(f.attribute.names) > 1 && chance(r, 0.1) {
		s[0] = pick(r, f.attribute.names)
	}
	w.ask(TaskKeyValue, w.phrase(expandString(r, pick(r, list), &s), &s), from)
}

// phrase dresses a question: letter case, a preamble, a postamble.
func (w *world) phrase(q string, s *slots) string {
	r := w.r
	switch x := r.Float64(); {
	case x < 0.12:
		q = strings.ToLower(q[:1]) + q[1:]
		q = strings.TrimSuffix(q, "?")
	case x < 0.17:
		q = strings.ToLower(q)
	case x < 0.5:
		q = capitalise(q)
	}
	if chance(r, 0.12) {
		q = expandString(r, pick(r, w.g.tables.before), s) + q
	}
	if chance(r, 0.1) {
		q += pick(r, w.g.tables.after)
	}
	return q
}

// askAbsent asks for a key that is not in the context, mostly one that is close
// to a key that is: another attribute of the entity, or a name a little off. It
// asks in the words in which the other one was told, as often as not.
func (w *world) askAbsent(th *theme) {
	r := w.r
	f := fact{attribute: pick(r, th.attributes)}
	for range 20 {
		list, s := w.g.tables.full, slots{}
		if n := len(w.facts.list); n > 0 && chance(r, 0.8) {
			old := w.facts.list[r.IntN(n)]
			f = w.nearby(th, old)
			if old.carrier != nil && !f.attribute.relation && chance(r, 0.5) {
				list, s = old.carrier.ask, old.slots
			}
		} else {
			f.attribute, f.entity = pick(r, th.attributes), w.newEntity(th)
		}
		if w.facts.keys[factKey(f.attribute, f.entity)] == 0 && w.usableEntity(f.entity) && !w.mentions(f.entity, f.attribute) {
			if f.attribute.relation && chance(r, 0.9) {
				list = f.attribute.ask
			}
			s = s.with(pick(r, f.attribute.names), f.entity, "it")
			w.ask(TaskAbsent, w.phrase(expandString(r, pick(r, list), &s), &s))
			return
		}
	}
}

// mentions tells whether a fact about the entity might pass for an answer:
// one whose attribute shares a name with the one asked for.
func (w *world) mentions(entity string, a *attribute) bool {
	for _, f := range w.facts.list {
		if strings.EqualFold(f.entity, entity) && (f.attribute == a || slices.Contains(f.attribute.names, a.names[0])) {
			return true
		}
	}
	return false
}
