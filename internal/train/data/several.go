package data

import "strings"

// several hides two to five values of one key and asks for all of them.
func (w *world) several(n int) {
	t, r := &w.g.tables, w.r
	for range n {
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

var severalQuestions = []string{
	"What are all the values of the {A} of {E}?", "List [all|every] {A} of {E}.", "List all values given for {E}'s {A}.", "Give every {A} mentioned for {E}.", "Find all the {A} entries for {E}.", "all {A} {E}", "Which values does {E}'s {A} have?", "What are all of {E}'s {A} values?", "Name each {A} of {E}.", "The {A} of {E} is given several times. List them all.", "Every {A} for {E}:", "all {A} of {E}?", "Tell me all the {A}s of {E}.", "Which {A}s does the text give for {E}?", "Collect everything listed as the {A} of {E}.", "Enumerate {E}'s {A} values.", "How many different answers are there for the {A} of {E}? Name them.", "Return all {A} values for {E}.", "{E}: all {A}", "What {A}s are mentioned for {E}?",
}
