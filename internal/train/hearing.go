package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/gguf"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
	"github.com/handscroll/handscroll/internal/tensor"
)

// EarsRecipe is how the ears are trained: on sequences of utterances, each with its
// phones, some with a value that questions ask for.
type EarsRecipe struct {
	Model      encoder.EarsConfig `yaml:"model"`
	Sentences  int                `yaml:"sentences"`  // utterances out of the corpus
	Statements int                `yaml:"statements"` // generated ones
	Augment    float64            `yaml:"augment"`    // share that is spoken over noise, in rooms and so on
	Batch      int                `yaml:"batch_embeddings"`
	Lengths    []LengthStage      `yaml:"lengths"`   // embeddings of a sequence from a step on
	AskFrom    int                `yaml:"ask_from"`  // step from which questions are asked
	Ask        float32            `yaml:"ask"`       // weight of their loss; phones weigh 1
	Questions  int                `yaml:"questions"` // a sequence, at most
	Absent     float64            `yaml:"absent"`    // share that has no answer
}

// BankName is the file of a run's folder that keeps the utterances.
const BankName = "speech.bank"

type hearingSense struct {
	r          *SenseRecipe
	m          *encoder.Hearing
	base       *model.Native
	sentences  []int // of the bank
	statements []int
	bank       *speech.Bank
	words      *speech.Lexicon
	share      []float32 // of each phone in the bank
	noise      []float32 // logarithms of a noise's energy
}

// LexiconName is the file of a run's folder that keeps the pronunciations.
const LexiconName = "lexicon"

// lexiconWords is how many words the ears know.
const lexiconWords = 20000

// lexicon loads the pronunciations of the corpus's most frequent words, held-out
// ones among them, or asks the synthesiser for them.
func (h *hearingSense) lexicon(ctx context.Context, path string, log func(string)) error {
	if data, err := os.ReadFile(path); err == nil {
		h.words, err = speech.ParseLexicon(data)
		return err
	}
	texts, err := corpusTexts(h.r.Corpus)
	if err != nil {
		return err
	}
	words := speech.Frequencies(texts)
	words = withModern(words[:min(len(words), lexiconWords)])
	log(fmt.Sprintf("ears: pronouncing %d words in %d accents", len(words), len(speech.Accents)))
	s, err := speech.Start(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if h.words, err = speech.BuildLexicon(s, words, speech.Accents); err != nil {
		return err
	}
	data, err := h.words.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o666)
}

// modern are words that novels lack.
var modern = strings.Fields(`keyword keywords password passwords passphrase email website internet online computer computers video videos
	phone phones software hardware file files folder database server servers network login username data digital web laptop keyboard
	screen click download upload app robot robots laser plastic television tv radio movie movies film films camera airport aeroplane
	airplane helicopter rocket satellite okay teenager supermarket nuclear atomic jet astronaut spacecraft orbit module`)

// withModern puts modern words behind the first thousand.
func withModern(words []string) []string {
	const common = 1000
	out := slices.Clone(words[:min(len(words), common)])
	for _, w := range modern {
		if !slices.Contains(words, w) {
			out = append(out, w)
		}
	}
	return append(out, words[min(len(words), common):]...)
}

// shares is how often each phone is heard.
func (h *hearingSense) shares() []float32 {
	n := make([]float32, len(speech.Inventory))
	total := float32(0)
	for i := range h.bank.Samples {
		s := &h.bank.Samples[i]
		for j, p := range s.Phones {
			end := s.Frames()
			if j+1 < len(s.Phones) {
				end = s.Phones[j+1].Start
			}
			n[p.ID] += float32(end - p.Start)
			total += float32(end - p.Start)
		}
	}
	for i := range n {
		n[i] /= total
	}
	return n
}

