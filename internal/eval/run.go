package eval

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Whole stands for the length of the whole haystack, read once.
const Whole = -1

// A Config says what [Run] measures and where it writes.
type Config struct {
	Model    Model
	Task     Task
	Haystack *Haystack
	Grid     Grid
	Lengths  []int // tokens, or Whole
	Seed     uint64
	Dir      string // created if missing; an interrupted run in it is resumed
	// Direct reads every context from scratch instead of splicing needles into
	// the base. It is slow, and there to check that both agree.
	Direct bool
	// Report, which may be nil, is told how far the run is.
	Report func(Status)
}

// Status is how far a run is.
type Status struct {
	Reading     bool          // the haystack is being read: Done and Total are tokens
	Done, Total int           // else questions, those of an earlier session included
	OK          int           // right answers so far
	Fresh       int           // questions asked in this session
	Elapsed     time.Duration // of this phase
}

// manifest checks a configuration completely and describes it.
func (c *Config) manifest() (Manifest, error) {
	fail := func(format string, args ...any) (Manifest, error) {
		return Manifest{}, fmt.Errorf("eval: "+format, args...)
	}
	if len(c.Lengths) == 0 || len(c.Grid.Depths) == 0 {
		return fail("no lengths or no depths to measure")
	}
	for _, n := range c.Lengths {
		if n != Whole && n < 1 {
			return fail("a context of %d tokens", n)
		}
	}
	if !slices.IsSorted(c.Grid.Depths) || c.Grid.Depths[0] < 0 || c.Grid.Depths[len(c.Grid.Depths)-1] > 100 {
		return fail("depths %v are not ascending percentages", c.Grid.Depths)
	}
	if c.Grid.Trials < 1 || c.Grid.Needles < 1 {
		return fail("%d trials of %d needles", c.Grid.Trials, c.Grid.Needles)
	}
	return Manifest{
		Format: manifestFormat, Task: c.Task.Name(), Model: c.Model.ID(),
		Haystack: c.Haystack.Name, HaystackSHA256: c.Haystack.Digest(),
		Seed: c.Seed, Lengths: c.Lengths, Depths: c.Grid.Depths,
		Trials: c.Grid.Trials, Needles: c.Grid.Needles, Direct: c.Direct,
	}, nil
}

// Run measures and returns the summary it has written. When ctx ends, what has
// been measured stays in c.Dir and the same call goes on from there.
func Run(ctx context.Context, c Config) (*Summary, error) {
	m, err := c.manifest()
	if err != nil {
		return nil, err
	}
	s, err := openStore(c.Dir, m)
	if err != nil {
		return nil, err
	}
	defer s.file.Close()
	if sum, err := loadSummary[Summary](c.Dir); err != nil || sum != nil {
		return sum, err
	}
	base, err := c.Model.NewBase()
	if err != nil {
		return nil, err
	}
	defer base.Close()
	r := &runner{Config: c, base: base, store: s}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	m.Lengths = r.Lengths
	if err := r.ask(ctx); err != nil {
		return nil, err
	}
	sum := Summarize(m, s.results, r.reading)
	if err := WriteHeatMap(c.Dir, sum); err != nil {
		return nil, err
	}
	return sum, writeJSON(filepath.Join(c.Dir, summaryFile), sum)
}

// A runner is a run under way.
type runner struct {
	Config
	base      Base
	store     *store
	stretches []stretch
	reading   Reading
	asking    time.Time
	fresh, ok int
	total     int
}

func (r *runner) report(s Status) {
	if r.Report != nil {
		r.Report(s)
	}
}

// read fills the base and resolves Whole among the lengths.
func (r *runner) read(ctx context.Context) error {
	want, whole := slices.Max(r.Lengths), slices.Contains(r.Lengths, Whole)
	start := time.Now()
	stretches, pass, err := r.Haystack.fill(ctx, r.base, want, whole, func(n int) {
		r.report(Status{Reading: true, Done: n, Total: max(n, want), Elapsed: time.Since(start)})
	})
	if err != nil {
		return err
	}
	r.stretches = stretches
	r.reading = Reading{Tokens: r.base.Tokens(), Seconds: time.Since(start).Seconds()}
	lengths := slices.Clone(r.Lengths)
	for i, n := range lengths {
		if n == Whole {
			lengths[i] = pass
		}
	}
	slices.Sort(lengths)
	r.Lengths = slices.Compact(lengths)
	return nil
}

// ask goes through all scenes that are not yet done.
func (r *runner) ask(ctx context.Context) error {
	scenes := r.Task.Scenes(r.Grid)
	r.asking = time.Now()
	for _, res := range r.store.results {
		if res.OK {
			r.ok++
		}
	}
	perScene := 0
	for _, length := range r.Lengths {
		text := r.text(length)
		for i := range scenes {
			if err := ctx.Err(); err != nil {
				return err
			}
			seed := sceneSeed(r.Seed, length, i)
			scene, err := r.Task.Scene(rand.New(rand.NewPCG(seed, 0)), r.Grid, i, text)
			if err != nil {
				return fmt.Errorf("eval: %s at %s tokens: %w", r.Task.Name(), Tokens(length), err)
			}
			perScene = max(perScene, len(scene.Ask))
			r.total = perScene * scenes * len(r.Lengths)
			if err := r.play(ctx, scene, length, i, seed); err != nil {
				return err
			}
		}
	}
	return nil
}

