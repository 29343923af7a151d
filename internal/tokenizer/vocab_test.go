package tokenizer

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func readBook(tb testing.TB) []byte {
	f, err := os.Open("../../../shared/corpus/train/bleak-house.txt.gz")
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	book, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return book
}

func TestTrain(t *testing.T) {
	// l+o and lo+w occur five times, the others twice; ties go to lower ids.
	v, err := Train([][]byte{[]byte("low low lower slow slow")}, NumSpecial+256+4, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range v.Pieces[NumSpecial+256:] {
		got = append(got, string(p))
	}
	if want := []string{"lo", "low", " s", " low"}; !slices.Equal(got, want) {
		t.Errorf("pieces %q, want %q", got, want)
	}
	if err := v.check(); err != nil {
		t.Error(err)
	}
}

func TestTrainIsDeterministic(t *testing.T) {
	texts := [][]byte{sources(), []byte("aaaa aaaa aaab")}
	v, err := Train(texts, 700, nil)
	if err != nil {
		t.Fatal(err)
	}
	done := 0
	w, err := Train(texts, 700, func(d, total int) {
		if d < done || total != 700-NumSpecial-256 {
			t.Errorf("progress %d of %d after %d", d, total, done)
		}
		done = d
	})
	if err != nil || !reflect.DeepEqual(v, w) || done != len(v.Merges) {
		t.Errorf("two trainings differ: %v, %d merges of %d reported", err, done, len(v.Merges))
	}
}

// TestTrainCounts checks that each merge takes a pair that is as frequent as
// any, by counting anew.
func TestTrainCounts(t *testing.T) {
	text := sources()[:20000]
	v, err := Train([][]byte{text}, NumSpecial+256+60, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range v.Merges {
		w := Vocab{Pieces: v.Pieces[:NumSpecial+256+i], Merges: v.Merges[:i], Special: v.Special}
		b, err := NewBPE(w)
		if err != nil {
			t.Fatal(err)
		}
		count := map[[2]int32]int{}
		for at := 0; at < len(text); {
			end := pretoken(text, at)
			ids := b.Encode(nil, text[at:end])
			for k := 1; k < len(ids); k++ {
				count[[2]int32{ids[k-1], ids[k]}]++
			}
			at = end
		}
		for p, n := range count {
			if n > count[m] {
				t.Fatalf("merge %d, %v, is of %d pairs; %v of %d", i, m, count[m], p, n)
			}
		}
	}
}

func TestTrainSizes(t *testing.T) {
	for _, size := range []int{-1, 0, NumSpecial + 255, maxVocab + 1} {
		if _, err := Train(nil, size, nil); err == nil {
			t.Errorf("trained a vocabulary of %d", size)
		}
	}
	v, err := Train([][]byte{[]byte("abc")}, 1000, nil)
	if err != nil || len(v.Merges) != 0 {
		t.Errorf("%d merges of pairs that occur once, error %v", len(v.Merges), err)
	}
}

// TestLongPiece: each piece is the one before it twice, up to the limit.
func TestLongPiece(t *testing.T) {
	v := newVocab(nil)
	for n := 2; n <= 2*maxPiece; n *= 2 {
		id := int32(len(v.Pieces) - 1)
		v.Merges = append(v.Merges, [2]int32{id, id})
		v.Pieces = append(v.Pieces, bytes.Repeat([]byte{255}, n))
		if _, err := NewBPE(v); (err == nil) != (n <= maxPiece) {
			t.Errorf("a piece of %d bytes: %v", n, err)
		}
	}
}

func TestStringsRoundTrip(t *testing.T) {
	v := trained().Vocab()
	tokens, merges := v.Strings()
	if tokens[BOS] != "<|bos|>" || tokens[NumSpecial+' '] != "Ġ" || tokens[NumSpecial+'\n'] != "Ċ" || tokens[NumSpecial+'a'] != "a" {
		t.Errorf("pieces are not in GPT-2's mapping: %q %q %q", tokens[BOS], tokens[NumSpecial+' '], tokens[NumSpecial+'\n'])
	}
	w, err := FromStrings(tokens, merges, v.Special)
	if err != nil || !reflect.DeepEqual(v, w) {
		t.Errorf("the vocabulary changed: %v", err)
	}
}

func TestFromStringsBroken(t *testing.T) {
	v := trained().Vocab()
	last := len(v.Pieces) - 1
	for name, c := range map[string]struct {
		change func(tokens, merges []string) ([]string, []string, int)
		says   string
	}{
		"special":       {func(tk, m []string) ([]string, []string, int) { return tk, m, len(tk) + 1 }, "special"},
		"negative":      {func(tk, m []string) ([]string, []string, int) { return tk, m, -1 }, "special"},
		"no bytes":      {func(tk, m []string) ([]string, []string, int) { return tk[:20], nil, 16 }, "256 bytes"},
		"missing merge": {func(tk, m []string) ([]string, []string, int) { return tk, m[1:], 16 }, "merges"},
		"merge order":   {func(tk, m []string) ([]string, []string, int) { m[0], m[9] = m[9], m[0]; return tk, m, 16 }, "merge 0"},
		"no space":      {func(tk, m []string) ([]string, []string, int) { m[3] = "ab"; return tk, m, 16 }, "merge 3"},
		"unknown piece": {func(tk, m []string) ([]string, []string, int) { m[3] = "zzzq x"; return tk, m, 16 }, "merge 3"},
		"not a byte":    {func(tk, m []string) ([]string, []string, int) { tk[last] = "漢"; return tk, m, 16 }, "漢"},
		"same piece":    {func(tk, m []string) ([]string, []string, int) { tk[last] = tk[last-1]; return tk, m, 16 }, "twice"},
		"bytes swapped": {func(tk, m []string) ([]string, []string, int) { tk[20], tk[21] = tk[21], tk[20]; return tk, m, 16 }, "byte"},
	} {
		tokens, merges := v.Strings()
		w, err := FromStrings(c.change(tokens, merges))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v does not say %q", name, err, c.says)
		}
		if _, err := NewBPE(w); err == nil {
			t.Errorf("%s: a BPE of the broken vocabulary", name)
		}
	}
}

func TestSpecialNames(t *testing.T) {
	names := SpecialNames()
	if len(names) != NumSpecial || names[Question] != "<|question|>" || names[Time] != "<|time|>" || names[15] != "<|reserved15|>" {
		t.Errorf("names %q", names)
	}
}

func FuzzFromStrings(f *testing.F) {
	v, err := Train([][]byte{[]byte("abab abab")}, NumSpecial+256+3, nil)
	if err != nil {
		f.Fatal(err)
	}
	tokens, merges := v.Strings()
	f.Add(strings.Join(tokens, "\n"), strings.Join(merges, "\n"), NumSpecial)
	f.Fuzz(func(t *testing.T, tokens, merges string, special int) {
		v, err := FromStrings(strings.Split(tokens, "\n"), strings.Split(merges, "\n"), special)
		if err != nil {
			return
		}
		b, err := NewBPE(v)
		if err != nil {
			t.Fatalf("a vocabulary was read that NewBPE refuses: %v", err)
		}
		if got := b.Decode(nil, b.Encode(nil, []byte(tokens))); string(got) != tokens {
			t.Fatalf("%q became %q", tokens, got)
		}
	})
}
