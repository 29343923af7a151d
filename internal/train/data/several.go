package data

import "strings"

// several hides two to five values of one key and asks for all of them.
func (w *world) several(n int) {
	t, r := &w.g.tables, w.r
	for range n {
		if chance(r, 0.3) {
			w.together()
			continue
		}
		th := w.newTheme()
		a := pick(r, th.attributes)
		if a.relation {
			a = t.coin(r, w.g.opts.HeldOut)
		}
		entity := w.newEntity(&th)
		key := factKey(a, entity)
		if w.facts.entities[strings.ToLower(entity)] > 0 || w.facts.keys[key] > 0 {
			continue
		}
		frame := pick(r, t.forward)
		var sources []source
		kind := pick(r, a.types)
		if chance(r, 0.3) {
			kind = pick(r, t.types)
		}
		s := slots{'A' - 'A': a.names[0], 'E' - 'A': entity}
		seen := map[string]bool{}
		for range between(r, 2, 5) {
			v := kind.make(r)
			if seen[v] {
				continue
			}
			seen[v] = true
			s['V'-'A'] = v
			if chance(r, 0.2) {
				frame = pick(r, t.forward)
			}
			text := expand(r, frame, &s)
			if at := w.add(text.text, []span{text.span('V')}, true); at >= 0 {
				sources = append(sources, source{block: at})
			}
		}
		if len(sources) == 0 {
			return
		}
		w.facts.keys[key]++
		w.facts.entities[strings.ToLower(entity)]++
		w.facts.attributes[a] += 2
		w.ask(TaskSeveral, w.phrase(expandString(r, pick(r, t.several), &s), &s), sources...)
	}
}

// together asks one question about several facts: one attribute of two to four
// entities.
func (w *world) together() {
	r, t := w.r, &w.g.tables
	th := w.newTheme()
	th.attributes = th.attributes[:1]
	if th.attributes[0].relation {
		th.attributes[0] = t.coin(r, w.g.opts.HeldOut)
	}
	first := len(w.facts.list)
	for range between(r, 2, 8) {
		if f, ok := w.newFact(&th); ok {
			w.addFact(f, pick(r, th.frames))
		}
	}
	var names []string
	var sources []source
	for _, f := range w.facts.list[first:] {
		if f.attribute == th.attributes[0] && len(names) < 4 && chance(r, 0.8) {
			names = append(names, f.entity)
			sources = append(sources, f.at)
		}
	}
	if len(names) < 2 {
		return
	}
	last := len(names) - 1
	s := slots{'A' - 'A': th.attributes[0].names[0], 'E' - 'A': strings.Join(names[:last], ", ") + pick(r, []string{" and ", ", and ", " and of ", ", "}) + names[last]}
	w.ask(TaskSeveral, w.phrase(expandString(r, pick(r, t.together), &s), &s), sources...)
}

var togetherQuestions = []string{
	"What are the {A}s of {E}?", "What are the {A}s for {E}?", "Give the {A}s of {E}.", "List the {A} of each of {E}.", "Find the {A}s for {E}.", "{A}: {E}?", "{A} of {E}", "Tell me the {A}s of {E}.", "What are all the {A}s for {E} mentioned in the text?", "Look up the {A} of {E}.", "Which {A}s do {E} have?", "What {A} does each of these have: {E}?", "For {E}, what are the {A}s?", "{A}s for {E}", "Name the {A}s that belong to {E}.", "I need the {A}s of {E}.", "In the order of the text, what are the {A}s of {E}?",
}

var severalQuestions = []string{
	"What are all the values of the {A} of {E}?", "List [all|every] {A} of {E}.", "List all values given for {E}'s {A}.", "Give every {A} mentioned for {E}.", "Find all the {A} entries for {E}.", "all {A} {E}", "What are all the {A}s for {E} [mentioned|given|hidden] in the [provided |]text?", "What are all the {A} values for {E} in the text?", "Which values does {E}'s {A} have?", "What are all of {E}'s {A} values?", "Name each {A} of {E}.", "The {A} of {E} is given several times. List them all.", "Every {A} for {E}:", "all {A} of {E}?", "Tell me all the {A}s of {E}.", "Which {A}s does the text give for {E}?", "Collect everything listed as the {A} of {E}.", "Enumerate {E}'s {A} values.", "How many different answers are there for the {A} of {E}? Name them.", "Return all {A} values for {E}.", "{E}: all {A}", "What {A}s are mentioned for {E}?",
}
