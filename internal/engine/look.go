package engine

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/handscroll/handscroll/internal/kernel"
	"github.com/handscroll/handscroll/internal/nn"
)

// The visual prior: what a question names of shapes, colours and motions is looked
// for in the values of frames. It is to sight what the phonetic prior is to sound.
const (
	// lookFit is the probability, the geometric mean over what is named, from which
	// something counts as seen.
	lookFit = 0.35
	// lookChunk frames are looked at at a time.
	lookChunk = 512
)

// anyObject are words for something of any shape.
var anyObject = map[string]bool{"object": true, "shape": true, "thing": true, "figure": true}

// wantedLabels returns, for each list of labels, the number of the one that words
// name, −1 for none; ok is false if they name no shape and no object of a kind.
func wantedLabels(text string, lists [][]string) (want []int, named int, ok bool) {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' })
	for i := range words {
		ok = ok || anyObject[strings.TrimSuffix(words[i], "s")]
		words[i] = stem(words[i])
	}
	line := " " + strings.Join(words, " ") + " "
	for i, list := range lists {
		want = append(want, -1)
		for j, label := range list {
			var stems []string
			for _, w := range strings.Fields(label) {
				stems = append(stems, stem(w))
			}
			if strings.Contains(line, " "+strings.Join(stems, " ")+" ") {
				want[i] = j
				named++
				break
			}
		}
		ok = ok || i == 0 && want[i] >= 0
	}
	return want, named, ok && named > 0
}

// stem takes the endings of number, person and tense off a word.
func stem(w string) string {
	for _, end := range []string{"ing", "es", "s", "ed"} {
		if t := strings.TrimSuffix(w, end); len(t) >= 3 && t != w && !(end == "s" && strings.HasSuffix(t, "s")) {
			w = t
			break
		}
	}
	return strings.TrimSuffix(w, "e")
}

// seenAt is where something is seen.
type seenAt struct {
	place
	fit float32
}

// look finds where what a text names is seen best, nil if it names nothing to be
// seen, or it is not; the place is where it first appears.
func (c *Context) look(ctx context.Context, text string) (best *seenAt, err error) {
	v := c.model.senses.Seeing
	if v == nil {
		return nil, nil
	}
	want, named, ok := wantedLabels(text, v.Config.Labels)
	if !ok {
		return nil, nil
	}
	for _, s := range c.sensed {
		if s.notes.Kind != kindSeen || s.Tokens() == 0 {
			continue
		}
		fits, patches, err := c.lookAt(ctx, s, want)
		if err != nil {
			return nil, err
		}
		at := 0
		two := func(i int) float32 { return min(fits[i], fits[min(i+1, len(fits)-1)]) }
		for i := range fits {
			if two(i) > two(at) || two(i) == two(at) && fits[i] > fits[at] {
				at = i
			}
		}
		fit := float32(math.Pow(float64((fits[at]+two(at))/2), 1/float64(named)))
		if best != nil && fit <= best.fit {
			continue
		}
		for first := at; first > 0 && fits[first-1] > fits[at]/2; {
			first--
			at = first
		}
		best = &seenAt{place{sensed: s, entry: at*s.notes.Group + patches[at], mass: fit}, fit}
	}
	if best == nil || best.fit < lookFit {
		return nil, nil
	}
	return best, nil
}

// lookAt returns for each frame of a segment the probability that its likeliest patch
// shows what is wanted, and which that is.
func (c *Context) lookAt(ctx context.Context, s sensed, want []int) (fits []float32, patches []int, err error) {
	v, group := c.model.senses.Seeing, s.notes.Group
	frames := s.Tokens() / group
	fits, patches = make([]float32, frames), make([]int, frames)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, c.opts.workers())
	for w := range c.opts.workers() {
		wg.Go(func() {
			defer recoverTo(&errs[w])
			scratch := new(nn.Scratch)
			for ctx.Err() == nil {
				from := int(next.Add(1)-1) * lookChunk
				if from >= frames {
					return
				}
				end := min(frames, from+lookChunk)
				scratch.Reset()
				logits := v.Scenes.LabelLogits(scratch, v.Params.Data, valuesOf(scratch, s.Segment, from*group, end*group))
				classes := v.Config.Classes()
				for i := from; i < end; i++ {
					for p := range group {
						row := logits[((i-from)*group+p)*classes:][:classes]
						if fit := likely(row, v.Config.Labels, want); fit > fits[i] {
							fits[i], patches[i] = fit, p
						}
					}
				}
			}
		})
	}
	wg.Wait()
	for _, err := range append(errs, ctx.Err()) {
		if err != nil {
			return nil, nil, err
		}
	}
	return fits, patches, nil
}

// likely is the probability that a patch shows what is wanted; its logits are
// overwritten.
func likely(row []float32, lists [][]string, want []int) float32 {
	p := float32(1)
	for i, l := range lists {
		if want[i] >= 0 {
			kernel.Softmax(row[:1+len(l)], 1)
			p *= row[1+want[i]]
		}
		row = row[1+len(l):]
	}
	return p
}

// choose answers which of two things is to be seen, and when.
func (c *Context) choose(ctx context.Context, question string) (text string, at *seenAt, err error) {
	m := choice.FindStringSubmatch(question)
	if m == nil {
		return "", nil, nil
	}
	for _, thing := range m[1:3] {
		p, err := c.look(ctx, thing)
		if err != nil {
			return "", nil, err
		}
		if p != nil && (at == nil || p.fit > at.fit) {
			at, text = p, thing
		}
	}
	if at != nil {
		text += ", at " + Clock(at.notes.at(at.entry))
	}
	return text, at, nil
}
