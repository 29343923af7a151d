package engine

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/media"
)

// A splice against a direct read of the same tokens, bit for bit.
func TestSpliceIsADirectRead(t *testing.T) {
	m, net := newFake()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 21))
		parts := randomParts(rng, 1+rng.IntN(4), 5000)
		c := NewContext(m, Options{chunk: blockTokens * (1 + rng.IntN(5)), Workers: 2})
		mustRead(t, c, parts...)
		length := 1 + rng.IntN(c.Tokens())
		if seed%5 == 0 {
			length = c.Tokens()
		}
		var inserts []Insert
		for i := range rng.IntN(5) {
			at := rng.IntN(length + 1)
			if i > 0 && rng.IntN(3) == 0 {
				at = inserts[0].At // two at one place, or near
			}
			inserts = append(inserts, Insert{At: at, Text: string(randomText(rng, rng.IntN(300)))})
		}
		net.made.Store(0)
		s, err := c.Splice(context.Background(), length, inserts...)
		if err != nil {
			t.Fatal(err)
		}
		inserted := 0
		for _, in := range inserts {
			inserted += len(testTokens.Encode(nil, []byte(in.Text)))
		}
		reach := fakeLead + fakeLookahead + blockTokens
		if most := int64(inserted + (len(inserts)+1)*reach); net.made.Load() > most {
			t.Errorf("seed %d: %d tokens read, at most %d are in reach", seed, net.made.Load(), most)
		}

		// Token by token: what a direct read would have seen.
		var segments [][]int32
		var texts []string
		base := 0
		for _, seg := range c.pages.Segments() {
			if base >= length {
				break
			}
			ids := appendIDs(nil, seg, 0, seg.Tokens())
			n := min(len(ids), length-base)
			var out []int32
			for i := 0; i <= n; i++ {
				for _, in := range inserts {
					at := max(in.At-base, 1)
					here := in.At >= base && (in.At < base+n || base+n == length)
					if here && at == i {
						out = append(out, testTokens.Encode(nil, []byte(in.Text))...)
					}
				}
				if i < n {
					out = append(out, ids[i])
				}
			}
			segments = append(segments, out)
			texts = append(texts, string(testTokens.Decode(nil, out)))
			base += n
		}
		got := s.pages.Segments()
		if len(got) != len(segments) {
			t.Fatalf("seed %d: %d segments, want %d", seed, len(got), len(segments))
		}
		for i, ids := range segments {
			sameView(t, got[i].View(), direct(m, ids))
			if string(got[i].Text) != texts[i] {
				t.Fatalf("seed %d: text of segment %d differs", seed, i)
			}
			at, line := int64(0), 0
			for k, b := range got[i].Blocks {
				if b.Offset != at || b.Line != line || b.Last != (k == len(got[i].Blocks)-1) {
					t.Fatalf("seed %d: block %d at byte %d, line %d; want %d, %d", seed, k, b.Offset, b.Line, at, line)
				}
				for _, id := range b.Run.ID {
					at += int64(len(testTokens.Piece(int32(id))))
					line += bytes.Count(testTokens.Piece(int32(id)), newline)
				}
			}
		}
		// The base is as it was.
		sameView(t, c.view, wantView(m, parts))
	}
}

func TestSplicedNeedleIsFound(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{chunk: 128})
	var lines []string
	for i := range 400 {
		lines = append(lines, fmt.Sprintf("line %d of the city.\n", i))
	}
	mustRead(t, c, media.Part{Source: "book", Text: []byte(strings.Join(lines, ""))})
	for _, depth := range []int{0, 30, 100} {
		length := c.Tokens() / 2
		at := c.Boundary(length * depth / 100)
		s, err := c.Splice(context.Background(), length, Insert{At: at, Text: "The secret = 4815\n"})
		if err != nil {
			t.Fatal(err)
		}
		a := ask(t, s, "The secret =")
		if a.Text != "4815" || len(a.Evidence) == 0 || !strings.Contains(a.Evidence[0].Quote, "The secret = 4815") {
			t.Errorf("depth %d: %+v", depth, a)
			continue
		}
		want := 1 + strings.Count(string(s.pages.Segments()[0].Text[:a.Evidence[0].Offset]), "\n")
		if a.Evidence[0].Line != want {
			t.Errorf("depth %d: line %d, want %d", depth, a.Evidence[0].Line, want)
		}
	}
}

func TestSpliceOutOfRange(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{})
	mustRead(t, c, media.Part{Source: "x", Text: []byte("some text")})
	for _, bad := range []struct {
		length, at int
	}{{0, 0}, {c.Tokens() + 1, 0}, {2, 3}, {2, -1}} {
		if _, err := c.Splice(context.Background(), bad.length, Insert{At: bad.at, Text: "x"}); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestBoundaryBeginsALineOrSentence(t *testing.T) {
	m, _ := newFake()
	c := NewContext(m, Options{chunk: 64})
	text := strings.Repeat("The city of Ulm. The number of it\nis 4815 and more. ", 40)
	mustRead(t, c, media.Part{Source: "x", Text: []byte(text)})
	for at := range c.Tokens() {
		b := c.Boundary(at)
		if b > at || b < 0 {
			t.Fatalf("boundary of %d is %d", at, b)
		}
		if b == 0 || b == 1 {
			continue
		}
		seg, _, token := c.locate(b)
		off := m.byteOffset(seg, token)
		if before := text[off-1]; before != '\n' && before != '.' {
			t.Fatalf("boundary of %d is %d, after %q", at, b, text[:off][max(0, off-10):])
		}
	}
}

func TestTextOfTokens(t *testing.T) {
	m, _ := newFake()
	rng := rand.New(rand.NewPCG(31, 1))
	c := NewContext(m, Options{chunk: 64})
	mustRead(t, c, randomParts(rng, 4, 900)...)
	var ids []int32
	for _, r := range c.view {
		for _, id := range r.ID {
			ids = append(ids, int32(id))
		}
	}
	for range 300 {
		from := rng.IntN(len(ids) + 1)
		to := from + rng.IntN(len(ids)-from+1)
		if got, want := c.Text(from, to), testTokens.Decode(nil, ids[from:to]); string(got) != string(want) {
			t.Fatalf("text of [%d, %d) is %q, want %q", from, to, got, want)
		}
	}
}
