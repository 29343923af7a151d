package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

// Cut changes a film or a recording: what Stretch shows between its Lead and its
// Tail takes the place of as much of the film from At on; of a recording it is put
// in before At, and what follows comes later. Lead and Tail are what stands before
// and after, so that entries are made as in the whole; they must be at least
// CutLead and CutTail long but at the ends of the source.
type Cut struct {
	At         time.Duration
	Stretch    media.Part
	Lead, Tail time.Duration
}

// CutLead and CutTail are how much an entry depends on before and after, twice.
const (
	CutLead = 24 * time.Second
	CutTail = 16 * time.Second
)

// reachBack and reachAhead are half of those: entries beyond stay as they are.
const (
	reachBack  = CutTail / 2 // before the change: entries that look ahead into it
	reachAhead = CutLead / 2 // after it
)

// SpliceMedium returns a context in memory as if the film or recording source had
// ended at length and been cut so. Other parts stay; what was seen and heard
// outside the cuts' reach is shared with c.
func (c *Context) SpliceMedium(ctx context.Context, source string, length time.Duration, cuts ...Cut) (out *Context, err error) {
	defer recoverTo(&err)
	at := slices.IndexFunc(c.text, func(s *kvcache.Segment) bool { return s.Source == source })
	if at < 0 {
		return nil, fmt.Errorf("engine: no part called %s", source)
	}
	if c.notes[at].Modality == "" {
		return nil, fmt.Errorf("engine: %s is text; splice it by tokens", source)
	}
	cuts = slices.Clone(cuts)
	slices.SortFunc(cuts, func(a, b Cut) int { return int(a.At - b.At) })
	e := &edit{c: c, source: source, length: length, film: c.notes[at].Modality == media.Film.String()}
	for _, cut := range cuts {
		got, err := c.perceive(ctx, &cut.Stretch, nil)
		if err != nil {
			return nil, fmt.Errorf("engine: %s: %w", cut.Stretch.Source, err)
		}
		e.cuts = append(e.cuts, perceivedCut{cut, got})
	}
	var segments []*kvcache.Segment
	for _, s := range c.pages.Segments() {
		note, err := notesOf(s)
		if err != nil {
			return nil, err
		}
		switch {
		case note.Of == source && note.Kind == kindSeen:
			s = e.seen(s, note)
		case note.Of == source && note.Kind == kindHeard:
			s = e.heard(s, note)
		case s.Source == source:
			if s, err = e.text(ctx, s, note); err != nil {
				return nil, err
			}
		}
		if s.Tokens() > 0 {
			segments = append(segments, s)
		}
	}
	out = &Context{model: c.model, opts: c.opts, partial: c.partial, cached: c.cached, pages: kvcache.NewMemory(segments)}
	out.refresh()
	return out, nil
}

// edit is a splice under way.
type edit struct {
	c      *Context
	source string
	length time.Duration
	film   bool
	cuts   []perceivedCut
}

type perceivedCut struct {
	Cut
	*perceived
}

// inner is how long the stretch is between Lead and Tail.
func (p *perceivedCut) inner() time.Duration {
	length := p.length
	if n := len(p.times); n > 0 {
		length = time.Duration(p.times[n-1])*time.Millisecond + time.Second // a frame lasts until the next
	}
	return max(0, length-p.Lead-p.Tail)
}

// later is how much later than in the source what stands at t is, after the cuts.
func (e *edit) later(t time.Duration) (d time.Duration) {
	if e.film {
		return 0
	}
	for i := range e.cuts {
		if e.cuts[i].At <= t {
			d += e.cuts[i].inner()
		}
	}
	return d
}

// run builds a segment's entries out of pieces of others.
type runBuilder struct{ blocks []kvcache.Block }

func (b *runBuilder) add(from []kvcache.Block, lo, hi int) {
	for _, x := range from {
		a, z := max(lo, x.First), min(hi, x.First+x.Run.N)
		if a >= z {
			continue
		}
		first := 0
		if n := len(b.blocks); n > 0 {
			first = b.blocks[n-1].First + b.blocks[n-1].Run.N
		}
		b.blocks = append(b.blocks, kvcache.Block{First: first, Run: x.Run.Slice(a-x.First, z-x.First)})
	}
}

func blocksOf(runs []kvcache.Run) []kvcache.Block {
	var b runBuilder
	for _, r := range runs {
		b.add([]kvcache.Block{{Run: r}}, 0, r.N)
	}
	return b.blocks
}

func (b *runBuilder) segment(s *kvcache.Segment, n notes) *kvcache.Segment {
	if k := len(b.blocks); k > 0 {
		b.blocks[k-1].Last = true
	}
	return &kvcache.Segment{Source: s.Source, Hash: s.Hash, Blocks: b.blocks, Notes: n.encode()}
}

// seen replaces patches: frames of a cut take the places of those at their times.
func (e *edit) seen(s *kvcache.Segment, n notes) *kvcache.Segment {
	index := func(t time.Duration) int { // of the first frame at t or later
		i, _ := slices.BinarySearch(n.Times, t.Milliseconds())
		return i
	}
	var b runBuilder
	at, end := 0, index(e.length)
	for i := range e.cuts {
		cut := &e.cuts[i]
		begin := cut.At - cut.Lead // time of the stretch's first frame
		from, to := index(max(cut.At-reachBack, begin)), index(cut.At+cut.inner()+min(reachAhead, cut.Tail))
		from, to = max(from, at), min(to, end)
		if from >= to {
			continue
		}
		first := from - index(begin)
		b.add(s.Blocks, at*n.Group, from*n.Group)
		b.add(blocksOf(cut.seen), first*n.Group, (first+to-from)*n.Group)
		at = to
	}
	b.add(s.Blocks, at*n.Group, end*n.Group)
	n.Times = n.Times[:end]
	return b.segment(s, n)
}

