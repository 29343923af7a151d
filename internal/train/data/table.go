package data

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
)

// grid is a table with its row labels in the first column.
type grid struct {
	label   string
	columns []*attribute
	names   []string   // of the columns
	rows    []string   // row labels
	cells   [][]string // [row][column]
}

// tabular writes small tables and record lists until n cells are asked for.
func (w *world) tabular(n int) {
	for n > 0 {
		g := w.newGrid()
		if g == nil {
			return
		}
		layout := pick(w.r, layouts)
		text, spans := layout(w.r, g)
		// Spans lie row by row; two in front of each row's cells are not needed.
		block := w.add(text, spans, false)
		if block < 0 {
			if len(g.rows) > 2 {
				g.rows = g.rows[:2]
				text, spans = layout(w.r, g)
				block = w.add(text, spans, false)
			}
			if block < 0 {
				return
			}
		}
		ask := min(n, between(w.r, 1, max(1, len(g.rows)*len(g.columns)/2)))
		w.askCells(g, block, ask)
		n -= ask
	}
}

// newGrid draws a table whose row labels are new to the example.
func (w *world) newGrid() *grid {
	r, t := w.r, &w.g.tables
	g := &grid{label: pick(r, []string{"name", "id", "item", "key", "entry", "who", "title", "no", "label"})}
	seen := map[string]bool{}
	for range between(r, 1, 4) {
		a := &t.attributes[r.IntN(len(t.attributes))]
		name := a.names[0]
		if seen[name] || strings.ContainsAny(name, ",") {
			continue
		}
		seen[name] = true
		if chance(r, 0.3) {
			name = strings.ReplaceAll(name, " ", "_")
		}
		g.columns, g.names = append(g.columns, a), append(g.names, name)
	}
	th := theme{kinds: []entityKind{pick(r, entityKinds)}}
	for range between(r, 2, 9) {
		label := w.newEntity(&th)
		if len(g.rows) > 0 && chance(r, w.g.opts.NearDuplicate) {
			label = vary(r, pick(r, g.rows))
		}
		key := strings.ToLower(label)
		if w.names[key] || w.facts.entities[key] > 0 || !w.usableEntity(label) || strings.ContainsAny(label, ",|\t") {
			continue
		}
		w.names[key] = true
		w.facts.entities[key]++
		g.rows = append(g.rows, label)
	}
	if len(g.rows) == 0 {
		return nil
	}
	kinds := make([]valueType, len(g.columns))
	for i, a := range g.columns {
		kinds[i] = pick(r, a.types)
		if chance(r, 0.2) {
			kinds[i] = pick(r, t.types)
		}
	}
	for range g.rows {
		row := make([]string, len(kinds))
		for i, kind := range kinds {
			for {
				row[i] = kind.make(r)
				if len(g.cells) > 0 && chance(r, 0.2) {
					row[i] = mutate(r, pick(r, g.cells)[i])
				}
				if !strings.ContainsAny(row[i], ",|\t\"\\") {
					break
				}
				kind = pick(r, t.types)
			}
		}
		g.cells = append(g.cells, row)
	}
	return g
}

// A layout writes a table; spans are the cells, row by row.
type layout func(r *rand.Rand, g *grid) (text []byte, spans []span)

var layouts = []layout{csvLayout, csvLayout, markdownLayout, markdownLayout, alignedLayout, jsonLayout, jsonLayout, recordLayout, recordLayout, inlineLayout, sectionLayout}

// separated writes header and rows with fixed texts around the cells.
func separated(g *grid, left, between, right string) ([]byte, []span) {
	var text []byte
	var spans []span
	line := func(first string, rest []string, mark bool) {
		text = append(append(text, left...), first...)
		for _, c := range rest {
			text = append(text, between...)
			if mark {
				spans = append(spans, span{len(text), len(text) + len(c)})
			}
			text = append(text, c...)
		}
		text = append(append(text, right...), '\n')
	}
	line(g.label, g.names, false)
	if left == "| " {
		dashes := slices.Repeat([]string{"---"}, len(g.names))
		line("---", dashes, false)
	}
	for i, row := range g.rows {
		line(row, g.cells[i], true)
	}
	return text[:len(text)-1], spans
}

func csvLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	return separated(g, "", pick(r, []string{",", ",", ";", "\t", ", ", " ; "}), "")
}

func markdownLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	return separated(g, "| ", " | ", " |")
}

func alignedLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	width := make([]int, len(g.names)+1)
	rows := append([][]string{append([]string{g.label}, g.names...)}, nil...)
	for i, label := range g.rows {
		rows = append(rows, append([]string{label}, g.cells[i]...))
	}
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], len(c))
		}
	}
	var text []byte
	var spans []span
	for k, row := range rows {
		for i, c := range row {
			if k > 0 && i > 0 {
				spans = append(spans, span{len(text), len(text) + len(c)})
			}
			text = append(text, c...)
			if i < len(row)-1 {
				text = append(text, strings.Repeat(" ", width[i]-len(c)+2)...)
			}
		}
		text = append(text, '\n')
	}
	return text[:len(text)-1], spans
}

func jsonLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	var text []byte
	var spans []span
	quote := func(s string) []byte {
		b, _ := json.Marshal(s)
		return b
	}
	for i, label := range g.rows {
		text = append(append(append(append(text, '{'), quote(g.label)...), ": "...), quote(label)...)
		for j, c := range g.cells[i] {
			text = append(append(append(text, ", "...), quote(g.names[j])...), ": \""...)
			spans = append(spans, span{len(text), len(text) + len(c)})
			text = append(append(text, c...), '"')
		}
		text = append(text, "}\n"...)
	}
	return text[:len(text)-1], spans
}

// recordLayout writes a paragraph of "name: value" lines for each row.
func recordLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	sep := pick(r, []string{": ", ": ", " = ", " - ", " : ", "\t"})
	var text []byte
	var spans []span
	for i, label := range g.rows {
		text = append(append(append(append(text, g.label...), sep...), label...), '\n')
		for j, c := range g.cells[i] {
			text = append(append(text, g.names[j]...), sep...)
			spans = append(spans, span{len(text), len(text) + len(c)})
			text = append(append(text, c...), '\n')
		}
		text = append(text, '\n')
	}
	return text[:len(text)-2], spans
}

// inlineLayout writes each row as a line of "name value" pairs.
func inlineLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	sep := pick(r, []string{" ", ": ", "="})
	between := pick(r, []string{", ", "; ", " | ", " / "})
	var text []byte
	var spans []span
	for i, label := range g.rows {
		text = append(append(text, label...), pick(r, []string{": ", " - ", ", "})...)
		for j, c := range g.cells[i] {
			if j > 0 {
				text = append(text, between...)
			}
			text = append(append(text, g.names[j]...), sep...)
			spans = append(spans, span{len(text), len(text) + len(c)})
			text = append(text, c...)
		}
		text = append(text, '\n')
	}
	return text[:len(text)-1], spans
}

// sectionLayout gives each row a heading and a list.
func sectionLayout(r *rand.Rand, g *grid) ([]byte, []span) {
	head := pick(r, []string{"## ", "### ", "* ", "== ", ""})
	bullet := pick(r, []string{"- ", "  - ", "* ", "  "})
	var text []byte
	var spans []span
	for i, label := range g.rows {
		text = append(append(append(text, head...), label...), '\n')
		for j, c := range g.cells[i] {
			text = append(append(append(text, bullet...), g.names[j]...), ": "...)
			spans = append(spans, span{len(text), len(text) + len(c)})
			text = append(append(text, c...), '\n')
		}
	}
	return text[:len(text)-1], spans
}

// askCells asks for n cells of a table.
func (w *world) askCells(g *grid, block, n int) {
	r := w.r
	for range n {
		i, j := r.IntN(len(g.rows)), r.IntN(len(g.columns))
		s := slots{'A' - 'A': g.names[j], 'E' - 'A': g.rows[i], 'V' - 'A': "it", 'L' - 'A': g.label}
		if chance(r, 0.3) {
			s['A'-'A'] = strings.ReplaceAll(s['A'-'A'], "_", " ")
		}
		list := w.g.tables.cell
		if chance(r, 0.5) {
			list = w.g.tables.full
		}
		if chance(r, w.g.opts.AbsentShare) {
			if w.absentCell(g, &s) {
				w.ask(TaskAbsent, w.phrase(expandString(r, pick(r, list), &s), &s))
			}
			continue
		}
		w.ask(TaskTable, w.phrase(expandString(r, pick(r, list), &s), &s), source{block: block, span: i*len(g.columns) + j})
	}
}

// absentCell changes the row or the column of a cell to one that is not there.
func (w *world) absentCell(g *grid, s *slots) bool {
	if chance(w.r, 0.3) {
		a := &w.g.tables.attributes[w.r.IntN(len(w.g.tables.attributes))]
		s['A'-'A'] = a.names[0]
		return !slices.Contains(g.columns, a)
	}
	s['E'-'A'] = vary(w.r, s['E'-'A'])
	key := strings.ToLower(s['E'-'A'])
	return w.facts.entities[key] == 0 && w.usableEntity(s['E'-'A'])
}

var cellQuestions = []string{
	"What is in the {A} column for {E}?", "What does the table [give|list|show|say] [as|for] the {A} of {E}?", "Which {A} is in the row of {E}?", "In the row {E}, what is the {A}?", "In the table, what is {E}'s {A}?", "{E}, column {A}?", "row {E}, column {A}", "cell {E} / {A}", "Look at the row with {L} {E}. What is the {A}?", "What is the {A} where {L} is {E}?", "select {A} where {L} = {E}", "Find the entry with {L} {E} and give its {A}.", "What {A} does the entry {E} have?", "Which {A} is listed next to {E}?", "For the {L} {E}, what is the {A}?", "the {A} in the line of {E}", "{L} {E}: {A}?", "{A} when {L} is {E}?", "Give the {A} of the {L} {E}.", "In the record {E}, what is the {A}?", "Read the {A} of {E} from the table.", "What is the {A} field of {E}?", "Table lookup: {E}, {A}", "What stands under {A} for {E}?", "For {E} the {A} column says",
}
