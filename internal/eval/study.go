package eval

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll"
)

// A Study measures what is found in films, recordings and what is mixed of them:
// [Observe] runs one.
type Study interface {
	// Name says what is measured, with all settings that decide what a trial is.
	Name() string
	// Haystack names what is hidden in, and its content in some digest.
	Haystack() (name, digest string)
	// Axes are the lengths of contexts and the depths in percent, the columns and
	// rows of heat maps; without depths none are drawn.
	Axes() (lengths []time.Duration, depths []float64)
	// Size is how many scenes there are, and how many questions each has.
	Size() (scenes, questions int)
	// Prepare reads what scenes share. What it keeps in the folder dir, it finds
	// there after an interruption.
	Prepare(ctx context.Context, m Senses, dir string, report func(Status)) error
	// Scene makes context i and its questions; it is a function of its arguments.
	Scene(ctx context.Context, rng *rand.Rand, i int, report func(Status)) (Scroll, []Query, error)
	// Close releases what the study holds, prepared or not.
	Close() error
}

// Senses is a model that sees and hears, as far as studies need it.
type Senses interface {
	ID() string
	// Words are those that it can hear, the most frequent first; none without ears.
	Words() []string
	// Open returns the context kept in dir, or an empty one in memory for "".
	Open(dir string) (Scroll, error)
}

// A Scroll is a context of films, recordings and text.
type Scroll interface {
	Read(ctx context.Context, parts []handscroll.Part, progress func(handscroll.Progress)) error
	SpliceMedium(ctx context.Context, source string, length time.Duration, cuts ...handscroll.Cut) (Scroll, error)
	Splice(ctx context.Context, length int, inserts ...handscroll.Insert) (Scroll, error)
	Ask(ctx context.Context, question string) (*handscroll.Answer, error)
	Tokens() int
	Text(from, to int) []byte
	Boundary(at int) int
	Sources() []handscroll.Source
	Close() error
}

// A Query is a question and what is known about it; Judge gives the verdicts.
type Query struct {
	Finding
	Judge func(a *handscroll.Answer, f *Finding)
}

// A Finding is one question, one line of results.jsonl.
type Finding struct {
	ID       string  `json:"id"`     // scene/question, unique in a run
	Group    string  `json:"group"`  // what kind of question; counted apart
	Length   float64 `json:"length"` // of the context, in seconds
	Depth    float64 `json:"depth"`  // percent, where the needle stands
	Row      int     `json:"row"`    // of the heat map
	Seed     uint64  `json:"seed"`   // of this scene, drawn from the run's
	Needle   string  `json:"needle"`
	Detail   string  `json:"detail,omitempty"` // how it was shown or said
	Question string  `json:"question"`
	Expected string  `json:"expected"`
	From     float64 `json:"from"` // seconds, between which the needle stands
	To       float64 `json:"to"`
	Answer   string  `json:"answer"`
	Place    string  `json:"place,omitempty"` // that the strongest evidence names
	Time     float64 `json:"time"`            // of it in seconds; −1 for none
	Found    bool    `json:"found"`           // the place is right
	Exact    bool    `json:"exact"`           // the answer is right
	Spelled  bool    `json:"spelled"`         // it is, to the letter
	Seconds  float64 `json:"seconds"`
}

func (f Finding) id() string { return f.ID }

// StudyManifest is run.json of a study.
type StudyManifest struct {
	Format         int       `json:"format"`
	Study          string    `json:"study"`
	Model          string    `json:"model"`
	Haystack       string    `json:"haystack"`
	HaystackSHA256 string    `json:"haystack_sha256"`
	Seed           uint64    `json:"seed"`
	Lengths        []float64 `json:"lengths"` // seconds
	Depths         []float64 `json:"depths"`  // percent
	Scenes         int       `json:"scenes"`
	Questions      int       `json:"questions"` // of each scene
}

