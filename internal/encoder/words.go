package encoder

import (
	"cmp"
	"math"
	"slices"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
	"github.com/handscroll/handscroll/internal/speech"
)

// Word is a word that was heard, from From to To in phone frames of 20 ms.
type Word struct {
	Text     string
	From, To int
}

// PhoneRate is the number of phone frames a second.
const PhoneRate = 2 * EmbeddingRate

// Words reads words off phones: a beam of paths through the lexicon's tree of
// pronunciations, each frame in one phone (token passing: Young, Russell and
// Thornton, 1989). It may be shared.
type Words struct {
	lexicon *speech.Lexicon
	nodes   []wordNode
	usage   []float32 // log of each word's probability
	prior   []float32 // log of each phone's, to be taken off
}

// wordNode is a phone in the tree; node 0 is the root, between words. A node's
// children stand side by side.
type wordNode struct {
	first    int32   // child
	word     int32   // the likeliest that ends here, −1 none
	best     float32 // usage of the likeliest word below
	children uint8
	phone    uint8
}

// A branch is a node of the tree while it grows.
type branch struct {
	phone    uint8
	word     int32
	best     float32
	children []*branch
}

const (
	// wordCost is taken for each word, usageShare is the weight of their usage
	// beside the phones', priorShare that of the phones' own frequency: tuned by
	// the word error rate in held-out voices (docs/lab.md).
	wordCost   = 4
	usageShare = 0.9
	priorShare = 0.3
	// beamWidth is how far behind the best a path may be, beamPaths how many live.
	beamWidth = 18
	beamPaths = 200
)

// NewWords prepares a lexicon, whose words are in the order of their frequency;
// prior is the share of frames of each phone, nil for equal ones.
func NewWords(l *speech.Lexicon, prior []float32) *Words {
	w := &Words{lexicon: l, prior: make([]float32, len(speech.Inventory))}
	root := newBranch(0)
	for i, p := range prior {
		w.prior[i] = float32(math.Log(float64(max(p, 1e-4))))
	}
	// Zipf's law: the n-th word has a probability near 1/n.
	total := 0.0
	for i := range l.Words {
		total += 1 / float64(i+10)
	}
	for i, word := range l.Words {
		u := float32(math.Log(1 / float64(i+10) / total))
		w.usage = append(w.usage, u)
		for _, f := range l.Forms(word) {
			root.insert(f.Phones, int32(i), w.usage)
		}
	}
	w.flatten(root)
	return w
}

func newBranch(phone uint8) *branch {
	return &branch{phone: phone, word: -1, best: float32(math.Inf(-1))}
}

// insert adds a word as it is pronounced; words without phones are left out.
func (b *branch) insert(phones []uint8, word int32, usage []float32) {
	if len(phones) == 0 {
		return
	}
	for _, p := range phones {
		i := slices.IndexFunc(b.children, func(c *branch) bool { return c.phone == p })
		if i < 0 {
			i = len(b.children)
			b.children = append(b.children, newBranch(p))
		}
		b = b.children[i]
		b.best = max(b.best, usage[word])
	}
	if b.word < 0 || usage[word] > usage[b.word] {
		b.word = word
	}
}

// flatten lays the tree out, children of one node after those of another.
func (w *Words) flatten(root *branch) {
	w.nodes = []wordNode{{phone: root.phone, word: -1, best: root.best}}
	for queue := []*branch{root}; len(queue) > 0; queue = queue[1:] {
		b, n := queue[0], &w.nodes[len(w.nodes)-len(queue)]
		n.first, n.children = int32(len(w.nodes)), uint8(len(b.children))
		for _, c := range b.children {
			w.nodes = append(w.nodes, wordNode{phone: c.phone, word: c.word, best: c.best})
			queue = append(queue, c)
		}
	}
}

// path is a way through the tree up to a frame.
type path struct {
	node  int32
	score float32
	trace int32 // the word before, in the beam's traces, −1 for none
	from  int32 // frame at which the word at hand begins
}

type trace struct {
	word, before int32
	from, to     int32
}

// Beam decodes phones as they come. It belongs to one goroutine.
type Beam struct {
	w      *Words
	frame  int
	paths  []path
	next   []path
	at     []int32 // [nodes]: index in next of the path that is in a node, −1 none
	traces []trace
	logp   []float32
	top    float32   // score of the best path of next
	scores []float32 // of prune
}

