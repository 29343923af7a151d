package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestPretokenizers: the bars are where a family cuts.
func TestPretokenizers(t *testing.T) {
	for _, c := range []struct{ pre, want string }{
		{"gpt-2", "I|'ve| been|,| 1234|  | told|\n|\n|x|_|y|'|S| don|'t|  "},
		{"gpt-2", "a|\n\n| b| !?|\t|c"},
		{"llama-bpe", "I|'VE| been|,| |123|4|  | told|\n\n|x|_y|'S|(abc|)\n|d|\t\t|\te|  "},
		{"qwen2", "a| |1|2|3|  \n\n| b| ...\n\n|end|!"},
		{"gpt-4o", "Don't| XMLHttp|Request|HTTP's| |123|45| http|://\n|a|/b|\n|/| ÉCOLEÉté| 数学| :|数"},
		{"falcon", "a| |123|456|7| b| c| |(|d|).`"},
		{"default", "ab| |123|456| c|$$|d"},
		{"deepseek-llm", "ab| Cd|1234| |中文字|!?|\n|\n|x|  "},
	} {
		text := strings.ReplaceAll(c.want, "|", "")
		var got []string
		pretokenizers[c.pre].split([]byte(text), func(w []byte) { got = append(got, string(w)) })
		if s := strings.Join(got, "|"); s != c.want {
			t.Logf("%s cuts\n%q, not\n%q", c.pre, s, c.want)
			t.Fail()
		}
	}
}

// TestPretokenizersLoseNothing: the pieces of any bytes are the bytes.
func TestPretokenizersLoseNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	alphabet := []string{"a", "B", "é", "1", "٣", " ", "\n", "\r", "\t", "\u00a0", "'", "s", "re", "!", "/", "_", "中", "ʼ", "\xff", "\xc3", "😁", "$"}
	for name, p := range pretokenizers {
		for range 200 {
			var b strings.Builder
			for range r.IntN(30) {
				b.WriteString(alphabet[r.IntN(len(alphabet))])
			}
			var got []byte
			p.split([]byte(b.String()), func(w []byte) {
				if len(w) == 0 {
					t.Fatalf("%s yields nothing in %q", name, b.String())
				}
				got = append(got, w...)
			})
			if string(got) != b.String() {
				t.Fatalf("%s made %q of %q", name, got, b.String())
			}
		}
	}
}

// byteTokens are the 256 bytes as GPT-2 writes them, and more.
func byteTokens(more ...string) []string {
	var out []string
	for b := range 256 {
		out = append(out, string(byteRunes[b]))
	}
	return append(out, more...)
}

func TestOpenBPE(t *testing.T) {
	src := Source{Model: "gpt2", Pre: "gpt-2", Tokens: byteTokens("ab", "abc", "bc", "<|end|>", "<tool>"), Merges: []string{"b c", "a b", "ab c"}}
	src.Types = slices.Repeat([]int32{1}, len(src.Tokens))
	src.Types[259], src.Types[260] = typeControl, typeUserDefined
	o, err := NewOpen(src)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		want []int32
	}{
		{"abc", []int32{'a', 258}}, // b c ranks before a b
		{"ab", []int32{256}},
		{"ab<|end|>", []int32{256, '<', '|', 'e', 'n', 'd', '|', '>'}},
		{"ab<tool>bc", []int32{256, 260, 258}},
		{"", nil},
	} {
		if got := o.Encode(nil, []byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
	if got := o.EncodeSpecial(nil, []byte("ab<|end|><tool>")); !slices.Equal(got, []int32{256, 259, 260}) {
		t.Errorf("with control tokens: %v", got)
	}
	if got := string(o.Decode(nil, []int32{256, 259, 260, 9999, -1})); got != "ab<tool>" {
		t.Errorf("decoded %q", got)
	}
	// A vocabulary that takes whole words first.
	src.Pre = "llama3"
	if o, err = NewOpen(src); err != nil {
		t.Fatal(err)
	}
	if got := o.Encode(nil, []byte("abc")); !slices.Equal(got, []int32{257}) {
		t.Errorf("whole word: %v", got)
	}
	// Long words go another way to the same tokens.
	long := strings.Repeat("abcab", 40)
	var want []int32
	for range 40 {
		want = append(want, 'a', 258, 256)
	}
	if got := o.Encode(nil, []byte(long)); !slices.Equal(got, want) {
		t.Errorf("long word: %v", got)
	}
}

func TestOpenSentencePiece(t *testing.T) {
	src := Source{
		Model: "llama", AddSpacePrefix: true,
		Tokens: []string{"<unk>", "<s>", "▁", "a", "b", "▁a", "ab", "▁ab", "é", "<0xC3>", "<0xFF>"},
		Types:  []int32{2, 3, 1, 1, 1, 1, 1, 1, 1, 6, 6},
		Scores: []float32{0, 0, -9, -9, -9, -2, -1, -3, -5, 0, 0},
	}
	o, err := NewOpen(src)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"ab": {7}, "aab": {5, 6}, "a b": {5, 2, 4}, "é": {2, 8}, "\xff": {2, 10}, "<s>": {2},
	} {
		if got := o.Encode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got := o.EncodeOn(nil, []byte("ab")); !slices.Equal(got, []int32{6}) {
		t.Errorf("after another text: %v", got)
	}
	src.Scores = src.Scores[:3]
	if _, err := NewOpen(src); err == nil || !strings.Contains(err.Error(), "3 scores") {
		t.Errorf("too few scores: %v", err)
	}
}

func TestOpenRejects(t *testing.T) {
	for says, src := range map[string]Source{
		"0 tokens":      {Model: "gpt2", Pre: "gpt-2"},
		`model "wpm"`:   {Model: "wpm", Tokens: []string{"a"}},
		`"odd" is not`:  {Model: "gpt2", Pre: "odd", Tokens: []string{"a"}},
		"1 token types": {Model: "gpt2", Pre: "gpt-2", Tokens: byteTokens(), Types: []int32{1}},
		"not name two":  {Model: "gpt2", Pre: "gpt-2", Tokens: byteTokens(), Merges: []string{"ab"}},
		"not tokens":    {Model: "gpt2", Pre: "gpt-2", Tokens: byteTokens(), Merges: []string{"a b"}},
		"no byte":       {Model: "llama", Tokens: []string{"x"}, Types: []int32{6}, Scores: []float32{0}},
	} {
		if _, err := NewOpen(src); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error that says %q, got %v", says, err)
		}
	}
}
