package engine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

// Documents are texts that open weights have read, to be asked: the counterpart of
// [Context]. Texts stand in a user's turn of the model's chat format, the question
// after them, so that only the question is read anew for each answer.
type Documents struct {
	w       *Weights
	opts    DocumentOptions
	session *Session
	saved   *kvcache.Saved // nil in memory only
	release func() error   // gives saved pages back

	head, tail []int32 // of the turn, around texts and question
	ids        []int32 // head and texts
	parts      []document
	complete   bool
	cached     int
	read       time.Duration
}

// document is one text and where its tokens are.
type document struct {
	kvcache.SavedPart
	from, to int
}

// DocumentOptions say how texts are read.
type DocumentOptions struct {
	SessionOptions
	// Replace makes Read read a part again whose text has changed, and all after it;
	// otherwise that is a [*ChangedError].
	Replace bool
}

// instructions stand before the texts.
const instructions = "Answer the question that follows these documents from what they say. If they do not say it, answer: " + NotFound + "\n\n"

// NewDocuments returns an empty context in memory, or with a directory the one
// stored there, which Read creates if it is missing.
func (w *Weights) NewDocuments(dir string, o DocumentOptions) (d *Documents, err error) {
	defer recoverTo(&err)
	begin := time.Now()
	d = &Documents{w: w, opts: o, complete: true}
	if d.head, d.tail, err = w.turn(instructions); err != nil {
		return nil, err
	}
	d.ids = slices.Clone(d.head)
	if d.session, err = w.NewSession(o.SessionOptions); err != nil {
		return nil, err
	}
	if dir == "" {
		return d, nil
	}
	if d.saved, err = kvcache.OpenSaved(dir, w.Identity(), o.Cache); err != nil {
		return nil, err
	}
	for _, p := range d.saved.Parts() {
		d.add(p)
	}
	d.complete = d.saved.Complete()
	n := min(d.saved.Tokens(), len(d.ids))
	if n, d.release, err = d.session.seq.LoadPages(dir, n); err != nil {
		return nil, err
	}
	d.session.ids, d.cached, d.read = slices.Clone(d.ids[:n]), n, time.Since(begin)
	return d, nil
}

// Identity names the weights, and identifies them by a checksum of the file's header
// and of samples of its tensors: the whole of a large file would take minutes.
func (w *Weights) Identity() kvcache.Identity {
	w.identify.Do(func() {
		h := sha256.New()
		for _, key := range w.f.Meta.Keys() {
			fmt.Fprintf(h, "%s=%v\n", key, w.f.Meta.Value(key))
		}
		const sampled = 4096
		for _, t := range w.f.Tensors {
			fmt.Fprintf(h, "%s %v %v %d\n", t.Name, t.Type, t.Shape, len(t.Data))
			h.Write(t.Data[:min(sampled, len(t.Data))])
			h.Write(t.Data[max(0, len(t.Data)-sampled):])
		}
		w.id = kvcache.Identity{Name: cmp.Or(w.m.Name, w.m.Architecture), Fingerprint: hex.EncodeToString(h.Sum(nil))}
	})
	return w.id
}

// add appends a part's tokens.
func (d *Documents) add(p kvcache.SavedPart) {
	before, text := d.w.plain(fmt.Appendf(nil, "<document name=%q>\n", p.Source)), d.w.plain(p.Text)
	p.Tokens = len(text)
	from := len(d.ids) + len(before)
	d.ids = slices.Concat(d.ids, before, text, d.w.plain([]byte("\n</document>\n\n")))
	d.parts = append(d.parts, document{p, from, from + len(text)})
}

// Read appends parts, in order; ones that are there already, with the same text, are
// passed over. Progress is reported after each chunk. When ctx is cancelled, what
// was read stays, and the next Read goes on from there.
func (d *Documents) Read(ctx context.Context, parts []media.Part, progress func(Progress)) (err error) {
	defer recoverTo(&err)
	begin := time.Now()
	for _, p := range parts {
		if p.Kind != media.Text {
			return &SenseError{p.Source, p.Kind}
		}
	}
	if d.saved != nil {
		if err := d.saved.Edit(); err != nil {
			return err
		}
		defer d.saved.Close()
	}
	if err := d.merge(parts); err != nil {
		return err
	}
	if d.saved != nil {
		var list []kvcache.SavedPart
		for _, p := range d.parts {
			list = append(list, p.SavedPart)
		}
		if err := d.saved.SetParts(list); err != nil {
			return err
		}
	}
	d.complete = false
	if err := d.prefill(ctx, begin, progress); err != nil {
		return err
	}
	d.complete = true
	d.read += time.Since(begin)
	return nil
}

