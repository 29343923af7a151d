package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/prompt"
	"github.com/handscroll/handscroll/internal/sample"
)

// Weights is a model of open weights in a mapped file. Its methods may be called
// by several goroutines, until Close.
type Weights struct {
	*Vocabulary
	f     *gguf.File
	m     *model.Transformer
	team  *nn.Team
	batch batcher

	prepare  sync.Once
	failed   error        // why preparing failed
	laying   sync.RWMutex // held while weights are laid out, or read without a session
	tries    sync.Once
	prefix   *sample.TokenTrie
	identify sync.Once
	id       kvcache.Identity
	parse    sync.Once
	template *prompt.Template
	unparsed error // why there is no template
}

// OpenWeights maps a GGUF file of open weights. A file whose tokenizer is missing
// or not supported opens too: it can be asked about ids.
func OpenWeights(path string) (w *Weights, err error) {
	defer recoverTo(&err)
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	w = &Weights{f: f}
	if w.m, err = model.LoadTransformer(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w.Vocabulary = loadVocabulary(f)
	if v := w.v; v != nil && v.Size() != w.m.Vocab {
		return nil, errors.Join(fmt.Errorf("engine: %s: %d tokens in the vocabulary and %d in the embedding", f.Name, v.Size(), w.m.Vocab), f.Close())
	}
	w.team = nn.NewTeam(runtime.GOMAXPROCS(0))
	w.batch.m = w.m
	w.batch.s.Use(w.team)
	return w, nil
}

// Prepare lays the weights out for sessions, which takes about as much memory as the
// file; NewSession does it if it was not done. If they take more than budget bytes
// (0: nine tenths of what is free) experts stay in the file until a token needs them,
// and if the rest does not fit, it is refused with the numbers.
func (w *Weights) Prepare(budget int64, progress func(done, total int)) error {
	w.prepare.Do(func() {
		w.laying.Lock()
		defer w.laying.Unlock()
		limit := budget
		if limit <= 0 {
			limit = MemoryLimit()
		}
		if all, experts := w.m.LaidSize(); !w.m.Lay(w.team, int(limit), progress) {
			w.failed = &MemoryError{What: fmt.Sprintf("the weights of %s, without %d MB of experts,", w.f.Name, experts>>20), Bytes: int64(all - experts), Max: limit}
		}
	})
	return w.failed
}

// trie returns the vocabulary as answers by a schema need it.
func (w *Weights) trie() *sample.TokenTrie {
	w.tries.Do(func() { w.prefix = sample.NewTokenTrie(w.m.Vocab, w.v.Piece) })
	return w.prefix
}

// IsNative reports whether a GGUF file holds a model of the native architecture.
func IsNative(path string) (is bool, err error) {
	defer recoverTo(&err)
	f, err := gguf.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	arch, err := f.Meta.String("general.architecture")
	return arch == model.Architecture, err
}

// Vocabulary is a file's tokenizer.
type Vocabulary struct {
	v    *model.Vocabulary
	err  error // why v is nil
	file string
}

// OpenVocabulary reads the tokenizer of a GGUF file of any architecture.
func OpenVocabulary(path string) (v *Vocabulary, err error) {
	defer recoverTo(&err)
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v = loadVocabulary(f)
	return v, v.err
}

func loadVocabulary(f *gguf.File) *Vocabulary {
	v, err := model.LoadVocabulary(f)
	return &Vocabulary{v, err, f.Name}
}

// Close gives the file and the team back.
func (w *Weights) Close() error {
	w.team.Close()
	return w.f.Close()
}

// Shape returns the model's sizes.
func (w *Weights) Shape() model.Shape { return w.m.Shape }

// Encode returns the ids of a text, with the tokens that the vocabulary puts
// around texts; control tokens in the text are parsed if control is set.
func (vocab *Vocabulary) Encode(text []byte, control bool) ([]int32, error) {
	v := vocab.v
	if v == nil {
		return nil, fmt.Errorf("engine: %s: its tokenizer cannot be used: %w", vocab.file, vocab.err)
	}
	var ids []int32
	if v.AddBOS && v.BOS >= 0 {
		ids = append(ids, v.BOS)
	}
	if control {
		ids = v.EncodeSpecial(ids, text)
	} else {
		ids = v.Encode(ids, text)
	}
	if v.AddEOS && v.EOS >= 0 {
		ids = append(ids, v.EOS)
	}
	return ids, nil
}

// Text returns the bytes of a token, none for a control token or a file without
// a tokenizer.
func (vocab *Vocabulary) Text(id int32) []byte {
	if vocab.v == nil {
		return nil
	}
	return vocab.v.Piece(id)
}

// Likelihood is how well a model foresaw a token, and what it expects next.
type Likelihood struct {
	ID      int32
	LogProb float64            // natural logarithm of its probability given those before, 0 for the first
	Top     []sample.Candidate // the likeliest tokens to come next
}

// scoreRows is how many tokens' logits are held at a time.
const scoreRows = 128

// Likelihoods scores ids as one text and reports the top likeliest tokens after
// each.
func (w *Weights) Likelihoods(ctx context.Context, ids []int32, top int) (out []Likelihood, err error) {
	defer recoverTo(&err)
	if len(ids) == 0 {
		return nil, fmt.Errorf("engine: no tokens to score")
	}
	if len(ids) > w.m.Context {
		return nil, fmt.Errorf("engine: %d tokens are more than the %d that %s was trained on", len(ids), w.m.Context, w.f.Name)
	}
	w.laying.RLock()
	defer w.laying.RUnlock()
	seq, s := w.m.NewSequence(kvcache.F32, 0), new(nn.Scratch)
	s.Use(w.team)
	logits := make([]float32, min(scoreRows, len(ids))*w.m.Vocab)
	next := 0.0 // log-probability of the token at hand, by the row before
	for from := 0; from < len(ids); from += scoreRows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part := ids[from:min(from+scoreRows, len(ids))]
		rows := logits[:len(part)*w.m.Vocab]
		if err := w.m.Forward(s, model.Piece{Seq: seq, IDs: part, Logits: rows}); err != nil {
			return nil, err
		}
		for i, id := range part {
			row := rows[i*w.m.Vocab : (i+1)*w.m.Vocab]
			logZ := sample.LogSumExp(row)
			out = append(out, Likelihood{ID: id, LogProb: next, Top: sample.Top(row, logZ, top)})
			// An id outside of the vocabulary is refused by the next Forward.
			if at := from + i + 1; at < len(ids) && ids[at] >= 0 && int(ids[at]) < len(row) {
				next = float64(row[ids[at]]) - logZ
			}
		}
	}
	return out, nil
}

// Perplexity is the exponential of the mean negative log-probability of all
// tokens but the first; 0 if there is no other.
func Perplexity(list []Likelihood) float64 {
	if len(list) < 2 {
		return 0
	}
	sum := 0.0
	for _, l := range list[1:] {
		sum += l.LogProb
	}
	return math.Exp(-sum / float64(len(list)-1))
}
