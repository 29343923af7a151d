package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/handscroll/handscroll/internal/kvcache"
)

// Insert is text to be put into a context before token At, in place of Drop
// tokens.
type Insert struct {
	At   int // counted in the context as it was
	Text string
	Drop int
}

// Splice returns a context in memory as if the first length tokens of c had
// been read with the inserts among them, each as the tokens that its text has
// alone. Only what lies within the model's reach of an insert or of the end is
// read; the rest is shared with c.
//
// An insert never goes before the BOS token that a part begins with: there it
// goes after it. Entries behind an insert that is not a multiple of blockTokens
// long were made at other positions than a direct read would use, and can
// differ from it by rounding; with a Net whose entries depend on tokens alone
// they are the same bit for bit.
func (c *Context) Splice(ctx context.Context, length int, inserts ...Insert) (s *Context, err error) {
	defer recoverTo(&err)
	if length < 1 || length > c.textTokens() {
		return nil, fmt.Errorf("engine: splice of %d tokens from a context of %d", length, c.textTokens())
	}
	inserts = slices.Clone(inserts)
	sort.SliceStable(inserts, func(i, j int) bool { return inserts[i].At < inserts[j].At })
	for _, in := range inserts {
		if in.At < 0 || in.At > length {
			return nil, fmt.Errorf("engine: insert at token %d of %d", in.At, length)
		}
	}
	out := &Context{model: c.model, opts: c.opts, partial: c.partial, cached: c.cached}
	var segments []*kvcache.Segment
	for i, seg := range c.text {
		base := c.starts[i]
		if base >= length {
			break
		}
		n := min(seg.Tokens(), length-base)
		var here []Insert
		for len(inserts) > 0 && (inserts[0].At < base+n || base+n == length) {
			at := max(inserts[0].At-base, 1)
			here = append(here, Insert{at, inserts[0].Text, inserts[0].Drop})
			inserts = inserts[1:]
		}
		if len(here) > 0 || n < seg.Tokens() {
			if seg, err = c.splice(ctx, seg, n, here); err != nil {
				return nil, err
			}
		}
		segments = append(segments, seg)
	}
	for _, s := range c.sensed {
		segments = append(segments, s.Segment)
	}
	out.pages = kvcache.NewMemory(segments)
	out.refresh()
	return out, nil
}

// stretch is tokens [from, from+n) of a segment that stand at to after inserts.
type stretch struct{ from, to, n int }

// splice returns the first n tokens of seg with inserts, whose At are tokens of
// seg, in order.
func (c *Context) splice(ctx context.Context, seg *kvcache.Segment, n int, inserts []Insert) (*kvcache.Segment, error) {
	m := c.model
	var ids []int32
	var text []byte
	var kept []stretch // of seg, between inserts
	var fresh []span   // in the new segment, what must be read
	last, lastByte := 0, int64(0)
	keep := func(to int) {
		end := int64(len(seg.Text))
		if to < seg.Tokens() {
			end = m.byteOffset(seg, to)
		}
		kept = append(kept, stretch{last, len(ids), to - last})
		ids = appendIDs(ids, seg, last, to)
		text = append(text, seg.Text[lastByte:end]...)
		last, lastByte = to, end
	}
	text = make([]byte, 0, len(seg.Text)+1024)
	ids = make([]int32, 0, n+1024)
	for _, in := range inserts {
		keep(min(in.At, n))
		from := len(ids) - m.net.Lookahead()
		ids = m.tok.Encode(ids, []byte(in.Text))
		text = append(text, in.Text...)
		if in.Drop > 0 {
			last = min(in.At+in.Drop, n)
			lastByte = m.byteOffset(seg, last)
		}
		fresh = append(fresh, span{from, len(ids) + m.net.Lead()})
	}
	keep(n)
	if n < seg.Tokens() {
		fresh = append(fresh, span{len(ids) - m.net.Lookahead(), len(ids)})
	}
	fresh = mergeSpans(fresh, len(ids))
	read, err := m.prefill(ctx, ids, fresh, c.opts)
	if err != nil {
		return nil, err
	}
	out := &kvcache.Segment{Source: seg.Source, Text: text}
	for _, f := range read {
		out.Blocks = append(out.Blocks, kvcache.Block{First: f.from, Run: f.run})
	}
	for _, s := range outside(kept, fresh) {
		out.Blocks = append(out.Blocks, shared(seg, s)...)
	}
	slices.SortFunc(out.Blocks, func(a, b kvcache.Block) int { return a.First - b.First })
	m.index(out)
	return out, nil
}