// merge adds the parts that are new. A part with another text is replaced, if that
// is allowed, with all that was read after it.
func (d *Documents) merge(parts []media.Part) error {
	for _, p := range parts {
		sum := sha256.Sum256(p.Text)
		next := kvcache.SavedPart{Source: p.Source, Hash: hex.EncodeToString(sum[:]), Bytes: len(p.Text), Text: p.Text}
		i := slices.IndexFunc(d.parts, func(o document) bool { return o.Source == p.Source })
		switch {
		case i < 0:
			d.add(next)
			continue
		case d.parts[i].Hash == next.Hash:
			continue
		case !d.opts.Replace:
			return &ChangedError{p.Source}
		}
		old := d.parts
		d.parts, d.ids = nil, slices.Clone(d.head)
		for j, o := range old {
			if j == i {
				o.SavedPart = next
			}
			d.add(o.SavedPart)
		}
		if d.saved != nil {
			if err := d.saved.Commit(min(d.saved.Tokens(), old[i].from), false); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefill reads what the session does not hold yet, and saves full pages as they
// come.
func (d *Documents) prefill(ctx context.Context, begin time.Time, progress func(Progress)) error {
	s := d.session
	had := commonPrefix(s.ids, d.ids)
	savedPages := had / kvcache.PageTokens
	save := func(last bool) error {
		if d.saved == nil || !last && len(s.ids)/kvcache.PageTokens <= savedPages {
			return nil
		}
		full, err := s.seq.SavePages(d.saved.Dir(), savedPages)
		if err != nil {
			return err
		}
		savedPages = full / kvcache.PageTokens
		held := full
		if last {
			held = len(s.ids)
		}
		return d.saved.Commit(held, last && len(s.ids) == len(d.ids))
	}
	var failed error
	if had < len(d.ids) {
		ctx, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		_, failed = s.Prefill(ctx, d.ids, func(done, total int) {
			if progress != nil {
				progress(d.progress(done, had, begin))
			}
			if err := save(false); err != nil {
				stop(err)
			}
		})
		if cause := context.Cause(ctx); failed != nil && cause != nil {
			failed = cause
		}
	}
	return errors.Join(failed, save(true))
}

// progress is how far a Read has come when the session holds done tokens.
func (d *Documents) progress(done, had int, begin time.Time) Progress {
	p := Progress{Tokens: done - had, Elapsed: time.Since(begin)}
	for _, part := range d.parts {
		if part.to <= had {
			continue
		}
		p.Total += int64(part.Bytes)
		if done > part.from {
			p.Source = part.Source
			share := float64(min(done, part.to)-part.from) / float64(max(1, part.to-part.from))
			p.Bytes += int64(share * float64(part.Bytes))
		}
	}
	return p
}

func commonPrefix(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Ask answers a question from the texts, and calls emit, if not nil, with each piece
// of the answer.
func (d *Documents) Ask(ctx context.Context, question string, o GenerateOptions, emit func(string)) (ans *Answer, err error) {
	defer recoverTo(&err)
	begin := time.Now()
	switch question = strings.TrimSpace(question); {
	case question == "":
		return nil, errors.New("engine: the question is empty")
	case len(d.parts) == 0:
		return nil, errEmpty
	case !d.complete || len(d.session.ids) < len(d.ids):
		return nil, &UnfinishedError{Tokens: len(d.session.ids)}
	}
	prompt := slices.Concat(d.ids, d.w.plain([]byte("Question: "+question)), d.tail)
	s := d.session.Fork()
	if _, err := s.Prefill(ctx, prompt, nil); err != nil {
		return nil, err
	}
	if o.MaxTokens <= 0 {
		o.MaxTokens = defaultMaxAnswer
	}
	s.watch = make([]float32, len(prompt)+o.MaxTokens+1)
	g, err := s.Generate(ctx, o, emit)
	if err != nil {
		return nil, err
	}
	ans = &Answer{
		Text: strings.TrimSpace(g.Text), Cut: g.Finish == FinishLength, Prompt: len(prompt), Cached: d.cached, Tokens: len(g.Tokens), Read: d.read,
	}
	if ans.Found = ans.Text != "" && !strings.Contains(ans.Text, strings.TrimSuffix(NotFound, ".")); ans.Found {
		ans.Evidence = d.evidence(s.watch)
	} else if ans.Text == "" {
		ans.Text = NotFound
	}
	ans.Answer = time.Since(begin)
	return ans, nil
}

// evidence returns the passages that the answer's tokens looked at most, each with
// its share of what was looked at in the texts.
func (d *Documents) evidence(watch []float32) []Evidence {
	var found []passage
	var all float32
	for i, p := range d.parts {
		at := int64(0)
		for pos := p.from; pos < p.to; pos++ {
			piece := d.w.v.Piece(d.session.ids[pos])
			if w := watch[pos]; w > 0 {
				all += w
				lead := int64(len(piece) - len(bytes.TrimLeft(piece, " \n\t\r")))
				found = addTo(found, p.Text, i, min(at+lead, int64(len(p.Text)-1)), w)
			}
			at += int64(len(piece))
		}
	}
	if all == 0 {
		return nil
	}
	found = join(found, joinWeight*all, func(i int) []byte { return d.parts[i].Text })
	slices.SortStableFunc(found, func(a, b passage) int { return cmp.Compare(b.weight, a.weight) })
	var out []Evidence
	for i, f := range found {
		if i == maxEvidence || i > 0 && f.weight < minWeight*all {
			break
		}
		text := d.parts[f.index].Text
		out = append(out, Evidence{
			Source: d.parts[f.index].Source, Line: 1 + countLines(text[:f.from]), Offset: f.from,
			Quote: string(text[f.from:f.to]), Weight: f.weight / all, Time: noTime,
		})
	}
	return out
}

// Tokens returns how many tokens were read.
func (d *Documents) Tokens() int { return len(d.session.ids) }

// Sources returns the parts in order.
func (d *Documents) Sources() []Source {
	var out []Source
	for _, p := range d.parts {
		out = append(out, sourceOf(p.SavedPart, p.to <= len(d.session.ids)))
	}
	return out
}

func sourceOf(p kvcache.SavedPart, done bool) Source {
	s := Source{Name: p.Source, Bytes: int64(p.Bytes), Tokens: p.Tokens, Done: done}
	hex.Decode(s.Hash[:], []byte(p.Hash))
	return s
}

// Fork returns a context in memory that begins with what d has read. d must stay
// open.
func (d *Documents) Fork() *Documents {
	f := *d
	f.session, f.saved, f.release = d.session.Fork(), nil, nil
	f.parts, f.ids = slices.Clone(d.parts), slices.Clone(d.ids)
	return &f
}

// Close gives a stored context's pages back.
func (d *Documents) Close() error {
	if d.release == nil {
		return nil
	}
	return d.release()
}
