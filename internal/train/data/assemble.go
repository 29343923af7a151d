package data

import (
	"bytes"
	"slices"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

// edge says what a piece allows before and after it.
type edge uint8

const (
	startsLine   edge = 1 << iota // begins with "\n"
	startsSpace                   // begins with " "
	endsSentence                  // ends with . ! ? and perhaps a closing quote
	endsLine                      // ends with "\n"
)

func edgeOf(piece []byte) edge {
	if len(piece) == 0 {
		return 0
	}
	var e edge
	switch piece[0] {
	case '\n':
		e |= startsLine
	case ' ':
		e |= startsSpace
	}
	if piece[len(piece)-1] == '\n' {
		e |= endsLine
	}
	if stop := bytes.TrimRight(piece, "\"')”’»"); len(stop) > 0 && bytes.IndexByte([]byte(".!?"), stop[len(stop)-1]) >= 0 {
		e |= endsSentence
	}
	return e
}

// fill draws the filler of each segment and merges the blocks into it, which
// fixes every context token.
func (w *world) fill() {
	at := 0
	for s := range w.segments {
		seg := &w.segments[s]
		var mine []int
		room := seg.length - 1
		for i := range w.blocks {
			if w.blocks[i].segment == s {
				mine = append(mine, i)
				room -= len(w.blocks[i].ids)
			}
		}
		text := w.draw(seg.kind, room)
		seg.start = at
		seg.filler = w.merge(text, mine, at+1)
		at += seg.length
	}
}

// draw takes n tokens of running text of a kind, of several documents where
// one does not reach.
func (w *world) draw(kind Kind, n int) []int32 {
	out := make([]int32, 0, n)
	for len(out) < n {
		doc, offset := w.g.corpus.locate(kind, w.r.IntN(w.g.corpus.size(kind)))
		need := n - len(out)
		if offset > len(doc.IDs)-need {
			offset = max(0, len(doc.IDs)-need)
		}
		// Start at a line if one starts soon.
		for i := offset; i < min(offset+24, len(doc.IDs)-need); i++ {
			if w.g.edges[doc.IDs[i]]&startsLine != 0 {
				offset = i + 1
				break
			}
		}
		end := min(len(doc.IDs), offset+need)
		if end == offset {
			offset, end = 0, min(len(doc.IDs), need)
		}
		for _, id := range doc.IDs[offset:end] {
			out = append(out, int32(id))
		}
	}
	return out
}

// merge puts blocks between the tokens of a text. first is the index of the
// text's first token in the example.
func (w *world) merge(text []int32, blocks []int, first int) []int32 {
	var lines, sentences []int
	for i := 1; i < len(text); i++ {
		e := w.g.edges[text[i]]
		switch {
		case e&startsLine != 0:
			lines = append(lines, i)
		case e&startsSpace != 0 && w.stops(text, i-1):
			sentences = append(sentences, i)
		}
	}
	type placed struct{ at, block int }
	places := make([]placed, len(blocks))
	for i, b := range blocks {
		at := len(text)
		switch blk := &w.blocks[b]; {
		case blk.loose && len(text) > 0:
			at = w.r.IntN(len(text))
			for at < len(text) && w.g.edges[text[at]]&(startsSpace|startsLine) == 0 {
				at++
			}
		case blk.inline && len(sentences) > 0:
			at = pick(w.r, sentences)
		case len(lines) > 0:
			at = pick(w.r, lines)
		}
		places[i] = placed{at, b}
	}
	slices.SortStableFunc(places, func(a, b placed) int { return a.at - b.at })
	out := make([]int32, 0, len(text)+64)
	done := 0
	for _, p := range places {
		out = append(out, text[done:p.at]...)
		done = p.at
		b := &w.blocks[p.block]
		b.at = first + len(out)
		out = append(out, b.ids...)
	}
	return append(out, text[done:]...)
}

// assemble lays out segments and questions and writes the rows.
func (w *world) assemble() *Example {
	ex := &Example{}
	for _, s := range w.segments {
		ex.Tokens = append(append(ex.Tokens, tokenizer.BOS), s.filler...)
		ex.Segments = append(ex.Segments, Segment{Start: s.start, End: s.start + s.length})
	}
	w.modelRows(ex)
	context := ex.Segments
	for group, q := range w.asks {
		start := len(ex.Tokens)
		ex.Tokens = w.g.tok.Encode(append(ex.Tokens, tokenizer.Question), []byte(q.text))
		ex.Tokens = append(ex.Tokens, tokenizer.Answer)
		w.answerRows(ex, context, q, int32(group))
		ex.Segments = append(ex.Segments, Segment{Start: start, End: len(ex.Tokens), Question: true})
	}
	return ex
}

// answerRows appends an answer and its rows; the last token is the Answer mark.
func (w *world) answerRows(ex *Example, context []Segment, q ask, group int32) {
	row := func(target, from, prev int32) {
		ex.Rows = append(ex.Rows, Row{
			Token: int32(len(ex.Tokens) - 1), Target: target, Source: from, Prev: prev,
			Group: group, Answer: true, Task: q.task,
		})
	}
	if len(q.sources) == 0 {
		row(tokenizer.Absent, SourceSink, -1)
		ex.Tokens = append(ex.Tokens, tokenizer.Absent)
		row(tokenizer.End, SourceSink, -1)
		return
	}
	prev := int32(-1)
	spans := w.resolve(q.sources)
	for i, s := range spans {
		for at := s.start; at < s.end; at++ {
			row(ex.Tokens[at], int32(at), prev)
			prev = int32(at)
			ex.Tokens = append(ex.Tokens, ex.Tokens[at])
		}
		// What ends the value in the context tells the pointer to stop there.
		after := int32(s.end)
		for _, c := range context {
			if s.end == c.End {
				after = SourceNone
			}
		}
		if i == len(spans)-1 {
			row(tokenizer.End, after, prev)
			return
		}
		row(tokenizer.Sep, after, prev)
		prev = after
		ex.Tokens = append(ex.Tokens, tokenizer.Sep)
	}
}

// resolve turns sources into ranges of the example's tokens, in context order.
func (w *world) resolve(sources []source) []span {
	spans := make([]span, len(sources))
	for i, src := range sources {
		spans[i] = src.raw
		if src.block >= 0 {
			b := &w.blocks[src.block]
			spans[i] = span{b.at + b.spans[src.span].start, b.at + b.spans[src.span].end}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	return spans
}

// modelRows adds language-model rows at random context positions.
func (w *world) modelRows(ex *Example) {
	var at []int
	for range w.g.opts.LMRows {
		s := pick(w.r, ex.Segments)
		if s.End-s.Start < 12 {
			continue
		}
		at = append(at, between(w.r, s.Start+8, s.End-2))
	}
	slices.Sort(at)
	at = slices.Compact(at)
	earlier := repeats(ex, at)
	for i, p := range at {
		ex.Rows = append(ex.Rows, Row{
			Token: int32(p), Target: ex.Tokens[p+1], Source: earlier[i], Prev: -1, Group: -1,
		})
	}
}

// Repeated text supervises the pointer weakly: where the last gramSize tokens
// have occurred before, at least repeatGap tokens back, and went on the same
// way, the pointer should be on how they went on.
const (
	gramSize  = 4
	repeatGap = 100
)

// repeats returns for each position the latest earlier continuation of its
// n-gram, SourceNone where there is none. The positions are sorted.
func repeats(ex *Example, at []int) []int32 {
	out := make([]int32, len(at))
	wanted := make(map[[gramSize]int32][]int, len(at))
	for i, p := range at {
		out[i] = SourceNone
		gram := [gramSize]int32(ex.Tokens[p-gramSize+1 : p+1])
		wanted[gram] = append(wanted[gram], i)
	}
	var filter [256]bool // by last token: most positions need no look-up
	for _, p := range at {
		filter[byte(ex.Tokens[p])] = true
	}
	for _, s := range ex.Segments {
		for p := s.Start + gramSize - 1; p+1 < s.End; p++ {
			if !filter[byte(ex.Tokens[p])] {
				continue
			}
			for _, i := range wanted[[gramSize]int32(ex.Tokens[p-gramSize+1:p+1])] {
				if at[i]-p > repeatGap && ex.Tokens[p+1] == ex.Tokens[at[i]+1] {
					out[i] = int32(p + 1)
				}
			}
		}
	}
	return out
}
