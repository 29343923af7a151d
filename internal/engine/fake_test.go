package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
	"github.com/handscroll/handscroll/internal/model"
	"github.com/handscroll/handscroll/internal/tokenizer"
)

// fakeNet is a deterministic stand-in for the model. An entry is a hash of
// exactly the tokens within Lead before and Lookahead after it, so that a token
// missing, doubled or shifted anywhere in that reach shows. Its decoder finds
// the question's last line in the context and answers with what follows on the
// line, from every place.
type fakeNet struct {
	size   int // of the vocabulary
	made   atomic.Int64
	delay  time.Duration // for each prefill
	broken atomic.Bool   // panics
}

const (
	fakeLead      = 128
	fakeLookahead = 5
	fakeDK        = 8
	fakeDV        = 4
)

func (f *fakeNet) Lead() int             { return fakeLead }
func (f *fakeNet) Lookahead() int        { return fakeLookahead }
func (f *fakeNet) EntryDims() (int, int) { return fakeDK, fakeDV }

func (f *fakeNet) Prefiller() func(dst kvcache.Run, ids []int32, pos, lead int) {
	var busy atomic.Bool
	return func(dst kvcache.Run, ids []int32, pos, lead int) {
		if busy.Swap(true) {
			panic("a prefiller belongs to one goroutine")
		}
		defer busy.Store(false)
		if f.broken.Load() {
			panic("broken on purpose")
		}
		after := len(ids) - lead - dst.N
		if pos%blockTokens != 0 || lead < min(pos, fakeLead) || after < 0 || after > fakeLookahead {
			panic(fmt.Sprintf("prefill of %d after %d of %d at %d", dst.N, lead, len(ids), pos))
		}
		time.Sleep(f.delay)
		for i := range dst.N {
			fakeEntry(dst, i, ids, lead+i, pos)
		}
		f.made.Add(int64(dst.N))
	}
}

// fakeEntry makes entry i of dst for token p of ids.
func fakeEntry(dst kvcache.Run, i int, ids []int32, p, pos int) {
	h := uint64(14695981039346656037)
	mix := func(v uint64) { h = (h ^ v) * 1099511628211 }
	for q := p - fakeLead; q <= p+fakeLookahead; q++ {
		switch {
		case q < 0 && pos == 0:
			mix(1 << 20) // before the segment
		case q < 0:
			panic("lead too short")
		case q >= len(ids):
			mix(1 << 21) // past its end
		default:
			mix(uint64(ids[q]))
		}
	}
	for j := range fakeDK {
		dst.K[i*fakeDK+j] = byte(h >> (8 * j))
	}
	for j := range fakeDV {
		dst.V[i*fakeDV+j] = int8(h >> (8*j + 3))
	}
	dst.KScale[i], dst.VScale[i] = float32(h%1000), float32(h%77)
	dst.ID[i] = uint32(ids[p])
}

func (f *fakeNet) Score(_ context.Context, ids []int32) ([]float32, error) {
	out := make([]float32, len(ids))
	for i := range out {
		out[i] = -float32(i)
	}
	return out, nil
}

type fakeDecoder struct{ steps []model.Step }

func (d *fakeDecoder) Next(ctx context.Context) (model.Step, error) {
	if err := ctx.Err(); err != nil {
		return model.Step{}, err
	}
	if len(d.steps) == 0 {
		return model.Step{ID: tokenizer.End, Source: -1}, nil
	}
	st := d.steps[0]
	d.steps = d.steps[1:]
	return st, nil
}

func (f *fakeNet) NewDecoder(view kvcache.View, question []int32) Decoder {
	pattern := testTokens.Decode(nil, question)
	pattern = pattern[bytes.LastIndexByte(pattern, '\n')+1:]
	var text []byte
	var pos []int // position of the token that each byte of text begins or is in
	var ids []int32
	for _, r := range view {
		for _, id := range r.ID {
			piece := testTokens.Piece(int32(id))
			if id == uint32(tokenizer.BOS) {
				piece = newline
			}
			text = append(text, piece...)
			pos = append(pos, slices.Repeat([]int{len(ids)}, len(piece))...)
			ids = append(ids, int32(id))
		}
	}
	d := &fakeDecoder{}
	for at := 0; ; {
		i := bytes.Index(text[at:], pattern)
		if i < 0 || at+i+len(pattern) >= len(text) {
			break
		}
		p := pos[at+i]
		at += i + len(pattern)
		if text[at] == '\n' {
			continue
		}
		if len(d.steps) > 0 {
			d.steps = append(d.steps, model.Step{ID: tokenizer.Sep, Source: -1})
		}
		for q := pos[at]; q < len(ids) && ids[q] != tokenizer.BOS && !bytes.HasPrefix(testTokens.Piece(ids[q]), newline); q++ {
			hits := []model.Hit{{Pos: q, Weight: 0.75}, {Pos: p, Weight: 0.2}, {Pos: 0, Weight: 0.001}}
			d.steps = append(d.steps, model.Step{ID: ids[q], Copied: true, Source: q, Weight: 0.75, Hits: hits})
		}
	}
	if len(d.steps) == 0 {
		d.steps = []model.Step{{ID: tokenizer.Absent, Source: -1, Weight: 1}}
	}
	return d
}