// NewBeam returns a beam at the beginning of a sound.
func (w *Words) NewBeam() *Beam {
	b := &Beam{w: w, at: make([]int32, len(w.nodes)), paths: []path{{trace: -1}}, logp: make([]float32, len(speech.Inventory))}
	for i := range b.at {
		b.at[i] = -1
	}
	return b
}

// Feed takes the logits [F, Phones] of frames; they are overwritten.
func (b *Beam) Feed(logits []float32) {
	n := len(b.logp)
	for i := 0; i+n <= len(logits); i += n {
		row := logits[i : i+n]
		kernel.Softmax(row, 1)
		for p, v := range row {
			b.logp[p] = Ln(max(v, 1e-6)) - priorShare*b.w.prior[p]
		}
		b.step()
		b.frame++
	}
}

// Skip passes over frames before the first that is fed.
func (b *Beam) Skip(frames int) {
	b.frame += frames
	for i := range b.paths {
		b.paths[i].from = int32(b.frame)
	}
}

// Settled is the frame up to which Take has returned all words.
func (b *Beam) Settled() int {
	least := int32(b.frame)
	for _, t := range b.traces {
		least = min(least, t.from)
	}
	for _, p := range b.paths {
		if p.node != 0 {
			least = min(least, p.from)
		}
	}
	return int(least)
}

// put offers a path to a node, unless it is too far behind to live.
func (b *Beam) put(p path) {
	if p.score < b.top-beamWidth {
		return
	}
	b.top = max(b.top, p.score)
	if i := b.at[p.node]; i >= 0 {
		if p.score > b.next[i].score {
			b.next[i] = p
		}
		return
	}
	b.at[p.node] = int32(len(b.next))
	b.next = append(b.next, p)
}

// step moves every path over a frame: it stays in its phone, goes on to the next,
// or ends its word.
func (b *Beam) step() {
	nodes := b.w.nodes
	b.top = float32(math.Inf(-1))
	// Words that begin now have the likeliest end before them: no other can win.
	ended, word, last := float32(math.Inf(-1)), int32(-1), path{}
	for _, p := range b.paths {
		node := &nodes[p.node]
		if p.node == 0 {
			b.put(path{0, p.score + b.logp[0], p.trace, int32(b.frame + 1)})
		} else {
			b.put(path{p.node, p.score + b.logp[node.phone], p.trace, p.from})
		}
		b.enter(node, p)
		if node.word >= 0 {
			if score := p.score + usageShare*(b.w.usage[node.word]-node.best) - wordCost; score > ended {
				ended, word, last = score, node.word, p
			}
		}
	}
	if word >= 0 && ended >= b.top-beamWidth {
		end := path{0, ended, b.trace(word, last), int32(b.frame)}
		b.put(path{0, ended + b.logp[0], end.trace, int32(b.frame + 1)})
		b.enter(&nodes[0], end)
	}
	for _, p := range b.next {
		b.at[p.node] = -1
	}
	b.paths, b.next = b.prune(b.next), b.paths[:0]
}

// enter goes on to a node's children; what usage says is taken as early as it is
// known.
func (b *Beam) enter(node *wordNode, p path) {
	before := float32(0)
	if p.node != 0 {
		before = node.best
	}
	first := node.first
	for i := range b.w.nodes[first : first+int32(node.children)] {
		child := &b.w.nodes[first+int32(i)]
		if score := p.score + b.logp[child.phone] + usageShare*(child.best-before); score >= b.top-beamWidth {
			b.put(path{first + int32(i), score, p.trace, p.from})
		}
	}
}

func (b *Beam) trace(word int32, p path) int32 {
	b.traces = append(b.traces, trace{word, p.trace, p.from, int32(b.frame)})
	return int32(len(b.traces) - 1)
}

// prune keeps the best paths, the best of all in front.
func (b *Beam) prune(paths []path) []path {
	least, ties := b.cut(paths)
	kept := paths[:0]
	for _, p := range paths {
		if p.score < least {
			continue
		}
		if p.score == least {
			if ties--; ties < 0 {
				continue
			}
		}
		p.score -= b.top // sums stay small however long the sound
		kept = append(kept, p)
		if n := len(kept) - 1; p.score > kept[0].score {
			kept[0], kept[n] = kept[n], kept[0]
		}
	}
	return kept
}