// Observe runs a study, closes it and returns the summary that it has written to dir.
// After an interruption the same call goes on.
func Observe(ctx context.Context, model Senses, s Study, seed uint64, dir string, report func(Status)) (sum *Findings, err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	if report == nil {
		report = func(Status) {}
	}
	lengths, depths := s.Axes()
	m := StudyManifest{Format: manifestFormat, Study: s.Name(), Model: model.ID(), Seed: seed, Depths: depths}
	m.Haystack, m.HaystackSHA256 = s.Haystack()
	for _, l := range lengths {
		m.Lengths = append(m.Lengths, l.Seconds())
	}
	m.Scenes, m.Questions = s.Size()
	j, err := openJournal[Finding](dir, m)
	if err != nil {
		return nil, err
	}
	defer j.file.Close()
	if sum, err = loadSummary[Findings](dir); err != nil || sum != nil {
		return sum, err
	}
	o := &observation{study: s, journal: j, seed: seed, report: report, total: m.Scenes * m.Questions}
	if err := o.run(ctx, model, filepath.Join(dir, baseFolder)); err != nil {
		return nil, err
	}
	sum = collect(m, j.results, o.reading)
	if err := sum.writeMaps(dir); err != nil {
		return nil, err
	}
	if err := writeJSON(filepath.Join(dir, summaryFile), sum); err != nil {
		return nil, err
	}
	return sum, os.RemoveAll(filepath.Join(dir, baseFolder))
}

// baseFolder is the folder in a run's directory for what studies keep while the
// run lasts.
const baseFolder = "base"

// observation is a study under way.
type observation struct {
	study     Study
	journal   *journal[Finding]
	seed      uint64
	report    func(Status)
	reading   float64 // seconds
	asking    time.Time
	ok, fresh int
	total     int
}

func (o *observation) run(ctx context.Context, model Senses, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	begin := time.Now()
	if err := o.study.Prepare(ctx, model, dir, o.report); err != nil {
		return fmt.Errorf("eval: %s: %w", o.study.Name(), err)
	}
	o.reading, o.asking = time.Since(begin).Seconds(), time.Now()
	for _, f := range o.journal.results {
		if f.Found {
			o.ok++
		}
	}
	scenes, questions := o.study.Size()
	for i := range scenes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.scene(ctx, i, questions); err != nil {
			return fmt.Errorf("eval: %s: scene %d: %w", o.study.Name(), i, err)
		}
	}
	return nil
}

// scene asks the questions of scene i that have no answer yet.
func (o *observation) scene(ctx context.Context, i, questions int) (err error) {
	id := func(q int) string { return fmt.Sprintf("%d/%d", i, q) }
	open := slices.DeleteFunc(indices(questions), func(q int) bool { return o.journal.done[id(q)] })
	if len(open) == 0 {
		return nil
	}
	seed := sceneSeed(o.seed, 0, i)
	c, queries, err := o.study.Scene(ctx, rand.New(rand.NewPCG(seed, 0)), i, o.report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if len(queries) != questions {
		return fmt.Errorf("%d questions, want %d", len(queries), questions)
	}
	for _, q := range open {
		f := queries[q].Finding
		start := time.Now()
		a, err := c.Ask(ctx, f.Question)
		if err != nil {
			return fmt.Errorf("asking %q: %w", f.Question, err)
		}
		f.ID, f.Seed, f.Answer, f.Time, f.Seconds = id(q), seed, a.Text, -1, time.Since(start).Seconds()
		if len(a.Evidence) > 0 {
			f.Place = a.Evidence[0].Place()
			if a.Evidence[0].Timed {
				f.Time = a.Evidence[0].Time.Seconds()
			}
		}
		if a.Found {
			queries[q].Judge(a, &f)
		}
		if err := o.journal.add(f); err != nil {
			return err
		}
		if o.fresh++; f.Found {
			o.ok++
		}
		o.report(Status{Done: len(o.journal.results), Total: o.total, OK: o.ok, Fresh: o.fresh, Elapsed: time.Since(o.asking)})
	}
	return nil
}

// Findings is summary.json of a study.
type Findings struct {
	StudyManifest
	Groups []Group `json:"groups"` // in the order of their first questions
	// Preparing is how many seconds the last session took to read what is shared.
	Preparing float64 `json:"preparing_seconds"`
}

// A Verdict counts what was found, what was answered exactly, and spelled so.
type Verdict struct {
	Found   Rate `json:"found"`
	Exact   Rate `json:"exact"`
	Spelled Rate `json:"spelled"`
}

func (v *Verdict) add(f Finding) {
	v.Found.add(f.Found)
	v.Exact.add(f.Exact)
	v.Spelled.add(f.Spelled)
}

// A Group is what questions of one kind gave.
type Group struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds_per_answer"`
	Verdict
	Lengths []LengthVerdict `json:"by_length"`
	Cells   []CellVerdict   `json:"cells,omitempty"` // by length, then by depth
}

