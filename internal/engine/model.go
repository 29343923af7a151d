package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// Net is what the engine needs of a model. [native] is the real one; tests have
// a deterministic stand-in.
type Net interface {
	// Lead and Lookahead are how many tokens before and after a chunk its
	// entries depend on; Lead is a multiple of blockTokens.
	Lead() int
	Lookahead() int
	// EntryDims returns the sizes of a key and of a value.
	EntryDims() (dk, dv int)
	// Prefiller returns a function for one goroutine that makes the entries of
	// ids[lead : lead+dst.N]; pos, a multiple of blockTokens, is the position
	// of ids[0] in its segment.
	Prefiller() func(dst kvcache.Run, ids []int32, pos, lead int)
	// NewDecoder prepares the answer to a question.
	NewDecoder(view kvcache.View, question []int32) Decoder
	// Score returns the log-probability of each id given those before it.
	Score(ctx context.Context, ids []int32) ([]float32, error)
}

// Decoder answers one question, token by token, up to tokenizer.End.
type Decoder interface {
	Next(ctx context.Context) (model.Step, error)
}

// Model is a model with its tokenizer, ready to read. It may be shared.
type Model struct {
	id    kvcache.Identity
	tok   tokenizer.Tokenizer
	net   Net
	width []int32 // bytes of each token's piece

	senses *encoder.Senses // of the net; empty without any
	words  *encoder.Words  // that are heard, nil without ears
	// dictionary is what is expected in pictures, nil without ears.
	dictionary *encoder.Dictionary
	locate     locator // asks the senses' entries
	query      func(a *encoder.Asker, flat []float32, question string) []float32
}

// NewModel puts a model together.
func NewModel(name, fingerprint string, tok tokenizer.Tokenizer, net Net) *Model {
	m := &Model{tok: tok, net: net, width: make([]int32, tok.Size())}
	m.id.Name, m.id.Fingerprint = name, fingerprint
	m.id.DK, m.id.DV = net.EntryDims()
	for i := range m.width {
		m.width[i] = int32(len(tok.Piece(int32(i))))
	}
	m.senses = &encoder.Senses{}
	return m
}

// Name returns the model's name.
func (m *Model) Name() string { return m.id.Name }

// Fingerprint identifies the model's weights: SHA-256 in hex.
func (m *Model) Fingerprint() string { return m.id.Fingerprint }

// EntryBytes is the memory that one token of context takes.
func (m *Model) EntryBytes() int { return m.id.DK + m.id.DV + 12 }

// CountTokens returns the number of tokens of text as a segment of its own.
func (m *Model) CountTokens(text []byte) int {
	return 1 + len(m.tok.Encode(nil, text))
}

// TokenScore is a token and how well the model foresaw it.
type TokenScore struct {
	Text    string
	LogProb float32 // natural logarithm
}

// Score returns the tokens of text and their probabilities, each given those
// before it.
func (m *Model) Score(ctx context.Context, text []byte) (out []TokenScore, err error) {
	defer recoverTo(&err)
	ids := m.tok.Encode([]int32{tokenizer.BOS}, text)
	lp, err := m.net.Score(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids[1:] {
		out = append(out, TokenScore{Text: string(m.tok.Piece(id)), LogProb: lp[i+1]})
	}
	return out, nil
}

// recoverTo turns a panic into an error, for a defer.
func recoverTo(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("engine: internal error: %v", p)
	}
}

// Home returns the directory that stored contexts are in: contexts below
// HANDSCROLL_HOME, or below handscroll in the platform's data directory.
func Home() (string, error) { return homeDir("contexts") }

// ModelHome returns the directory that fetched models are in: models, beside
// [Home].
func ModelHome() (string, error) { return homeDir("models") }

func homeDir(folder string) (string, error) {
	if home := os.Getenv("HANDSCROLL_HOME"); home != "" {
		return filepath.Join(home, folder), nil
	}
	data, err := dataDir()
	if err != nil {
		return "", fmt.Errorf("engine: no place for stored %s; set HANDSCROLL_HOME: %w", folder, err)
	}
	return filepath.Join(data, "handscroll", folder), nil
}

// Words returns the words that the model can hear, the most frequent first; none
// without ears.
func (m *Model) Words() []string {
	if h := m.senses.Hearing; h != nil && h.Lexicon != nil {
		return h.Lexicon.Words
	}
	return nil
}
