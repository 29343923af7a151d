package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
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

func TestBinaryRoundTrip(t *testing.T) {
	v := trained().Vocab()
	data, err := v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var w Vocab
	if err := w.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, w) {
		t.Error("the vocabulary changed")
	}
}

func TestBinaryBroken(t *testing.T) {
	v := trained().Vocab()
	data, err := v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	signed := func(b []byte) []byte {
		return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	}
	uint := binary.AppendUvarint
	head := func() []byte { return uint([]byte(vocabMagic), 0) }
	for n := range len(data) {
		broken(t, "cut", data[:n])
		if n < len(data)-4 {
			broken(t, "cut, then signed", signed(slices.Clone(data[:n])))
		}
	}
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	broken(t, "flipped bit", flipped)
	broken(t, "version 2", signed([]byte("HSVOCAB\x02\x00\x00")))
	broken(t, "too many names", signed(uint([]byte(vocabMagic), 1<<40)))
	broken(t, "long name", signed(uint(uint([]byte(vocabMagic), 1), 1<<30)))
	broken(t, "too many merges", signed(uint(head(), 1<<19)))
	broken(t, "later piece", signed(uint(uint(uint(head(), 1), 256), 0)))
	broken(t, "trailing bytes", signed(append(uint(head(), 0), 0)))
	broken(t, "same piece twice", signed(append(uint(head(), 2), 'a', 'b', 'a', 'b')))
	long := uint(head(), 9)
	long = append(long, 'a', 'a')
	for id := uint64(256); id < 264; id++ { // each piece is the last one twice
		long = uint(uint(long, id), id)
	}
	broken(t, "long piece", signed(long))
}

func broken(t *testing.T, name string, data []byte) {
	t.Helper()
	v := Vocab{Special: 77}
	err := v.UnmarshalBinary(data)
	var fe *FormatError
	if !errors.As(err, &fe) || fe.Offset > len(data) || v.Special != 77 {
		t.Errorf("%s: error %v, special %d", name, err, v.Special)
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

func FuzzUnmarshal(f *testing.F) {
	v, err := Train([][]byte{[]byte("abab abab")}, NumSpecial+256+3, nil)
	if err != nil {
		f.Fatal(err)
	}
	data, err := v.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:len(data)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		// Signed here, for the fuzzer to get past the checksum.
		data := binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.ChecksumIEEE(body))
		var v Vocab
		if v.UnmarshalBinary(data) != nil {
			return
		}
		if _, err := NewBPE(v); err != nil {
			t.Fatalf("a vocabulary was read that NewBPE refuses: %v", err)
		}
	})
}
