package train

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
	"github.com/handscroll/handscroll/internal/train/data"
)

// vocabText is how much corpus a vocabulary is trained on, and vocabGenerated
// how many context tokens of generated examples are added.
const (
	vocabText      = 24 << 20
	vocabGenerated = 1 << 21
)

// Start prepares a run from scratch: vocabulary, corpus, weights from the seed.
// log receives one line for each stage.
func Start(r *Recipe, log func(string)) (*Trainer, error) {
	tok, err := r.vocabulary(log)
	if err != nil {
		return nil, err
	}
	m, err := model.New(r.Model, tok, r.routerLoss())
	if err != nil {
		return nil, err
	}
	m.Params.Reset(r.Seed)
	gen, err := r.generator(tok, log)
	if err != nil {
		return nil, err
	}
	return New(r, m, gen), nil
}

// routerLoss spreads the auxiliary losses over the examples of a step.
func (r *Recipe) routerLoss() model.RouterLoss {
	n := float32(max(r.Workers, r.Batch/r.Lengths[len(r.Lengths)-1].Length))
	return model.RouterLoss{Balance: r.Router.Balance / n, Z: r.Router.Z / n}
}

func (r *Recipe) generator(tok tokenizer.Tokenizer, log func(string)) (*data.Generator, error) {
	corpus, err := data.LoadCorpus(tok, r.Corpus, r.Limit)
	if err != nil {
		return nil, err
	}
	log(fmt.Sprintf("corpus: %d documents, %d tokens", len(corpus.Documents), corpus.Tokens()))
	return data.NewGenerator(tok, corpus, r.Data)
}

// vocabulary loads the recipe's vocabulary, or trains one.
func (r *Recipe) vocabulary(log func(string)) (*tokenizer.BPE, error) {
	if f := r.Tokenizer.File; f != "" {
		g, err := gguf.Open(f)
		if err != nil {
			return nil, err
		}
		defer g.Close()
		tok, err := model.LoadTokenizer(g)
		if err != nil {
			return nil, fmt.Errorf("train: tokenizer.file %s: %w", f, err)
		}
		if tok.Size() != r.Tokenizer.Size {
			return nil, fmt.Errorf("train: tokenizer.file %s has %d pieces, tokenizer.size is %d", f, tok.Size(), r.Tokenizer.Size)
		}
		return tok, nil
	}
	bytesOnly, err := tokenizer.Train(nil, tokenizer.NumSpecial+256, nil)
	if err != nil {
		return nil, err
	}
	tok, err := tokenizer.NewBPE(bytesOnly)
	if err != nil {
		return nil, err
	}
	corpus, err := data.LoadCorpus(tok, r.Corpus, vocabText)
	if err != nil {
		return nil, err
	}
	var texts [][]byte
	for _, d := range corpus.Documents {
		b := make([]byte, 0, len(d.IDs))
		for _, id := range d.IDs {
			b = append(b, tok.Piece(int32(id))...)
		}
		texts = append(texts, b)
	}
	gen, err := data.NewGenerator(tok, corpus, r.Data)
	if err != nil {
		return nil, err
	}
	for i := range uint64(vocabGenerated / 8192) {
		e := gen.Example(r.Seed^0x766f636162, i, 8192)
		for _, s := range e.Segments {
			texts = append(texts, tok.Decode(nil, e.Tokens[s.Start:s.End]))
		}
	}
	log(fmt.Sprintf("vocabulary: training %d pieces", r.Tokenizer.Size))
	v, err := tokenizer.Train(texts, r.Tokenizer.Size, nil)
	if err != nil {
		return nil, err
	}
	if n := len(v.Pieces); n < r.Tokenizer.Size {
		return nil, fmt.Errorf("train: the corpus has words for %d pieces, tokenizer.size is %d: lower it or add text", n, r.Tokenizer.Size)
	}
	return tokenizer.NewBPE(v)
}

// goroot asks the Go command where its sources are: a trimmed binary doesn't know.
func goroot() string {
	if out, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
		return strings.TrimSpace(string(out))
	}
	if _, err := os.Stat("/usr/local/go/src"); err == nil && runtime.GOOS != "windows" {
		return "/usr/local/go"
	}
	return ""
}
