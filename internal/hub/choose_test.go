package hub

import (
	"errors"
	"strings"
	"testing"
)

func listing(names ...string) *Listing {
	l := &Listing{Repo: testRepo}
	for i, n := range names {
		l.Files = append(l.Files, File{Path: n, Size: int64(i + 1)})
	}
	return l
}

func names(c Choice) string {
	var s []string
	for _, f := range c {
		s = append(s, f.Path)
	}
	return strings.Join(s, " ")
}

func TestSelect(t *testing.T) {
	l := listing("README.md", "m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-IQ4_XS.gguf", "m-UD-Q4_K_XL.gguf", "m.Q8_0.GGUF", "m_f16.gguf",
		"mmproj-m-f16.gguf", "BF16/m-BF16-00002-of-00002.gguf", "BF16/m-BF16-00001-of-00002.gguf",
		"a/same.gguf", "b/same.gguf", "m-Q4_0_4_4.gguf", "m-Q4_0.gguf")
	const bf16 = "BF16/m-BF16-00001-of-00002.gguf BF16/m-BF16-00002-of-00002.gguf"
	for selector, want := range map[string]string{
		"q4_k_m":                          "m-Q4_K_M.gguf",
		"Q4_K_S":                          "m-Q4_K_S.gguf",
		"iq4_xs":                          "m-IQ4_XS.gguf",
		"q4_k_xl":                         "m-UD-Q4_K_XL.gguf",
		"UD-Q4_K_XL":                      "m-UD-Q4_K_XL.gguf",
		"Q8_0":                            "m.Q8_0.GGUF",
		"F16":                             "m_f16.gguf",
		"Q4_0":                            "m-Q4_0.gguf",
		"Q4_0_4_4":                        "m-Q4_0_4_4.gguf",
		"bf16":                            bf16,
		"m-BF16-00002-of-00002.gguf":      bf16,
		"BF16/m-BF16":                     bf16,
		"README.md":                       "README.md",
		"mmproj-m-f16.gguf":               "mmproj-m-f16.gguf",
		"a/same.gguf":                     "a/same.gguf",
		"b/same":                          "b/same.gguf",
		"m-Q4_K_M.gguf":                   "m-Q4_K_M.gguf",
		"BF16/m-BF16-00001-of-00002.gguf": bf16,
	} {
		got, err := l.Select(selector)
		if err != nil || names(got) != want {
			t.Errorf("%q: %q, %v; want %q", selector, names(got), err, want)
		}
	}
	for selector, want := range map[string]int{
		"": 11, "same": 2, "same.gguf": 0, "m": 8, // what it fits
		"Q4_K": 0, "Q4_XS": 0, "Q9": 0, "q4_k_m.gguf": 0, "mmproj": 0, "readme.md": 0, "\xff": 0,
	} {
		_, err := l.Select(selector)
		var e *SelectError
		if !errors.As(err, &e) || e.Fits != want {
			t.Errorf("%q: %v, want it to fit %d", selector, err, want)
			continue
		}
		if listed := len(e.Choices); listed != want && (want > 0 || listed != 11) {
			t.Errorf("%q: %d choices", selector, listed)
		}
	}
}

func TestSelectTheOnlyOne(t *testing.T) {
	c, err := listing("README.md", "m.gguf", "mmproj-F16.gguf").Select("")
	if err != nil || names(c) != "m.gguf" || c.Size() != 2 {
		t.Errorf("%q, %v", names(c), err)
	}
	c, err = listing("m-00002-of-00002.gguf", "m-00001-of-00002.gguf").Select("")
	if err != nil || names(c) != "m-00001-of-00002.gguf m-00002-of-00002.gguf" || c.Size() != 3 {
		t.Errorf("%q, %v", names(c), err)
	}
	_, err = listing("README.md").Select("")
	wantError(t, err, testRepo, "no GGUF models")
}

func TestSelectMissingParts(t *testing.T) {
	for _, test := range []struct {
		names []string
		says  string
	}{
		{[]string{"m-00001-of-00003.gguf", "m-00003-of-00003.gguf"}, "part 2 of 3 of m"},
		{[]string{"m-00002-of-00002.gguf"}, "part 1 of 2 of m"},
		{[]string{"m-00001-of-00002.gguf"}, "part 2 of 2 of m"},
		{[]string{"m-00000-of-00000.gguf"}, "a part of 00000"},
		{[]string{"m-00001-of-00001.gguf", "m-00002-of-00001.gguf"}, "2 parts instead of 1"},
		{[]string{"m-00001-of-00001.GGUF", "m-00001-of-00001.gguf"}, "2 parts instead of 1"},
	} {
		_, err := listing(test.names...).Select("")
		wantError(t, err, test.says)
		_, err = listing(test.names...).Select(test.names[0])
		wantError(t, err, test.says)
	}
}
