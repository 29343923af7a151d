package data

// tables are the lists of one split.
type tables struct {
	attributes         []attribute
	relations          []attribute
	types              []valueType
	forward, backward  []string
	full, entity, attr []string
	reverse            []string
	before, after      []string
	several, quote     []string
	together           []string
	cell               []string
	setting            []string
	sectionSetting     []string
	where, constant    []string // of names in code
	comment            []string
	whoSaid, whenSaid  []string
	saidAt, saidAfter  []string
}

// reserved tells whether an item of any table belongs to the held-out tenth.
func reserved(item string) bool { return hash("held out/"+item)%10 == 0 }

// newTables selects one side of the split.
func newTables(heldOut bool) tables {
	var t tables
	for _, a := range parseAttributes() {
		if reserved(a.names[0]) == heldOut {
			t.attributes = append(t.attributes, a)
		}
	}
	for _, a := range parseRelations() {
		if reserved("relation "+a.names[0]) == heldOut {
			t.relations = append(t.relations, a)
		}
	}
	for _, v := range valueTypes {
		if v.held == heldOut {
			t.types = append(t.types, v)
		}
	}
	if heldOut {
		for i := range t.attributes {
			t.attributes[i].types = t.types
		}
		for i := range t.relations {
			t.relations[i].types = t.types
		}
	}
	side := func(list []string) []string {
		var out []string
		for _, item := range list {
			if reserved(item) == heldOut {
				out = append(out, item)
			}
		}
		if len(out) == 0 {
			return list
		}
		return out
	}
	t.forward, t.backward = side(forwardFrames), side(backwardFrames)
	t.full, t.entity, t.attr = side(fullQuestions), side(entityQuestions), side(attributeQuestions)
	t.reverse = side(reverseQuestions)
	t.before, t.after = side(preambles), side(postambles)
	t.together = side(togetherQuestions)
	t.several, t.quote = side(severalQuestions), side(quoteQuestions)
	t.cell = side(cellQuestions)
	t.setting, t.sectionSetting = side(settingQuestions), side(sectionQuestions)
	t.where, t.constant, t.comment = side(askWhere.frames), side(askConst.frames), side(askComment.frames)
	t.whoSaid, t.whenSaid, t.saidAt, t.saidAfter = side(whoSaid), side(whenSaid), side(saidAt), side(saidAfter)
	return t
}
