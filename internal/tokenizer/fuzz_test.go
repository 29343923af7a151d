package tokenizer

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// FuzzOpen: no vocabulary, however odd, and no text make a tokenizer panic or give
// an id outside of the vocabulary, and a byte-level one loses nothing. A vocabulary
// is lines of tokens, merges and scores.
func FuzzOpen(f *testing.F) {
	for i, model := range []string{"gpt2", "llama", "gemma4"} {
		f.Add(byte(i), byte(i), "a\nb\nab\n<s>\n▁\n<0x41>\n ", "a b\nab c", []byte("ab <s> é\xff"))
		f.Add(byte(i), byte(7), model, "a", []byte("don't 1234 \n\n"))
	}
	var pres []string
	for name := range pretokenizers {
		pres = append(pres, name)
	}
	slices.Sort(pres)
	f.Fuzz(func(t *testing.T, kind, pre byte, tokens, merges string, text []byte) {
		src := Source{
			Model: []string{"gpt2", "llama", "gemma4"}[kind%3], Pre: pres[int(pre)%len(pres)],
			Tokens: strings.Split(tokens, "\n"), Merges: strings.Split(merges, "\n"), AddSpacePrefix: pre%2 == 0,
		}
		whole := kind%3 == 0 && pre >= 128
		if whole {
			src.Tokens = byteTokens(src.Tokens...)
			if slices.Contains(src.Tokens[256:], "") || len(src.Tokens) != len(unique(src.Tokens)) {
				return
			}
			src.Merges = nil
		}
		for i := range src.Tokens {
			src.Types = append(src.Types, int32(1+(i+int(kind))%6))
			src.Scores = append(src.Scores, float32((i*37)%11)-5)
		}
		if whole {
			src.Types = slices.Repeat([]int32{1}, len(src.Tokens))
		}
		o, err := NewOpen(src)
		if err != nil {
			return
		}
		for _, ids := range [][]int32{o.Encode(nil, text), o.EncodeSpecial(nil, text)} {
			for _, id := range ids {
				if id < 0 || int(id) >= o.Size() {
					t.Fatalf("id %d of %d", id, o.Size())
				}
			}
			if got := o.Decode(nil, ids); whole && !bytes.Equal(got, text) {
				t.Fatalf("%q came back as %q", text, got)
			}
		}
	})
}

func unique(list []string) []string {
	list = slices.Sorted(slices.Values(list))
	return slices.Compact(list)
}