// cutBins divide the scores that may live: a path is compared with those of its bin.
const cutBins = 512

// cut returns the least score with which a path lives, and how many of those that
// have it do.
func (b *Beam) cut(paths []path) (least float32, ties int) {
	least = b.top - beamWidth
	bin := func(score float32) int { return min(int((b.top-score)*(cutBins/beamWidth)), cutBins-1) }
	var count [cutBins]int32
	n := 0
	for i := range paths {
		if v := paths[i].score; v >= least {
			count[bin(v)]++
			n++
		}
	}
	if n <= beamPaths {
		return least, n
	}
	last, better := 0, 0 // the bin that the last ones to live are in, and how many are before it
	for better+int(count[last]) < beamPaths {
		better += int(count[last])
		last++
	}
	b.scores = b.scores[:0]
	for i := range paths {
		if v := paths[i].score; v >= least && bin(v) == last {
			b.scores = append(b.scores, v)
		}
	}
	least = nth(b.scores, beamPaths-1-better)
	for _, v := range b.scores {
		if v > least {
			better++
		}
	}
	return least, beamPaths - better
}

// nth returns the value that n others come before, from the highest down; x is put
// in another order (Hoare's selection).
func nth(x []float32, n int) float32 {
	for lo, hi := 0, len(x)-1; lo < hi; {
		pivot, i, j := x[(lo+hi)/2], lo, hi
		for i <= j {
			for x[i] > pivot {
				i++
			}
			for x[j] < pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case n <= j:
			hi = j
		case n >= i:
			lo = i
		default:
			return x[n]
		}
	}
	return x[n]
}

// Take returns the words up to now that all paths agree on, or, with all, those of
// the best path, and forgets them.
func (b *Beam) Take(all bool) []Word {
	if len(b.paths) == 0 {
		return nil
	}
	best := slices.MaxFunc(b.paths, func(a, c path) int { return cmp.Compare(a.score, c.score) })
	last := best.trace
	if all && best.node != 0 {
		if w := b.w.nodes[best.node].word; w >= 0 {
			last = b.trace(w, best)
		}
	}
	var chain []int32 // of the best path, latest first
	for t := last; t >= 0; t = b.traces[t].before {
		chain = append(chain, t)
	}
	agreed := 0 // of chain's end, how many are common to all paths
	if all {
		agreed = len(chain)
	} else if len(chain) > 0 {
		agreed = b.common(chain)
	}
	var out []Word
	for i := len(chain) - 1; i >= len(chain)-agreed; i-- {
		t := b.traces[chain[i]]
		out = append(out, Word{Text: b.w.lexicon.Words[t.word], From: int(t.from), To: int(t.to)})
	}
	b.forget(chain, agreed)
	return out
}

// common is how many words, from the first on, every path shares with a chain.
func (b *Beam) common(chain []int32) int {
	place := map[int32]int{} // trace → words up to and with it
	for i, t := range chain {
		place[t] = len(chain) - i
	}
	least := len(chain)
	for _, p := range b.paths {
		n := 0
		for t := p.trace; t >= 0; t = b.traces[t].before {
			if m, ok := place[t]; ok {
				n = m
				break
			}
		}
		least = min(least, n)
	}
	return least
}

// forget drops traces that no path leads to, and cuts off the agreed words.
func (b *Beam) forget(chain []int32, agreed int) {
	cut := int32(-1)
	if agreed > 0 {
		cut = chain[len(chain)-agreed]
	}
	moved := map[int32]int32{-1: -1}
	if cut >= 0 {
		moved[cut] = -1
	}
	var kept []trace
	var move func(t int32) int32
	move = func(t int32) int32 {
		if to, ok := moved[t]; ok {
			return to
		}
		tr := b.traces[t]
		tr.before = move(tr.before)
		kept = append(kept, tr)
		moved[t] = int32(len(kept) - 1)
		return moved[t]
	}
	for i := range b.paths {
		b.paths[i].trace = move(b.paths[i].trace)
	}
	b.traces = kept
}

// Said is what was said in values v [T, Value], as the ears made them.
func (h *Hearing) Said(s *nn.Scratch, w *Words, v []float32) []Word {
	b := w.NewBeam()
	b.Feed(h.Ears.PhoneLogits(s, h.Params.Data, v))
	return b.Take(true)
}
