package data

import (
	"cmp"
	"slices"
)

// tables are the lists of one split.
type tables struct {
	attributes         []attribute
	relations          []attribute
	types              []valueType
	forward, backward  []string
	carriers           []carrier
	full, entity, attr []string
	reverse            []string
	before, after      []string
	several, together  []string
	quote              []string
	cell               []string
	setting            []string
	sectionSetting     []string
	dialects           []dialect
	snippets           []snippet
	stories            []storyKind
	where, constant    []string // of names in code
	comment            []string
	whoSaid, whenSaid  []string
	saidAt, saidAfter  []string
}

// reserved tells whether a key belongs to the held-out tenth.
func reserved(key string) bool { return hash("held out/"+key)%10 == 0 }

// side returns one side of a list's split. A short list that the hash leaves
// whole gives its items of lowest hash, so that both sides have some.
func side[T any](list []T, heldOut bool, key func(T) string) []T {
	held := map[string]bool{}
	for _, item := range list {
		if k := key(item); reserved(k) {
			held[k] = true
		}
	}
	if len(held) == 0 {
		sorted := slices.SortedFunc(slices.Values(list), func(a, b T) int { return cmp.Compare(hash(key(a)), hash(key(b))) })
		for _, item := range sorted[:(len(list)+9)/10] {
			held[key(item)] = true
		}
	}
	var out []T
	for _, item := range list {
		if held[key(item)] == heldOut {
			out = append(out, item)
		}
	}
	return out
}

// newTables selects one side of the split.
func newTables(heldOut bool) tables {
	var t tables
	t.attributes = side(parseAttributes(), heldOut, func(a attribute) string { return a.names[0] })
	t.relations = side(parseRelations(), heldOut, func(a attribute) string { return "relation " + a.names[0] })
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
	t.dialects = side(dialects, heldOut, func(d dialect) string { return d.head + d.line })
	t.carriers = side(carriers, heldOut, func(c carrier) string { return c.say })
	t.snippets = side(snippets, heldOut, func(s snippet) string { return s.text })
	text := func(s string) string { return s }
	for i := range t.snippets {
		s := &t.snippets[i]
		s.questions = slices.Clone(s.questions)
		for j := range s.questions {
			s.questions[j].frames = side(s.questions[j].frames, heldOut, text)
		}
	}
	t.stories = side(storyKinds, heldOut, func(s storyKind) string { return s.lines[0] })
	for _, list := range []struct {
		dst *[]string
		all []string
	}{
		{&t.forward, forwardFrames}, {&t.backward, backwardFrames},
		{&t.full, fullQuestions}, {&t.entity, entityQuestions}, {&t.attr, attributeQuestions}, {&t.reverse, reverseQuestions},
		{&t.before, preambles}, {&t.after, postambles},
		{&t.several, severalQuestions}, {&t.together, togetherQuestions}, {&t.quote, quoteQuestions},
		{&t.cell, cellQuestions}, {&t.setting, settingQuestions}, {&t.sectionSetting, sectionQuestions},
		{&t.where, askWhere.frames}, {&t.constant, askConst.frames}, {&t.comment, askComment.frames},
		{&t.whoSaid, whoSaid}, {&t.whenSaid, whenSaid}, {&t.saidAt, saidAt}, {&t.saidAfter, saidAfter},
	} {
		*list.dst = side(list.all, heldOut, text)
	}
	return t
}
