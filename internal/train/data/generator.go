package data

import (
	"fmt"
	"math/rand/v2"

	"github.com/handscroll/handscroll/internal/tokenizer"
)

// The tasks of the mixture. A question whose answer is not in the context
// counts as TaskAbsent, whichever task asked it.
const (
	TaskKeyValue uint8 = iota
	TaskQuotation
	TaskTable
	TaskConfig
	TaskCode
	TaskSeveral
	TaskAbsent
	TaskStory
	NumTasks
)

// TaskNames are the names of the tasks, in options and statistics.
var TaskNames = [NumTasks]string{"keyvalue", "quotation", "table", "config", "code", "several", "absent", "story"}

// Options shape the mixture. The zero value of a field is not a default: start
// from DefaultOptions.
type Options struct {
	// Weights are the relative shares of questions of each task but "absent".
	Weights map[string]float64 `yaml:"weights"`
	// MinDensity and MaxDensity bound the share of the context that generated
	// text takes. The lowest density still holds what is asked for.
	MinDensity float64 `yaml:"min_density"`
	MaxDensity float64 `yaml:"max_density"`
	// NearDuplicate is the share of needles that resemble an earlier one.
	NearDuplicate float64 `yaml:"near_duplicate"`
	// Collide is the share of values mutated from another needle's value.
	Collide float64 `yaml:"collide"`
	// LookAlike is the chance of an example to have stray values in its filler.
	LookAlike float64 `yaml:"look_alike"`
	// AbsentShare is the share of questions without an answer in the context.
	AbsentShare float64 `yaml:"absent_share"`
	// ManySegments is the share of examples of more than one context segment.
	ManySegments float64 `yaml:"many_segments"`
	// CodeShare is the share of filler that is source code.
	CodeShare float64 `yaml:"code_share"`
	// LMRows is the number of language-model rows of an example.
	LMRows int `yaml:"lm_rows"`
	// MaxQuestions bounds the questions of an example.
	MaxQuestions int `yaml:"max_questions"`
	// HeldOut uses the reserved tenth of all tables instead of the rest.
	HeldOut bool `yaml:"held_out"`
}

// DefaultOptions is the mixture of the shipped model.
func DefaultOptions() Options {
	return Options{
		Weights: map[string]float64{
			"keyvalue": 0.48, "quotation": 0.14, "table": 0.08, "config": 0.08,
			"code": 0.08, "several": 0.02, "story": 0.12,
		},
		MinDensity: 0.02, MaxDensity: 0.6,
		NearDuplicate: 0.35, Collide: 0.25, LookAlike: 0.4,
		AbsentShare: 0.16, ManySegments: 0.25, CodeShare: 0.35,
		LMRows: 32, MaxQuestions: 110,
	}
}

// Segment is a half-open range of an example's tokens that is read by itself.
type Segment struct {
	Start, End int
	Question   bool
}

// Sources that are no context token.
const (
	SourceNone int32 = -1 // no pointer supervision
	SourceSink int32 = -2 // the sink: not in the context
)

// Row is one supervised position.
type Row struct {
	Token  int32 // index into Tokens of the input position
	Target int32 // the id that follows
	Source int32 // index into Tokens the pointer should be on, or SourceNone, SourceSink
	Prev   int32 // Source of the answer's previous row if that was a context token, else -1
	Group  int32 // number of the question, -1 for language-model rows
	Answer bool  // false: a language-model row
	Task   uint8
}

// Example is one training sequence.
type Example struct {
	Tokens   []int32
	Segments []Segment // the context's, then one for each question
	Rows     []Row     // sorted by Token
}

// Generator makes examples.
type Generator struct {
	tok     tokenizer.Tokenizer
	corpus  *Corpus
	opts    Options
	tables  tables
	edges   []edge // [vocabulary]
	weights [NumTasks]float64
}

// NewGenerator checks the options and prepares the tables.
func NewGenerator(tok tokenizer.Tokenizer, corpus *Corpus, opts Options) (*Generator, error) {
	g := &Generator{tok: tok, corpus: corpus, opts: opts}
	for name, weight := range opts.Weights {
		task := taskNumber(name)
		if task < 0 || weight < 0 {
			return nil, fmt.Errorf("data: task weight %s: %v: unknown task or negative weight", name, weight)
		}
		g.weights[task] = weight
	}
	total := 0.0
	for task, weight := range g.weights {
		if uint8(task) != TaskAbsent {
			total += weight
		}
	}
	switch {
	case total == 0:
		return nil, fmt.Errorf("data: no task has a weight")
	case corpus.size(Prose)+corpus.size(Code) == 0:
		return nil, fmt.Errorf("data: empty corpus")
	case opts.MinDensity < 0 || opts.MaxDensity > 0.9 || opts.MinDensity > opts.MaxDensity:
		return nil, fmt.Errorf("data: density %v to %v: want 0 ≤ min ≤ max ≤ 0.9", opts.MinDensity, opts.MaxDensity)
	case opts.MaxQuestions < 1 || opts.LMRows < 0:
		return nil, fmt.Errorf("data: %d questions and %d language-model rows an example", opts.MaxQuestions, opts.LMRows)
	}
	for _, x := range []struct {
		name  string
		share float64
	}{
		{"near_duplicate", opts.NearDuplicate}, {"collide", opts.Collide}, {"look_alike", opts.LookAlike},
		{"absent_share", opts.AbsentShare}, {"many_segments", opts.ManySegments}, {"code_share", opts.CodeShare},
	} {
		if !(x.share >= 0 && x.share <= 1) {
			return nil, fmt.Errorf("data: %s is %v, want 0 to 1", x.name, x.share)
		}
	}
	g.tables = newTables(opts.HeldOut)
	g.edges = make([]edge, tok.Size())
	for id := range g.edges {
		g.edges[id] = edgeOf(tok.Piece(int32(id)))
	}
	return g, nil
}

func taskNumber(name string) int {
	for i, n := range TaskNames {
		if n == name && uint8(i) != TaskAbsent {
			return i
		}
	}
	return -1
}

// minContext is the shortest context worth asking about.
const minContext = 64

// Example makes the index-th example of a seed with a context of contextLen
// tokens (at least 64); the questions come on top.
func (g *Generator) Example(seed, index uint64, contextLen int) *Example {
	contextLen = max(contextLen, minContext)
	r := rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15+uint64(contextLen), index*0xbf58476d1ce4e5b9+1))
	w := g.newWorld(r, contextLen)
	w.plan()
	return w.assemble()
}

// questionCount scales the number of questions with the context.
func (g *Generator) questionCount(r *rand.Rand, contextLen int) int {
	n := contextLen / between(r, 45, 110)
	return min(max(n, between(r, 4, 8)), g.opts.MaxQuestions)
}