// appendIDs appends the tokens [from, to) of a segment.
func appendIDs(ids []int32, seg *kvcache.Segment, from, to int) []int32 {
	for _, b := range seg.Blocks {
		lo, hi := max(from, b.First), min(to, b.First+b.Run.N)
		for p := lo; p < hi; p++ {
			ids = append(ids, int32(b.Run.ID[p-b.First]))
		}
	}
	return ids
}

// mergeSpans rounds the beginnings of spans, which come in order, down to whole
// blocks, keeps them within n and joins those that meet.
func mergeSpans(spans []span, n int) []span {
	var out []span
	for _, s := range spans {
		s.from = max(0, s.from) / blockTokens * blockTokens
		s.to = min(s.to, n)
		if k := len(out); k > 0 && s.from <= out[k-1].to {
			out[k-1].to = max(out[k-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// outside returns what of the stretches lies in none of the spans. Both are in
// order and refer to the same positions by to.
func outside(kept []stretch, spans []span) []stretch {
	var out []stretch
	for _, k := range kept {
		for _, s := range spans {
			if s.to <= k.to || s.from >= k.to+k.n {
				continue
			}
			if before := s.from - k.to; before > 0 {
				out = append(out, stretch{k.from, k.to, before})
			}
			cut := min(s.to-k.to, k.n)
			k = stretch{k.from + cut, k.to + cut, k.n - cut}
		}
		if k.n > 0 {
			out = append(out, k)
		}
	}
	return out
}

// shared returns a stretch of seg as blocks that share its entries.
func shared(seg *kvcache.Segment, s stretch) []kvcache.Block {
	var out []kvcache.Block
	for _, b := range seg.Blocks {
		lo, hi := max(s.from, b.First), min(s.from+s.n, b.First+b.Run.N)
		if lo < hi {
			out = append(out, kvcache.Block{First: s.to + lo - s.from, Run: b.Run.Slice(lo-b.First, hi-b.First)})
		}
	}
	return out
}

// Boundary returns the greatest token offset of the context, at most at, that a
// line or sentence begins at: where text can be inserted without cutting
// through one. Failing that within 512 tokens it is at itself.
func (c *Context) Boundary(at int) int {
	at = min(max(at, 0), c.textTokens())
	if at == 0 || at == c.textTokens() {
		return at
	}
	seg, _, token := c.locate(at)
	for t := token; t > max(1, token-512); t-- {
		off := c.model.byteOffset(seg, t)
		if off == 0 {
			continue
		}
		if before := seg.Text[off-1]; before == '\n' && off < int64(len(seg.Text)) && seg.Text[off] != '\n' ||
			isEnd(before) && before != ';' && off < int64(len(seg.Text)) && isSpace(seg.Text[off]) {
			return at - token + t
		}
	}
	if token <= 512 {
		return at - token // the part's beginning
	}
	return at
}

// Text returns the text of tokens [from, to); where parts meet nothing is put
// between them.
func (c *Context) Text(from, to int) []byte {
	from, to = max(from, 0), min(to, c.textTokens())
	var out []byte
	for i, seg := range c.text {
		lo, hi := max(from-c.starts[i], 0), min(to-c.starts[i], seg.Tokens())
		if lo >= hi {
			continue
		}
		begin, end := c.model.byteOffset(seg, lo), int64(len(seg.Text))
		if hi < seg.Tokens() {
			end = c.model.byteOffset(seg, hi)
		}
		out = append(out, seg.Text[begin:max(begin, end)]...) // a forged context can have offsets that do not ascend
	}
	return out
}
