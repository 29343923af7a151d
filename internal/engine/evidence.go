package engine

import (
	"bytes"
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

const (
	maxEvidence = 5
	maxQuote    = 300 // bytes of a passage
	// minWeight is the share of attention below which a passage says nothing.
	minWeight = 0.02
	// joinWeight is the share above which neighbouring passages make one: the
	// lines of a long quotation, not those where a glance fell.
	joinWeight = 0.1
)

// Evidence is a passage that an answer rests on.
type Evidence struct {
	Source string
	Line   int    // of the quote's beginning, from 1
	Offset int64  // byte of the quote's beginning in the source's text
	Quote  string // the source's text from Offset on
	Weight float32
	Page   int           // of a document, from 1; 0 for none
	Time   time.Duration // in a film or sound, −1 for none
}

// passage is a stretch of a segment's text while weights are summed.
type passage struct {
	index    int // of the segment
	from, to int64
	weight   float32
}

// evidence returns the passages that the pointer weighed over the answer's
// steps, strongest first, each with its average share of the attention.
func (c *Context) evidence(steps []model.Step) []Evidence {
	offsets := map[int]int64{} // a position is hit by many steps
	var found []passage
	n := 0
	for _, st := range steps {
		if st.ID < tokenizer.NumSpecial {
			continue
		}
		n++
		hits := st.Hits
		if len(hits) == 0 && st.Source >= 0 {
			hits = []model.Hit{{Pos: st.Source, Weight: st.Weight}}
		}
		for i, h := range hits {
			// The strongest always counts: an answer comes from somewhere.
			if i > 0 && h.Weight < minWeight/4 {
				break
			}
			seg, index, token := c.locate(h.Pos)
			at, ok := offsets[h.Pos]
			if !ok {
				at = c.model.wordOffset(seg, token)
				offsets[h.Pos] = at
			}
			found = addTo(found, seg.Text, index, at, h.Weight)
		}
	}
	found = join(found, joinWeight*float32(n), func(i int) []byte { return c.text[i].Text })
	slices.SortStableFunc(found, func(a, b passage) int { return cmp.Compare(b.weight, a.weight) })
	var out []Evidence
	for i, p := range found {
		weight := p.weight / float32(n)
		if i == maxEvidence || i > 0 && weight < minWeight {
			break
		}
		seg := c.text[p.index]
		page, at := c.notes[p.index].place(p.from)
		out = append(out, Evidence{
			Source: seg.Source, Line: lineOf(seg, p.from), Offset: p.from,
			Quote: string(seg.Text[p.from:p.to]), Weight: weight, Page: page, Time: at,
		})
	}
	return out
}

// addTo adds weight to the passage of found that byte at of a segment is in, or
// to a new one.
func addTo(found []passage, text []byte, index int, at int64, weight float32) []passage {
	for i := range found {
		if p := &found[i]; p.index == index && p.from <= at && at < p.to {
			p.weight += weight
			return found
		}
	}
	from, to := quote(text, at)
	if from == to {
		return found // a blank line shows nothing
	}
	return append(found, passage{index, from, to, weight})
}

// join makes one of passages of at least some weight that follow one another or
// overlap, as the lines of a long quotation do, while they stay short enough.
// textOf returns the text that passages of an index are in.
func join(found []passage, least float32, textOf func(index int) []byte) []passage {
	slices.SortFunc(found, func(a, b passage) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.from, b.from))
	})
	var out []passage
	for _, p := range found {
		if n := len(out); n > 0 {
			last := &out[n-1]
			to := max(last.to, p.to)
			strong := min(last.weight, p.weight) >= least
			if strong && last.index == p.index && to-last.from <= maxQuote && touch(textOf(p.index), last.to, p.from) {
				last.to = to
				last.weight += p.weight
				continue
			}
		}
		out = append(out, p)
	}
	return out
}

// touch reports whether only white space lies between two bytes of a text.
func touch(text []byte, from, to int64) bool {
	if from >= to {
		return true
	}
	return to-from <= 64 && len(bytes.TrimSpace(text[from:to])) == 0
}

// wordOffset is where a token begins, past the white space that it may open
// with: the space before a word, or the end of the line before.
func (m *Model) wordOffset(s *kvcache.Segment, token int) int64 {
	at := m.byteOffset(s, token)
	b := s.Blocks[blockOf(s, token)]
	for range m.width[b.Run.ID[token-b.First]] - 1 {
		if at+1 >= int64(len(s.Text)) || !isSpace(s.Text[at]) {
			break
		}
		at++
	}
	return at
}

// quote returns the passage around byte at of text: its line, or of a line
// longer than maxQuote the sentence, or of such a sentence what fits. It begins
// and ends with no space and inside no character.
func quote(text []byte, at int64) (from, to int64) {
	if len(text) == 0 {
		return 0, 0
	}
	at = min(at, int64(len(text))-1)
	lo, hi := max(0, at-maxQuote), min(int64(len(text)), at+maxQuote)
	if i := bytes.LastIndexByte(text[lo:at], '\n'); i >= 0 {
		lo += int64(i) + 1
	}
	if i := bytes.IndexByte(text[at:hi], '\n'); i >= 0 {
		hi = at + int64(i)
	}
	if hi-lo > maxQuote {
		lo, hi = sentence(text, lo, at, hi)
	}
	for lo < at && isSpace(text[lo]) {
		lo++
	}
	for hi > lo && isSpace(text[hi-1]) {
		hi--
	}
	return lo, hi
}

// sentence narrows [lo, hi) around at to at most maxQuote bytes.
func sentence(text []byte, lo, at, hi int64) (from, to int64) {
	for i := at - 1; i > lo; i-- {
		if isSpace(text[i]) && isEnd(text[i-1]) {
			lo = i + 1
			break
		}
	}
	for i := at; i < hi; i++ {
		if isEnd(text[i]) && (i+1 == hi || isSpace(text[i+1])) {
			hi = i + 1
			break
		}
	}
	if hi-lo <= maxQuote {
		return lo, hi
	}
	// Mostly what comes before: the question's words stand there.
	lo = max(lo, at-maxQuote/2)
	hi = min(hi, lo+maxQuote)
	for lo < at && !utf8.RuneStart(text[lo]) {
		lo++
	}
	for hi > at+1 && hi < int64(len(text)) && !utf8.RuneStart(text[hi]) {
		hi--
	}
	// At word boundaries, if they are near.
	if i := bytes.IndexByte(text[lo:min(at, lo+32)], ' '); i >= 0 {
		lo += int64(i) + 1
	}
	if i := bytes.LastIndexByte(text[max(at+1, hi-32):hi], ' '); i >= 0 {
		hi = max(at+1, hi-32) + int64(i)
	}
	return lo, hi
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func isEnd(c byte) bool { return c == '.' || c == '!' || c == '?' || c == ';' }

// lineOf returns the number of the line that byte at is in, counting from the
// block before it.
func lineOf(s *kvcache.Segment, at int64) int {
	i, _ := slices.BinarySearchFunc(s.Blocks, at, func(b kvcache.Block, at int64) int { return cmp.Compare(b.Offset, at+1) })
	b := s.Blocks[max(i-1, 0)]
	return 1 + b.Line + countLines(s.Text[b.Offset:max(at, b.Offset)])
}

func countLines(text []byte) int { return bytes.Count(text, newline) }