// heard puts the sound of cuts in: that of a film in the place of its own.
func (e *edit) heard(s *kvcache.Segment, n notes) *kvcache.Segment {
	index := func(t time.Duration) int {
		return min(max(0, int((t.Microseconds()-n.Start+n.Step/2)/n.Step)), s.Tokens())
	}
	count := func(t time.Duration) int { return int(t * encoder.EmbeddingRate / time.Second) }
	var b runBuilder
	at, end := 0, index(e.length)
	for i := range e.cuts {
		cut := &e.cuts[i]
		p := index(cut.At)
		back, ahead := count(min(reachBack, cut.Lead)), count(min(reachAhead, cut.Tail))
		from := max(at, p-back)
		b.add(s.Blocks, at, from)
		lead, total := count(cut.Lead), 0
		for _, r := range cut.heard {
			total += r.N
		}
		inner := total - lead - count(cut.Tail)
		b.add(blocksOf(cut.heard), lead-(p-from), lead+inner+ahead)
		if at = p + ahead; e.film {
			at += inner
		}
	}
	b.add(s.Blocks, at, max(at, end))
	return b.segment(s, n)
}

// text rebuilds what was read and heard line by line.
func (e *edit) text(ctx context.Context, s *kvcache.Segment, n notes) (*kvcache.Segment, error) {
	var lines []lineAt
	for i, m := range n.Marks {
		to := int64(len(s.Text))
		if i+1 < len(n.Marks) {
			to = n.Marks[i+1][0]
		}
		lines = append(lines, lineAt{m[0], to, time.Duration(m[2]) * time.Millisecond})
	}
	var text []byte
	var inserts []Insert
	var marks []media.Mark
	emit := func(at time.Duration, t []byte) {
		marks = append(marks, media.Mark{Offset: int64(len(text)), Time: at})
		text = append(text, t...)
	}
	next := 0
	keepUntil := func(t time.Duration) {
		for next < len(lines) && lines[next].at < t {
			emit(lines[next].at+e.later(lines[next].at), s.Text[lines[next].from:lines[next].to])
			next++
		}
	}
	for i := range e.cuts {
		cut := &e.cuts[i]
		keepUntil(min(cut.At, e.length))
		begin, drop := next, cut.inner()
		shift := time.Duration(0)
		if !e.film {
			drop, shift = 0, e.later(cut.At)-cut.inner()
		}
		for next < len(lines) && lines[next].at < cut.At+drop {
			next++
		}
		var put []byte
		for j, m := range cut.notes.Marks {
			at := time.Duration(m[2]) * time.Millisecond
			if at < cut.Lead || at >= cut.Lead+cut.inner() {
				continue
			}
			to := int64(len(cut.text))
			if j+1 < len(cut.notes.Marks) {
				to = cut.notes.Marks[j+1][0]
			}
			at += cut.At - cut.Lead + shift
			t := restamp(cut.text[m[0]:to], at)
			put = append(put, t...)
			emit(at, t)
		}
		from, err := e.token(s, lines, begin)
		if err != nil {
			return nil, err
		}
		to, err := e.token(s, lines, next)
		if err != nil {
			return nil, err
		}
		inserts = append(inserts, Insert{from, string(put), to - from})
	}
	keepUntil(e.length)
	end, err := e.token(s, lines, next)
	if err != nil {
		return nil, err
	}
	note := notes{Kind: kindText, Modality: n.Modality, Length: (e.length + e.later(e.length)).Milliseconds()}
	note.setMarks(marks)
	out, err := e.c.splice(ctx, s, end, inserts)
	if err != nil {
		return nil, err
	}
	if k := len(out.Blocks); k > 0 {
		out.Blocks[k-1].Last = true
	}
	out.Hash, out.Notes = s.Hash, note.encode()
	return out, nil
}

// lineAt is a line of a text and its time.
type lineAt struct {
	from, to int64
	at       time.Duration
}

// token is the first token of line i of s, or the end.
func (e *edit) token(s *kvcache.Segment, lines []lineAt, i int) (int, error) {
	if i >= len(lines) {
		return s.Tokens(), nil
	}
	want := lines[i].from
	b, _ := slices.BinarySearchFunc(s.Blocks, want, func(b kvcache.Block, at int64) int { return int(b.Offset - at - 1) })
	blk := &s.Blocks[max(b-1, 0)]
	at := blk.Offset
	for t, id := range blk.Run.ID {
		w := int64(e.c.model.width[id])
		if at == want && w > 0 {
			return blk.First + t, nil
		}
		at += w
	}
	if at == want {
		return blk.First + blk.Run.N, nil
	}
	return 0, fmt.Errorf("engine: %s: no token begins with the line at byte %d", e.source, want)
}

// restamp gives a line that begins with a clock another one.
func restamp(line []byte, at time.Duration) []byte {
	if i := slices.Index(line, ' '); i >= 0 {
		line = line[i:]
	}
	return append([]byte(Clock(at)), line...)
}