var testTokens = func() *tokenizer.BPE {
	v, err := tokenizer.Train([][]byte{[]byte(strings.Repeat("The city of Ulm has the number 481516. func main() { return }\n\tindented line with more words in it\n", 20))}, 350, nil)
	if err != nil {
		panic(err)
	}
	b, err := tokenizer.NewBPE(v)
	if err != nil {
		panic(err)
	}
	return b
}()

func newFake() (*Model, *fakeNet) {
	net := &fakeNet{size: testTokens.Size()}
	return NewModel("fake", strings.Repeat("f0", 32), testTokens, net), net
}

// randomText makes text of words, numbers, punctuation, indentation, CRLF,
// blank lines and bytes that are not UTF-8.
func randomText(rng *rand.Rand, size int) []byte {
	parts := []string{" city", " of", "Ulm", "the", " number", "4", "8", " 15", ".", ", ", "\n", "\n", "\n\n", "\n\t", "\n    ", "\r\n", " é", "日本", "\xff", "\xc3", "func", "() {", "}", "  ", "\t", "_x", " \n", "—"}
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	return b.Bytes()
}

func randomParts(rng *rand.Rand, n, most int) []media.Part {
	var parts []media.Part
	for i := range n {
		parts = append(parts, media.Part{Source: fmt.Sprintf("file%d.txt", i), Text: randomText(rng, 1+rng.IntN(most))})
	}
	return parts
}

// direct reads ids in one go.
func direct(m *Model, ids []int32) kvcache.Run {
	run := kvcache.NewRun(len(ids), m.id.DK, m.id.DV)
	m.net.Prefiller()(run, ids, 0, 0)
	return run
}

// sameView fails unless a view's entries are those of one run.
func sameView(t *testing.T, got kvcache.View, want kvcache.Run) {
	t.Helper()
	if got.Len() != want.N {
		t.Fatalf("%d entries, want %d", got.Len(), want.N)
	}
	p := 0
	for _, r := range got {
		w := want.Slice(p, p+r.N)
		if !bytes.Equal(r.K, w.K) || fmt.Sprint(r.V) != fmt.Sprint(w.V) || fmt.Sprint(r.KScale) != fmt.Sprint(w.KScale) ||
			fmt.Sprint(r.VScale) != fmt.Sprint(w.VScale) || fmt.Sprint(r.ID) != fmt.Sprint(w.ID) {
			for i := range r.N {
				if r.ID[i] != w.ID[i] || r.KScale[i] != w.KScale[i] || !bytes.Equal(r.K[i*fakeDK:][:fakeDK], w.K[i*fakeDK:][:fakeDK]) {
					t.Fatalf("entry %d of %d differs (run of %d from %d)", p+i, want.N, r.N, p)
				}
			}
			t.Fatalf("values of a run at %d differ", p)
		}
		p += r.N
	}
}

// wantView is the entries of parts, each read whole.
func wantView(m *Model, parts []media.Part) kvcache.Run {
	want := kvcache.NewRun(0, fakeDK, fakeDV)
	for _, p := range parts {
		r := direct(m, m.tok.Encode([]int32{tokenizer.BOS}, p.Text))
		want.N += r.N
		want.K = append(want.K, r.K...)
		want.V = append(want.V, r.V...)
		want.KScale = append(want.KScale, r.KScale...)
		want.VScale = append(want.VScale, r.VScale...)
		want.ID = append(want.ID, r.ID...)
	}
	return want
}

func mustRead(t *testing.T, c *Context, parts ...media.Part) {
	t.Helper()
	if err := c.Read(context.Background(), parts, nil); err != nil {
		t.Fatal(err)
	}
}
