package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/kvcache"
	"github.com/handscroll/handscroll/internal/media"
)

func TestReadings(t *testing.T) {
	for _, c := range []struct {
		question, line, want string
		fit                  bool
	}{
		{"What is the secret word?", `The secret word is "harbour"`, "harbour", true},
		{"What is the secret word?", `TeamA 12 | The secref word is "harbour`, "harbour", true},
		{"What is the secret word?", `The seeret wordis "harbour"`, "harbour", true},
		{"What is the secret word?", `The secret word is harbour | 18:02`, "harbour", true},
		{"What is the secret word?", `The secret word is harbour" Total score 42`, "harbour", true},
		{"What is the secret word?", `The secret word is "harbour | Total "score" 42`, "harbour", true},
		{"What is the secret word?", `The secret word is"harbour Hotel`, "harbour Hotel", true},
		{"What is the secret word?", `Light | The secret word is | harbour"`, "harbour", true},
		{"What is the secret number?", `The secret word is "1704"`, "", false},
		{"What is the secret word?", `The secret number is "1704"`, "", false},
		{"What is the secret word?", `Autumn word hat code reads 3. Wants starts sacred`, "", false},
		{"What is the secret word?", `The secretword is "harbour"`, "harbour", true},
		{"Which player scored the perfect 50?", `Ravi Petrov | 10 10 10 10 10 | Total 50`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `Ravi Petrov | 9 8 10 10 10 | Total 47`, "", false},
		{"Which player scored the perfect 50?", `Ravi Petrov | Attempt 50`, "", false},
		{"Which player made attempt 50?", `Ravi Petrov | Attempt 50`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `STANDINGS | Player | Best | 1 Ravi Petrov | 50 | 2 Ann Lee | 49`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `STANDINGS | Player | Best | 1 Ann Lee | 51 | 2 ravi Petrov | 50`, "ravi Petrov", true},
		{"Which player scored the perfect 50?", `Ravi Petrov | 1010101010 | TOTAL50`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `Ravi Petrov | 1010101010 | 50points`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `Ravi Petrov | Attempt50`, "", false},
		{"Which player scored the perfect 50?", `Ravi Petrov | A50 | 1050 | total150`, "", false},
		{"Which player scored the perfect 50?", `RAVI PETROV | 10 10 10 10 10 | TOTAL SCORE 50`, "RAVI PETROV", true},
		{"Which player scored the perfect 50?", `RAVI PETROV | 10 10 10 10 10 | COTAL SCORC 50`, "RAVI PETROV", true},
		{"Which player scored the perfect 50?", `Ravi | 10 10 10 10 10 | Total score 50`, "Ravi", true},
		{"Who got 50 points?", `Tom Ellis 49 | George Best 50`, "George Best", true},
		{"Which player scored the perfect 50?", `Score 50 | Ravi Petrov`, "Ravi Petrov", true},
		{"Which player scored the perfect 50?", `PLAYER | BEST | 1 RAVI PETROV 2 ANN LEE | 50`, "ANN LEE", true},
		{"What is the secret word?", `Che secret luord is "harbour"`, "harbour", true},
		{"What is the secret word?", `The secret orb is "harbour"`, "harbour", true},
		{"What is the secret word?", `in a large crowd to the barn and sent word that they`, "", false},
		{"What does the sign say at gate 12?", `Gate 12 Boarding`, "Boarding", true},
		{"When did it rain?", `sunny`, "", false},
	} {
		words, total := wantedIn(c.question)
		fit, last := fitLine([]byte(c.line), words)
		if got := total > 0 && fit/total >= readFit; got != c.fit {
			t.Errorf("%s | %s: fit %.2f of %.2f", c.question, c.line, fit, total)
			continue
		}
		if c.fit {
			if got := valueOf(c.question, c.line, last); got != c.want {
				t.Errorf("%s | %s: %q, want %q", c.question, c.line, got, c.want)
			}
		}
	}
}

// filmOf is a context of what was read in frames, a second apart.
func filmOf(frames ...string) *Context {
	text, n := "", notes{Modality: media.Film.String()}
	for i, f := range frames {
		n.Marks = append(n.Marks, [3]int64{int64(len(text)), 0, int64(1000 * i)})
		text += fmt.Sprintf("00:%02d %s\n", i, f)
	}
	return &Context{text: []*kvcache.Segment{{Text: []byte(text), Blocks: []kvcache.Block{{Last: true}}}}, notes: []notes{n}}
}

