package eval

import (
	"context"
	"math"
	"strings"
	"testing"
)

// The reference values are R's prop.test(correct = FALSE), to four decimals.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		ok, n     int
		low, high float64
	}{
		{0, 10, 0, 0.2775},
		{10, 10, 0.7225, 1},
		{5, 10, 0.2366, 0.7634},
		{95, 100, 0.8882, 0.9785},
		{997, 1000, 0.9912, 0.9990},
		{0, 0, 0, 1},
	} {
		low, high := Wilson(c.ok, c.n)
		if math.Abs(low-c.low) > 6e-5 || math.Abs(high-c.high) > 6e-5 {
			t.Errorf("%d of %d: %.4f – %.4f, want %.4f – %.4f", c.ok, c.n, low, high, c.low, c.high)
		}
	}
}

func TestScoring(t *testing.T) {
	found := func(s string) Answer { return Answer{Text: s, Found: true} }
	for name, c := range map[string]struct {
		p          Probe
		a          Answer
		ok, strict bool
	}{
		"equal":            {Probe{Expected: "12"}, found(" 12 "), true, true},
		"contained":        {Probe{Expected: "12"}, found("It is 12."), true, false},
		"case matters":     {Probe{Expected: "Ab"}, found("ab"), false, false},
		"other":            {Probe{Expected: "12"}, found("21"), false, false},
		"present denied":   {Probe{Expected: "12"}, Answer{Text: "12 is not in the context"}, false, false},
		"absent reported":  {Probe{Absent: true}, Answer{}, true, true},
		"absent made up":   {Probe{Absent: true}, found("12"), false, false},
		"broken over":      {Probe{Expected: "a b c.", Wrapped: true}, found("a\nb  c."), true, true},
		"lines must match": {Probe{Expected: "a b c."}, found("a\nb c."), false, false},
	} {
		var r Result
		score(&r, c.p, c.a)
		if r.OK != c.ok || r.Strict != c.strict {
			t.Errorf("%s: ok %v strict %v, want %v %v", name, r.OK, r.Strict, c.ok, c.strict)
		}
	}
}

func TestBands(t *testing.T) {
	g := Grid{Depths: []float64{0, 50, 100}}
	for depth, row := range map[float64]int{0: 0, 24: 0, 26: 1, 74: 1, 76: 2, 100: 2} {
		if got := g.Row(depth); got != row {
			t.Errorf("%v %% is in row %d, want %d", depth, got, row)
		}
	}
}

func TestNeedlesStandAtBoundaries(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		depth float64
		want  string // the text around the needle N
	}{
		"sentence":       {"One two three four. Five six seven eight nine.", 50, "four. N Five"},
		"end of line":    {"One two three four.\nFive six seven eight nine.", 50, "four. N\nFive"},
		"not after Mr.":  {"He saw Mr. Brown there and went on. Then he came back.", 25, "went on. N Then"},
		"not an initial": {"It was J. Brown who went on home. Then he came back.", 25, "home. N Then"},
		"code":           {"a := 1\nb := 2\nc := 3\nd := 4\n", 50, "2\nN\nc"},
		"start":          {"one two three four", 0, "N\none"},
		"end":            {"one two three four", 100, "four\nN"},
		"words":          {"one two three four", 50, "two N three"},
	} {
		b := &fakeBase{model: &fakeModel{}}
		if err := b.Append(context.Background(), Part{Text: []byte(c.text)}, nil); err != nil {
			t.Fatal(err)
		}
		ins, err := place(b, b.Tokens(), Needle{"N", c.depth})
		if err != nil {
			t.Fatal(err)
		}
		spliced, _ := b.Splice(context.Background(), b.Tokens(), []Insert{ins})
		if got := spliced.(*fakeContext).text; !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q in it", name, got, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	for n, want := range map[int]string{999: "999", 1000: "1k", 1500: "1.5k", 32000: "32k", 128_000: "128k",
		999_999: "1M", 1_000_000: "1M", 1_250_000: "1.2M", 10_000_000: "10M"} {
		if got := Tokens(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}