func newHearing(ctx context.Context, r *SenseRecipe, base *model.Native, dir string, log func(string)) (*hearingSense, error) {
	c := &r.Ears
	c.Model.Phones = len(speech.Inventory)
	h := &hearingSense{r: r, base: base}
	if len(c.Lengths) == 0 || c.Lengths[0].From != 0 || c.Batch < c.Lengths[0].Length || c.Questions < 1 {
		return nil, fmt.Errorf("train: ears: lengths must begin with a stage from step 0, batch_embeddings be at least its length, questions at least 1")
	}
	for _, l := range c.Lengths {
		if l.Length < 128 || l.Length%nn.Block != 0 {
			return nil, fmt.Errorf("train: ears: a length is %d, want a multiple of %d from 128 on", l.Length, nn.Block)
		}
	}
	c.Model.Layer.Balance, c.Model.Layer.Z = r.Router.Balance, r.Router.Z
	var err error
	if h.m, err = encoder.NewHearing(encoder.HearingConfig{Width: base.Config.Width, Ears: c.Model}, r.precision); err != nil {
		return nil, err
	}
	if h.bank, err = h.speak(ctx, filepath.Join(dir, BankName), log); err != nil {
		return nil, err
	}
	for i := range h.bank.Samples {
		if h.bank.Samples[i].Needle.Kind == speech.Prose {
			h.sentences = append(h.sentences, i)
		} else {
			h.statements = append(h.statements, i)
		}
	}
	if len(h.sentences) == 0 || len(h.statements) == 0 {
		return nil, errors.New("train: ears: sentences and statements must both be more than 0")
	}
	if err := h.lexicon(ctx, filepath.Join(dir, LexiconName), log); err != nil {
		return nil, err
	}
	h.share = h.shares()
	h.m.Lexicon, h.m.Prior = h.words, h.share
	rng := rand.New(rand.NewPCG(r.Seed, 99))
	h.noise = make([]float32, 1<<14)
	for i := range h.noise {
		e := (rng.ExpFloat64() + rng.ExpFloat64() + rng.ExpFloat64()) / 3
		h.noise[i] = float32(math.Log(e + 1e-3))
	}
	return h, nil
}