// text is the haystack at one length, fetched when first asked for.
func (r *runner) text(length int) Text {
	var data []byte
	return Text{Length: length, Bytes: func() ([]byte, error) {
		var err error
		if data == nil {
			data, err = r.base.Text(0, length)
		}
		return data, err
	}}
}

// sceneSeed draws the seed of a scene. It fits the integers that JSON numbers
// hold exactly.
func sceneSeed(seed uint64, length, scene int) uint64 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	binary.LittleEndian.PutUint64(b[8:], uint64(length))
	binary.LittleEndian.PutUint64(b[16:], uint64(scene))
	sum := sha256.Sum256(b[:])
	return binary.LittleEndian.Uint64(sum[:]) >> 11
}

// play makes the context of a scene and asks its questions.
func (r *runner) play(ctx context.Context, scene Scene, length, index int, seed uint64) error {
	id := func(q int) string { return fmt.Sprintf("%d/%d/%d", length, index, q) }
	open := slices.DeleteFunc(indices(len(scene.Ask)), func(q int) bool { return r.store.done[id(q)] })
	if len(open) == 0 {
		return nil
	}
	inserts, at, err := placeAll(r.base, length, scene.Hide)
	if err != nil {
		return err
	}
	hidden := make(map[string]float64, len(at))
	for i, n := range scene.Hide {
		hidden[n.Text] = 100 * float64(at[i]) / float64(length)
	}
	c, err := r.context(ctx, length, inserts)
	if err != nil {
		return fmt.Errorf("eval: a context of %s tokens: %w", Tokens(length), err)
	}
	defer c.Close()
	for _, q := range open {
		p := scene.Ask[q]
		start := time.Now()
		answer, err := c.Ask(ctx, p.Question)
		if err != nil {
			return fmt.Errorf("eval: asking %q: %w", p.Question, err)
		}
		res := Result{ID: id(q), Length: length, Depth: p.Depth, Row: p.Row, Seed: seed,
			Needle: p.Needle, Question: p.Question, Expected: p.Expected, Absent: p.Absent,
			Tokens: c.Tokens(), Seconds: time.Since(start).Seconds()}
		if depth, ok := hidden[p.Needle]; ok {
			res.Depth = depth
		}
		score(&res, p, answer)
		if err := r.store.add(res); err != nil {
			return err
		}
		r.fresh++
		if res.OK {
			r.ok++
		}
		r.report(Status{Done: len(r.store.results), Total: r.total, OK: r.ok, Fresh: r.fresh, Elapsed: time.Since(r.asking)})
	}
	return nil
}

// context makes the context of a trial.
func (r *runner) context(ctx context.Context, length int, inserts []Insert) (Context, error) {
	if !r.Direct {
		return r.base.Splice(ctx, length, inserts)
	}
	fresh, err := r.Model.NewBase()
	if err != nil {
		return nil, err
	}
	for i, s := range r.stretches {
		end := length
		if i+1 < len(r.stretches) {
			end = min(length, r.stretches[i+1].start)
		}
		if s.start >= length {
			break
		}
		last := end == length
		text, rest, err := r.splicedText(s.start, end, last, inserts)
		if err == nil {
			err = fresh.Append(ctx, Part{Source: s.source, Text: text}, nil)
		}
		if err != nil {
			return nil, errors.Join(err, fresh.Close())
		}
		inserts = rest
	}
	c, err := fresh.Splice(ctx, fresh.Tokens(), nil)
	if err != nil {
		return nil, errors.Join(err, fresh.Close())
	}
	return ownedContext{c, fresh}, nil
}

// splicedText is the text of tokens [from, to) with the inserts that fall into
// it; rest are the others. An insert at to belongs to what follows unless this
// stretch is the last.
func (r *runner) splicedText(from, to int, last bool, inserts []Insert) (text []byte, rest []Insert, err error) {
	for len(inserts) > 0 && (inserts[0].At < to || last) {
		before, err := r.base.Text(from, inserts[0].At)
		if err != nil {
			return nil, nil, err
		}
		text = append(append(text, before...), inserts[0].Text...)
		from, inserts = inserts[0].At, inserts[1:]
	}
	after, err := r.base.Text(from, to)
	return append(text, after...), inserts, err
}

// ownedContext closes the base it was made from along with itself.
type ownedContext struct {
	Context
	base Base
}

func (c ownedContext) Close() error { return errors.Join(c.Context.Close(), c.base.Close()) }

// indices returns 0 … n−1.
func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Tokens writes a number of tokens as people do: 1k, 128k, 1M, 1.5M. A k is a
// thousand and an M a million.
func Tokens(n int) string {
	short := func(unit int, name string) string {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(unit)), ".0") + name
	}
	switch {
	case n >= 999_950:
		return short(1_000_000, "M")
	case n >= 1000:
		return short(1000, "k")
	}
	return fmt.Sprint(n)
}
