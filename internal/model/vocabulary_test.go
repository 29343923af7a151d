package model

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/gguf"
)

// TestGoldenVocabularies encodes reference texts to their reference ids.
func TestGoldenVocabularies(t *testing.T) {
	files, err := filepath.Glob("../../../shared/goldens/vocabs/*.gguf")
	if err != nil || len(files) == 0 {
		t.Skip("no golden vocabularies in ../../../shared/goldens/vocabs beside this checkout")
	}
	for _, path := range files {
		t.Run(strings.TrimPrefix(filepath.Base(path), "ggml-vocab-"), func(t *testing.T) {
			f, err := gguf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			v, err := LoadVocabulary(f)
			if err != nil {
				t.Fatal(err)
			}
			in, err := os.ReadFile(path + ".inp")
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.ReadFile(path + ".out")
			if err != nil {
				t.Fatal(err)
			}
			texts := bytes.Split(in, []byte("\n__ggml_vocab_test__\n"))
			lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
			if len(lines) < 40 || len(texts) < len(lines) {
				t.Fatalf("%d texts, %d lines of ids", len(texts), len(lines))
			}
			for i, line := range lines {
				var want []int32
				for _, s := range strings.Fields(line) {
					id, err := strconv.Atoi(s)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, int32(id))
				}
				got := v.Encode(nil, texts[i])
				if !slices.Equal(got, want) {
					t.Errorf("%q:\n got %v\nwant %v", texts[i], got, want)
				}
				checkBack(t, v, string(texts[i]))
			}
			for _, any := range []string{"\xff\xfe a\x80", "\x00\x01", strings.Repeat("\xf0", 70), strings.Repeat("x\xc3", 40), "<s></s><|endoftext|>"} {
				checkBack(t, v, any)
			}
		})
	}
}

// checkBack encodes and decodes a text: it comes back, with SentencePiece's space
// before it, and U+FFFD for bytes that the vocabulary has no token for.
func checkBack(t *testing.T, v *Vocabulary, text string) {
	t.Helper()
	back := string(v.Decode(nil, v.Encode(nil, []byte(text))))
	if v.AddBOS && v.BOS == 1 && text != "" {
		text = " " + text
	}
	if back != text && back != strings.NewReplacer("\xff", "\uFFFD", "\xfe", "\uFFFD").Replace(text) {
		t.Errorf("%q came back as %q", text, back)
	}
}