// speak loads the bank of utterances, or makes it.
func (h *hearingSense) speak(ctx context.Context, path string, log func(string)) (*speech.Bank, error) {
	if _, err := os.Stat(path); err == nil {
		return speech.LoadBank(path)
	}
	c := &h.r.Ears
	texts, err := corpusTexts(h.r.Corpus)
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(h.r.Seed, 1))
	lines := speech.Sentences(texts, rng, c.Sentences, true)
	words := speech.Frequencies(texts)
	lines = append(lines, speech.Statements(rng, words[:min(len(words), 20000)], c.Statements, true)...)
	training, _ := speech.Voices()
	log(fmt.Sprintf("ears: speaking %d utterances in %d voices", len(lines), len(training)))
	begin := time.Now()
	bank, err := speech.Build(ctx, speech.Plan{
		Lines: lines, Voices: training, Seed: h.r.Seed, Augment: c.Augment, Features: encoder.Frames,
		Progress: func(done int) {
			if done%5000 == 0 {
				log(fmt.Sprintf("ears: %d of %d spoken, %s", done, len(lines), time.Since(begin).Round(time.Second)))
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return bank, bank.Save(path)
}

func (h *hearingSense) params() *nn.Params                         { return &h.m.Params }
func (h *hearingSense) threshold() *float32                        { return &h.m.Threshold }
func (h *hearingSense) matrices() []*nn.Matrix                     { return h.m.Matrices }
func (h *hearingSense) layers() []*nn.SelfLayer                    { return h.m.Ears.Layers }
func (h *hearingSense) write(w *gguf.Writer, d tensor.DType) error { return h.m.Write(w, d) }
func (h *hearingSense) batch(step int) int                         { return max(h.r.Workers, h.r.Ears.Batch/h.length(step)) }

func (h *hearingSense) load(f *gguf.File) (err error) {
	h.m, err = encoder.LoadHearing(f, h.r.precision, true)
	if err == nil {
		h.m.Lexicon, h.m.Prior = h.words, h.share
		h.r.route(h.m.Ears.Layers)
	}
	return err
}

// length is the length of a step's sequences: the longest of the stage, or half,
// or a quarter of it.
func (h *hearingSense) length(step int) int {
	l := h.r.Ears.Lengths[0].Length
	least := l
	for _, s := range h.r.Ears.Lengths {
		if step >= s.From {
			l = s.Length
		}
	}
	rng := rand.New(rand.NewPCG(h.r.Seed, uint64(step)<<1|1))
	if rng.IntN(2) == 0 {
		l /= 1 << (1 + rng.IntN(2))
	}
	return max(l/nn.Block*nn.Block, least)
}

// heard is a sequence of utterances.
type heard struct {
	frames  []float32 // scaled, [4·T, Mels]
	phones  []int32   // [2·T]
	samples []*speech.Sample
	starts  []int // first frame of each sample
}

func (h *hearingSense) example(w *worker, step, index int, t *tallies) {
	c, e, flat := &h.r.Ears, h.m.Ears, h.m.Params.Data
	n := h.length(step)
	rng := rand.New(rand.NewPCG(h.r.Seed, uint64(step)<<16|uint64(index)+2))
	s := &w.scratch
	seq := h.sequence(s, rng, n)
	var act encoder.EarsAct
	k, v := e.Forward(s, flat, seq.frames, 0, &act)
	t.routed(e.Layers, act.Layers)
	dk, dv := s.Zeros(len(k)), s.Zeros(len(v))
	batch := float32(h.batch(step))

	logits := e.PhoneLogits(s, flat, v)
	weights := s.Floats(2 * n)
	for i := range weights {
		weights[i] = 1 / (batch * float32(2*n))
	}
	right := 0
	np := e.Config.Phones
	for i, y := range seq.phones {
		if best(logits[i*np:(i+1)*np]) == int(y) {
			right++
		}
	}
	loss := 0.0
	for _, l := range nn.Classify(logits, np, seq.phones, weights, true) {
		loss += float64(l)
	}
	t.add("phone", loss, float64(2*n))
	t.add("phones", float64(right), float64(2*n))
	e.PhonesBackward(s, w.grad, dv, logits, v)
	if step >= c.AskFrom {
		if qs := h.questions(rng, seq, n); len(qs) > 0 {
			askPlaces(w, h.base, h.m.Ask, flat, qs, dk, k, n, c.Ask/batch, t)
		}
	}
	e.Backward(s, flat, w.grad, dk, dv, &act)
}

// asked is a question and where its answer is.
type asked struct {
	text   string
	target nn.Target // none: nowhere
}

// askPlaces trains an asker on questions over n keys.
func askPlaces(w *worker, base *model.Native, a *encoder.Asker, flat []float32, qs []asked, dk, k []float32, n int, weight float32, t *tallies) {
	s := &w.scratch
	texts, targets, weights := make([]string, len(qs)), make([]nn.Target, len(qs)), make([]float32, len(qs))
	for i, q := range qs {
		texts[i], targets[i], weights[i] = q.text, q.target, weight/float32(len(qs))
	}
	w.text.Reset()
	hidden, spans := base.Questions(&w.text, texts)
	var act encoder.AskerAct
	a.Forward(s, flat, hidden, spans, k, n, &act)
	for i, q := range qs {
		row := act.Loc.P[i*(n+1) : (i+1)*(n+1)]
		at := best(row)
		o := outcome{mass: 1 - row[n], there: len(q.target) > 0}
		t.asked = append(t.asked, o)
		if len(q.target) == 0 {
			hit := 0.0
			if at == n {
				hit = 1
			}
			t.add("absent", hit, 1)
			continue
		}
		hit := 0.0
		for _, r := range q.target {
			if at >= int(r[0]) && at < int(r[1]) {
				hit = 1
			}
		}
		t.add("found", hit, 1)
	}
	for i, l := range a.Backward(s, flat, w.grad, dk, k, n, &act, targets, weights) {
		if len(qs[i].target) > 0 {
			t.add("place", float64(l), 1)
		}
	}
}

// sequence puts utterances one after another until n embeddings are full.
func (h *hearingSense) sequence(s *nn.Scratch, rng *rand.Rand, n int) *heard {
	total := n * encoder.FramesPerEmbedding
	q := &heard{frames: s.Floats(total * encoder.Mels), phones: make([]int32, 2*n)}
	share := 0.15 + 0.5*rng.Float64() // of statements
	at := 0
	for at < total {
		list := h.sentences
		if rng.Float64() < share {
			list = h.statements
		}
		sm := &h.bank.Samples[list[rng.IntN(len(list))]]
		f := min(sm.Frames(), total-at)
		dst := q.frames[at*encoder.Mels : (at+f)*encoder.Mels]
		h.vary(rng, dst, sm.Mels[:f*encoder.Mels])
		label(q.phones, sm, at, f)
		if f == sm.Frames() {
			q.samples, q.starts = append(q.samples, sm), append(q.starts, at)
		}
		at += f
	}
	return q
}

// label writes the phones of frames [0, f) of a sample that begins at frame at.
func label(phones []int32, sm *speech.Sample, at, f int) {
	p := 0
	for i := (at + 1) / 2; 2*i < at+f && i < len(phones); i++ {
		frame := 2*i + 1 - at
		for p+1 < len(sm.Phones) && sm.Phones[p+1].Start <= frame {
			p++
		}
		if len(sm.Phones) > 0 {
			phones[i] = int32(sm.Phones[p].ID)
		}
	}
}

// vary scales frames as if they had been louder or softer, through another
// microphone, in noise.
func (h *hearingSense) vary(rng *rand.Rand, dst []float32, mels []uint8) {
	var hist [256]int
	for _, v := range mels {
		hist[v]++
	}
	peak, left := 255, len(mels)/20
	for ; peak > 0 && left > hist[peak]; peak-- {
		left -= hist[peak]
	}
	uniform := func(lo, hi float64) float64 { return lo + (hi-lo)*rng.Float64() }
	gain, tilt := uniform(-3, 1.5), curve(rng, 0.8)
	top := float64(peak)/12.5 - 11.5 + gain
	floor := top - uniform(4, 14)
	if rng.Float64() < 0.3 {
		floor = top - uniform(1.2, 4)
	}
	shape := curve(rng, 1)
	var table [encoder.Mels][256]float32 // energy of a value in each band
	for m := range table {
		for v := range table[m] {
			table[m][v] = float32(math.Exp(float64(v)/12.5 - 11.5 + gain + float64(tilt[m])))
		}
		shape[m] = float32(math.Exp(floor + float64(shape[m])))
	}
	at := rng.IntN(len(h.noise))
	for i, v := range mels {
		m := i % encoder.Mels
		at = (at + 1 + m&1) & (len(h.noise) - 1)
		e := table[m][v] + shape[m]*h.noise[at]
		dst[i] = (min(max(12.5*(encoder.Ln(max(e, 1e-5))+11.5), 0), 255) - 110) / 50
	}
}

// curve is a smooth random function of the band.
func curve(rng *rand.Rand, dev float64) (c [encoder.Mels]float32) {
	var knots [5]float64
	for i := range knots {
		knots[i] = rng.NormFloat64() * dev
	}
	for m := range c {
		x := float64(m) / (encoder.Mels - 1) * float64(len(knots)-1)
		i := min(int(x), len(knots)-2)
		f := x - float64(i)
		c[m] = float32(knots[i]*(1-f) + knots[i+1]*f)
	}
	return c
}

// questions asks for what the samples of a sequence say, and for what none says.
func (h *hearingSense) questions(rng *rand.Rand, q *heard, n int) []asked {
	said := map[string][]int{} // key → samples that state it
	words := map[string][][2]int32{}
	span := func(i, from, to int) [2]int32 {
		a := (q.starts[i] + from) / encoder.FramesPerEmbedding
		b := (q.starts[i]+to)/encoder.FramesPerEmbedding + 1
		return [2]int32{int32(min(a, n-1)), int32(min(b, n))}
	}
	for i, sm := range q.samples {
		if sm.Needle.Kind == speech.Statement {
			said[sm.Needle.Key] = append(said[sm.Needle.Key], i)
		}
		for j, w := range sm.Words {
			word := strings.ToLower(strings.Trim(sm.Word(j), ".,;:!?'\"-"))
			if len(word) >= 4 {
				words[word] = append(words[word], span(i, w.Start, w.End))
			}
		}
	}
	var out []asked
	for i, sm := range q.samples { // in order: maps have none
		key := sm.Needle.Key
		if sm.Needle.Kind == speech.Prose {
			continue
		}
		question := question(rng, key)
		switch at := said[key]; {
		case len(at) == 1 && at[0] == i:
			if from, to, ok := sm.ValueFrames(); ok {
				out = append(out, asked{question, nn.Target{span(i, from, to)}})
			}
		case len(at) == 0 && rng.Float64() < 0.7:
			out = append(out, asked{question, nil})
		}
	}
	for i, sm := range q.samples {
		if len(sm.Words) == 0 || rng.IntN(4) > 0 {
			continue
		}
		j := rng.IntN(len(sm.Words))
		word := strings.ToLower(strings.Trim(sm.Word(j), ".,;:!?'\"-"))
		if at := words[word]; len(at) == 1 {
			w := sm.Words[j]
			out = append(out, asked{wordQuestion(rng, word), nn.Target{span(i, w.Start, w.End)}})
		}
	}
	// What differs in a word from what is said is not said.
	for _, sm := range q.samples {
		adjective, noun, ok := strings.Cut(sm.Needle.Key, " ")
		if !ok || strings.Contains(noun, " of ") || rng.IntN(12) > 0 {
			continue
		}
		a, n, ok := strings.Cut(h.bank.Samples[h.statements[rng.IntN(len(h.statements))]].Needle.Key, " ")
		if !ok || strings.Contains(n, " of ") {
			continue
		}
		if rng.IntN(2) == 0 {
			noun = n
		} else {
			adjective = a
		}
		if key := adjective + " " + noun; len(said[key]) == 0 {
			out = append(out, asked{question(rng, key), nil})
		}
	}
	for m := int(float64(len(out))*h.r.Ears.Absent) + 1; m > 0; m-- {
		other := &h.bank.Samples[h.statements[rng.IntN(len(h.statements))]]
		if len(said[other.Needle.Key]) == 0 {
			out = append(out, asked{question(rng, other.Needle.Key), nil})
		}
		if rng.IntN(2) == 0 {
			out = append(out, asked{otherQuestion(rng), nil})
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(len(out), h.r.Ears.Questions)]
}