// A LengthVerdict is that of one length over all depths.
type LengthVerdict struct {
	Length float64 `json:"length"`
	Verdict
}

// A CellVerdict is one square of the heat maps.
type CellVerdict struct {
	Length float64 `json:"length"`
	Depth  float64 `json:"depth"`
	Verdict
}

func newGroup(m StudyManifest, name string) Group {
	g := Group{Name: name}
	for _, l := range m.Lengths {
		g.Lengths = append(g.Lengths, LengthVerdict{Length: l})
		for _, d := range m.Depths {
			g.Cells = append(g.Cells, CellVerdict{Length: l, Depth: d})
		}
	}
	return g
}

// collect counts findings.
func collect(m StudyManifest, findings []Finding, preparing float64) *Findings {
	s := &Findings{StudyManifest: m, Preparing: preparing}
	for _, f := range findings {
		at := slices.IndexFunc(s.Groups, func(g Group) bool { return g.Name == f.Group })
		if at < 0 {
			at = len(s.Groups)
			s.Groups = append(s.Groups, newGroup(m, f.Group))
		}
		g := &s.Groups[at]
		g.add(f)
		g.Seconds += f.Seconds
		column := slices.Index(m.Lengths, f.Length)
		if column < 0 {
			continue
		}
		g.Lengths[column].add(f)
		if f.Row >= 0 && f.Row < len(m.Depths) {
			g.Cells[column*len(m.Depths)+f.Row].add(f)
		}
	}
	for i := range s.Groups {
		s.Groups[i].Seconds /= float64(s.Groups[i].Found.Trials)
	}
	return s
}

// MapNames are the heat maps of a group: what was found and what was exact.
func (g *Group) MapNames() (found, exact string) {
	slug := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,/:", r) {
			return '-'
		}
		return r
	}, strings.ReplaceAll(g.Name, ", ", "-"))
	return slug + "-found", slug + "-exact"
}

// writeMaps draws the heat maps of all groups.
func (s *Findings) writeMaps(dir string) error {
	if len(s.Depths) == 0 {
		return nil
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		found, exact := g.MapNames()
		err := writeMap(dir, found, s.heatMap(g, "Found", func(v *Verdict) Rate { return v.Found }))
		if err == nil {
			err = writeMap(dir, exact, s.heatMap(g, exactVerdict, func(v *Verdict) Rate { return v.Exact }))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Findings) heatMap(g *Group, verdict string, rate func(*Verdict) Rate) *heatMap {
	m := &heatMap{
		verdict: verdict, axis: "length, minutes and hours →", depths: s.Depths, all: rate(&g.Verdict),
		what: fmt.Sprintf("%s: %s · seed %d · in %s · %s", s.Study, g.Name, s.Seed, s.Haystack, s.Model),
	}
	for _, l := range s.Lengths {
		m.columns = append(m.columns, Hours(l))
	}
	for i := range g.Cells {
		m.cells = append(m.cells, rate(&g.Cells[i].Verdict))
	}
	return m.layOut()
}

// Hours writes a length as people do: 45 s, 12 min, 1 h, 2.5 h.
func Hours(seconds float64) string {
	short := func(unit float64, name string) string {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", seconds/unit), ".0") + name
	}
	switch {
	case seconds >= 3600:
		return short(3600, " h")
	case seconds >= 60:
		return short(60, " min")
	}
	return short(1, " s")
}