// TestUsualName checks that a name which is misread in one place is spelled as in most
// others, and that names which only are alike stay apart.
func TestUsualName(t *testing.T) {
	for _, c := range []struct {
		frames []string
		want   string
		mark   int
	}{
		{[]string{"Clara Jumhoxmad | 50", "1 CLARA JUMHOXXAD | 2 Tom Lee", "Clara Jumhoxxad | 49", "Clara Jumhoxxad | 41"}, "Clara Jumhoxxad", 2},
		{[]string{"Clara Jumhoxmad | 50", "Clara Jumhoxxad | 49", "Clara Jumhoxxad | 41"}, "", 0},                                  // twice is not enough
		{[]string{"Anna Reid | 50", "Anna Reid | 9", "Anna Reed | 49", "Anna Reed | 41", "Anna Reed | 4", "Anna Reed | 4"}, "", 0}, // two people
		{[]string{"Anna Reid | 50", "Tom Lee | 49", "Tom Lee | 41", "Tom Lee | 40"}, "", 0},
		{[]string{"Chra Com | 50", "1 Clara Cloud | 50 | 2 Tom Lee | 49", "1 clara Cloud | 50", "Clara Cloud | 50"}, "Clara Cloud", 1},
		{[]string{"Chra Com | 50", "Clara Cloud | 50", "Clara Cloud | 50"}, "", 0},
	} {
		usual, where := filmOf(c.frames...).usually("Which player scored the perfect 50?", 0, c.frames[0][:strings.Index(c.frames[0], " |")])
		if usual != c.want || (where != nil) != (c.want != "") || where != nil && where.mark != c.mark {
			t.Errorf("%q: %q, %+v", c.frames, usual, where)
		}
	}
}

// TestSteadyText checks that of frames that show one text the answer is one that most
// agree on, and that other texts have no voice.
func TestSteadyText(t *testing.T) {
	for _, c := range []struct {
		question string
		frames   []string
		want     string
		mark     int
	}{
		{"Which player scored the perfect 50?", []string{"", "Ravi Hangdup | 50", "Ravi Xangdup | 50", "-", "Ravi Xangdup | 50 | 9", "Ann Lee | 49"}, "Ravi Xangdup", 2},
		{"Which player scored the perfect 50?", []string{"Ravi Xangdup | 50", "Ann Lee | 50", "Ann Lee | 50"}, "Ravi Xangdup", 0},
		{"What is the secret word?", []string{`The secret word is "harbour"`, `The secret word is "harbcur"`}, "harbour", 0},
		{"What is the secret word?", []string{`The secret word is "harbcur"`, `The secret word is "harbour"`, `The secret word is "harhour"`}, "harbour", 1},
	} {
		ctx := filmOf(c.frames...)
		l := ctx.readLine(c.question)
		if l == nil {
			t.Fatalf("%s: nothing found in %q", c.question, c.frames)
		}
		l = ctx.steadiest(c.question, l)
		if got := valueOf(c.question, ctx.lineText(l), l.last); got != c.want || l.mark != c.mark {
			t.Errorf("%q: %q in frame %d, want %q in %d", c.frames, got, l.mark, c.want, c.mark)
		}
	}
}

func TestLikeness(t *testing.T) {
	for _, c := range []struct {
		read, word string
		least, top float32
	}{
		{"secret", "secret", 1, 1}, {"secref", "secret", 0.8, 0.9}, {"wordis", "word", 0.6, 0.9},
		{"sword", "word", 0.75, 0.85}, {"ham", "word", 0, 0.3}, {"", "word", 0, 0},
	} {
		if got := likeness(c.read, wanted{text: c.word}); got < c.least || got > c.top {
			t.Errorf("%s like %s: %g, want %g to %g", c.read, c.word, got, c.least, c.top)
		}
	}
	if likeness("51", wanted{text: "50", number: true}) != 0 {
		t.Error("51 is like 50")
	}
}

func TestAsksWhen(t *testing.T) {
	for _, q := range []string{"When does it rain?", "At what time is harbour said?", "which second shows it?", "how far into the film is it?"} {
		if !asksWhen.MatchString(q) {
			t.Errorf("%s does not ask when", q)
		}
	}
	for _, q := range []string{"What is the time zone?", "Who came when it rained?", strings.Repeat("x", 10)} {
		if asksWhen.MatchString(q) {
			t.Errorf("%s asks when", q)
		}
	}
}
