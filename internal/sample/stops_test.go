package sample

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestStops(t *testing.T) {
	for _, c := range []struct {
		stops  string // separated by "|"
		pieces []string
		shown  []string // after each piece, then at the end
		met    string
	}{
		{"END", []string{"a", "EN", "x", "E", "ND", "b"}, []string{"a", "", "ENx", "", "", "", ""}, "END"},
		{"END", []string{"aE"}, []string{"a", "E"}, ""},
		{"", []string{"a\xc3", "\xa9\xf0\x9d", "\x84\x9e"}, []string{"a", "é", "𝄞", ""}, ""},
		{"", []string{"\xc3", "a\xff\xf0\x9d"}, []string{"", "\ufffda\ufffd", "\ufffd\ufffd"}, ""},
		{"abcd|bc", []string{"ab", "cd"}, []string{"", "a", ""}, "bc"},
		{"abc|bc|c", []string{"xab", "c"}, []string{"x", "", ""}, "abc"},
		{"aab", []string{"aaa", "ab"}, []string{"a", "a", ""}, "aab"},
		{"abab", []string{"aba", "cabab"}, []string{"", "abac", ""}, "abab"},
		{"\n\n|\nUser:", []string{"hi\n", "Us", "\n", "\n"}, []string{"hi", "", "\nUs", "", ""}, "\n\n"},
		{"é", []string{"x\xc3", "\xa9y"}, []string{"x", "", ""}, "é"},
		{"é", []string{"x\xc3", "\xa8y"}, []string{"x", "èy", ""}, ""},
		{"z", []string{"\xf0\x9d", "z"}, []string{"", "\ufffd\ufffd", ""}, "z"},
		{"é", []string{"\xe2\x82", "\xc3", "x"}, []string{"", "", "\ufffd\ufffd\ufffdx", ""}, ""},
	} {
		var stops []string
		if c.stops != "" {
			stops = strings.Split(c.stops, "|")
		}
		s, err := NewStops(stops)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range c.pieces {
			if got := s.Add([]byte(p)); got != c.shown[i] {
				t.Errorf("%q, %q: piece %d shows %q, want %q", c.stops, c.pieces, i, got, c.shown[i])
			}
		}
		if got := s.Flush(); got != c.shown[len(c.pieces)] || s.Met() != c.met {
			t.Errorf("%q, %q: %q at the end, met %q", c.stops, c.pieces, got, s.Met())
		}
	}
	for _, bad := range []string{"", "\xff"} {
		if _, err := NewStops([]string{"a", bad}); err == nil || !strings.Contains(err.Error(), "stop string 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestStopsChunks: the text does not depend on how the bytes are cut, and is what
// a look at all of them says.
func TestStopsChunks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	bits := []string{"a", "b", "ab", "é", "\xc3", "\xa9", "\xe2\x82", "𝄞", "\xf0\x9d", "\xff", "\n"}
	draw := func(n int) (s string) {
		for range n {
			s += bits[r.IntN(len(bits))]
		}
		return s
	}
	met := 0
	for range 3000 {
		var stops []string
		for len(stops) < r.IntN(4) {
			if s := strings.ToValidUTF8(draw(1+r.IntN(4)), ""); s != "" {
				stops = append(stops, s)
			}
		}
		text := draw(r.IntN(25))
		want, wantMet := text, ""
	search:
		for end := range len(text) + 1 {
			for from := range end { // the longest first
				for _, s := range stops {
					if text[from:end] == s {
						want, wantMet = text[:from], s
						break search
					}
				}
			}
		}
		want = string([]rune(want)) // U+FFFD for each byte that is not UTF-8
		if wantMet != "" {
			met++
		}
		for range 4 {
			s, err := NewStops(stops)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for rest := text; rest != ""; {
				n := 1 + r.IntN(len(rest))
				got += s.Add([]byte(rest[:n]))
				if !strings.HasPrefix(want, got) {
					t.Fatalf("%q, stops %q: showed %q of %q", text, stops, got, want)
				}
				rest = rest[n:]
			}
			got += s.Flush()
			if got != want || s.Met() != wantMet {
				t.Fatalf("%q, stops %q: %q met %q, want %q met %q", text, stops, got, s.Met(), want, wantMet)
			}
		}
	}
	if met < 300 {
		t.Errorf("only %d texts met a stop string", met)
	}
}
