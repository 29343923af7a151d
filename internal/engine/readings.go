package engine

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/handscroll/handscroll/internal/media"
)

// The orthographic prior: what was read in pictures has letters that are wrong,
// over which the words of a question are matched. It is to pictures what the
// lexical prior is to text.
const (
	// readFit is the share of a question's words, by weight, from which a line is
	// about it.
	readFit = 0.7
	// readWord is the likeness from which a word counts as read; half will do if it
	// is as long, give or take a letter.
	readWord = 0.65
	// readNumber is what a number weighs beside a word.
	readNumber = 3
)

// shown are further words of questions about pictures.
var shown = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`appear appears appeared see seen sees visible screen picture frame scene sign text line player scored
		score scores got gets given gave person man woman team read reads written`) {
		m[w] = true
	}
	return m
}()

// counting are words that say what a number counts: after one that the question
// lacks, a number is not the question's ("Attempt 50" is no score of 50).
var counting = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`attempt try turn round page chapter part line row seat room number no lap set game match quarter period
		level episode season channel day week year step item heat lane gate platform track question figure table section`) {
		m[w] = true
	}
	return m
}()

// asksWho matches questions whose answer is a name.
var asksWho = regexp.MustCompile(`(?i)^\s*(who\b|which (player|person|man|woman|team|one)\b|whose\b|what is the name of the (player|person))`)

// wanted is a word of a question.
type wanted struct {
	text   string
	folded string // by looksLike
	weight float32
	number bool
}

func wantedIn(question string) (out []wanted, total float32) {
	for _, w := range strings.FieldsFunc(strings.ToLower(question), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\''
	}) {
		w = strings.TrimSuffix(strings.Trim(w, "'"), "'s")
		n := wanted{text: w, folded: looksLike.Replace(w), weight: 1, number: w != "" && strings.Trim(w, "0123456789") == ""}
		if n.number {
			n.weight = readNumber
		}
		if w == "" || shown[w] || unheard[w] && w != "word" {
			continue
		}
		out = append(out, n)
		total += n.weight
	}
	return out, total
}

// lineRead is a line of a picture that is about a question.
type lineRead struct {
	segment  int // of Context.text
	mark     int // of its notes: which frame or picture
	from, to int // of its text, without the clock
	fit      float32
	last     int // where in it the words end that the question has, −1 none
}

// read finds the line that was read in a picture and has most of a question's
// words; of equals the first. It returns nil if none has enough.
func (c *Context) readLine(question string) *lineRead {
	words, total := wantedIn(question)
	if total == 0 {
		return nil
	}
	var best *lineRead
	for i, s := range c.text {
		if m := c.notes[i].Modality; m != media.Film.String() && m != media.Picture.String() || !s.Done() {
			continue
		}
		for j := range c.notes[i].Marks {
			if l := c.lineAt(i, j, words, total); l.fit >= readFit && (best == nil || l.fit > best.fit+1e-3) {
				best = &l
			}
		}
	}
	return best
}

// lineAt is what was read in a segment's frame or picture, and how it fits words of a
// question that weigh total together.
func (c *Context) lineAt(segment, mark int, words []wanted, total float32) lineRead {
	text, marks := c.text[segment].Text, c.notes[segment].Marks
	l := lineRead{segment: segment, mark: mark, from: int(marks[mark][0]), to: len(text)}
	if mark+1 < len(marks) {
		l.to = int(marks[mark+1][0])
	}
	if marks[mark][2] >= 0 { // after its clock
		if k := bytes.IndexByte(text[l.from:l.to], ' '); k >= 0 {
			l.from += k + 1
		}
	}
	l.fit, l.last = fitLine(text[l.from:l.to], words)
	l.fit /= total
	return l
}

const (
	// lasting is how many frames before and after one are looked at for the same
	// text, and sameText the likeness of answers that are one and the same.
	lasting  = 12
	sameText = 0.6
)

// steadiest returns the one of successive frames that show the same text as best
// whose answer is most like those of the others: what is misread in one of them is
// seldom misread in most.
func (c *Context) steadiest(question string, best *lineRead) *lineRead {
	words, total := wantedIn(question)
	value := func(l *lineRead) string {
		return strings.ToLower(valueOf(question, c.lineText(l), l.last))
	}
	own := value(best)
	lines, values := []*lineRead{best}, []string{own}
	for _, step := range []int{-1, 1} {
		for mark := best.mark + step; mark >= 0 && mark < len(c.notes[best.segment].Marks) && step*(mark-best.mark) <= lasting; mark += step {
			l := c.lineAt(best.segment, mark, words, total)
			if l.fit < readFit {
				continue // another text may have come between, or this one was not read
			}
			if v := value(&l); alike(v, own) >= sameText {
				lines, values = append(lines, &l), append(values, v)
			}
		}
	}
	top := float32(-1)
	for i, v := range values {
		sum := float32(0)
		for _, other := range values {
			sum += alike(v, other)
		}
		if sum > top+1e-3 {
			top, best = sum, lines[i]
		}
	}
	return best
}

// lineText is what a line says.
func (c *Context) lineText(l *lineRead) string {
	return strings.TrimRight(string(c.text[l.segment].Text[l.from:l.to]), "\n")
}

// lineWord is a word of a line, in small letters.
type lineWord struct {
	text string
	end  int
}

func wordsOf(line []byte) (out []lineWord) {
	text := strings.ToLower(string(line))
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for at := 0; at < len(text); {
		n := strings.IndexFunc(text[at:], inWord)
		if n < 0 {
			break
		}
		at += n
		stop := len(text)
		if n = strings.IndexFunc(text[at:], func(r rune) bool { return !inWord(r) }); n >= 0 {
			stop = at + n
		}
		out = append(out, lineWord{text[at:stop], stop})
		at = stop
	}
	return out
}

// apart is what words cost, of their weight, that follow one another in a question
// but not in a line.
const apart = 0.35

// fitLine adds up how well the words of a question are in a line, in their order
// and side by side as far as they are in the question, and returns where the last
// of them ends.
func fitLine(line []byte, words []wanted) (fit float32, last int) {
	last = -1
	if len(line) < 3 {
		return 0, last
	}
	type way struct {
		fit       float32
		word, end int
	}
	var ways []way // that end with a word of the question at a word of the line, in its order
	asked := func(word string) bool {
		return slices.ContainsFunc(words, func(w wanted) bool { return w.text == word })
	}
	before := ""
	for at, t := range wordsOf(line) {
		counted := counting[before] && !asked(before)
		before = t.text
		var fresh []way
		for j, w := range words {
			like := likeness(t.text, w)
			least := float32(readWord)
			if d := len(t.text) - len(w.text); -1 <= d && d <= 1 {
				least = 0.5
			}
			if like < least || w.number && counted {
				continue
			}
			best := way{like * w.weight, j, at}
			for _, v := range ways {
				if v.word >= j {
					continue
				}
				sum := v.fit + like*w.weight
				if v.word != j-1 || at-v.end > 1 {
					sum -= apart * w.weight
				}
				best.fit = max(best.fit, sum)
			}
			// Two words of a question may be read as one.
			for _, v := range fresh {
				if v.word == j-1 {
					best.fit = max(best.fit, v.fit+like*w.weight)
				}
			}
			fresh = append(fresh, best)
			if best.fit > fit || best.fit == fit && last < 0 {
				fit, last = best.fit, t.end
			}
		}
		ways = append(ways, fresh...)
	}
	return fit, last
}

// likeness is 1 for equal words and falls with the letters that differ; for numbers see
// likeNumber. A word may be read as one with what stands beside it.
func likeness(read string, w wanted) float32 {
	if w.number {
		return likeNumber(read, w.text)
	}
	like := alike(read, w.text)
	if like == 1 {
		return like
	}
	return max(like, alike(looksLike.Replace(read), w.folded))
}

// likeNumber is the likeness of a word to a number, which may stand at its end or its
// beginning: "total50", "50points".
func likeNumber(read, number string) float32 {
	if read == number {
		return 1
	}
	const beside = 3 // letters at least
	rest, ok := strings.CutSuffix(read, number)
	if !ok {
		rest, ok = strings.CutPrefix(read, number)
	}
	if ok && len(rest) >= beside && !strings.ContainsAny(rest, "0123456789") && !counting[rest] {
		return 0.95
	}
	return 0
}

// looksLike brings letters that look like others side by side into one form.
var looksLike = strings.NewReplacer("uu", "w", "vv", "w", "lu", "w", "iu", "w", "1u", "w", "ui", "w", "rn", "m", "nn", "m", "cl", "d", "0", "o", "1", "l", "5", "s")

// alike is the likeness of two words in small letters.
func alike(read, text string) float32 {
	if len(read) > len(text)+2 && len(text) >= 4 && strings.Contains(read, text) {
		return 0.9
	}
	if d := len(read) - len(text); d > 3 || d < -3 {
		return 0
	}
	row := make([]int, len(text)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(read) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(text) {
			cost := diagonal
			if read[i] != text[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return max(0, 1-float32(row[len(text)])/float32(max(len(read), len(text))))
}

var (
	// Of two quotation marks one may not have been read.
	quotedText = regexp.MustCompile(`["']([^"'|]{2,40})["']?|([^\s"'|]{2,40})["'](?:\s|$)`)
	properName = regexp.MustCompile(`[A-Z][a-z]+(?: [A-Z][a-z]+)+|[A-Z]{2,}(?: [A-Z]{2,})+|[A-Z][a-z]{2,}|[A-Z]{3,}`)
	oneValue   = regexp.MustCompile(`^[^|.,;]+`)
)

// valueOf takes the answer out of a line: what stands between quotation marks, or
// after the words of the question and what connects them, or before.
func valueOf(question, line string, last int) string {
	if asksWho.MatchString(question) {
		if name := nameIn(question, line); name != "" {
			return name
		}
	}
	for _, text := range []string{line[max(0, min(last, len(line))):], line} {
		if m := quotedText.FindStringSubmatch(text); m != nil {
			return strings.TrimSpace(m[1] + m[2])
		}
	}
	rest := strings.TrimLeft(line[max(0, min(last, len(line))):], " :=|\"'-")
	for {
		word, after, _ := strings.Cut(rest, " ")
		if !connecting[strings.ToLower(strings.Trim(word, ":,"))] || after == "" {
			break
		}
		rest = strings.TrimLeft(after, " :=|\"'")
	}
	if v := strings.Trim(oneValue.FindString(rest), " \"'\n"); v != "" {
		return v
	}
	return strings.TrimSpace(line)
}

// nameCell matches a cell of a table, or a line of a card, that is a name, with or
// without its rank.
var nameCell = regexp.MustCompile(`^ *(?:[0-9]{1,2}[.)]? ?)?([A-Za-z][a-z'-]+(?: [A-Za-z][A-Za-z'-]+){1,2}) *$`)

// labels are words that stand beside names and numbers and are seldom either.
var labels = strings.Fields("total score scores points standings attempt player")

// isLabel says whether a name is rather a label, as it was read.
func isLabel(name string) bool {
	for _, t := range wordsOf([]byte(name)) {
		if slices.ContainsFunc(labels, func(l string) bool { return alike(t.text, l) >= 0.75 }) {
			return true
		}
	}
	return false
}

// nameIn returns the name in a line that the question asks for: not one of its own
// words, rather two words than one, rather no label, and the closest to its number if
// it has one, rather before it than after, as in tables; "" if there is none.
func nameIn(question, line string) string {
	words, _ := wantedIn(question)
	number := -1 // where it is
	for _, t := range wordsOf([]byte(line)) {
		if slices.ContainsFunc(words, func(w wanted) bool { return w.number && likeNumber(t.text, w.text) > 0 }) {
			number = t.end - len(t.text)
			break
		}
	}
	name, least := "", 0
	for _, at := range namesIn(line) {
		found := line[at[0]:at[1]]
		if fit, _ := fitLine([]byte(found), words); fit > 0 {
			continue
		}
		away := 0
		if number >= 0 {
			away = number - at[1]
			if away < 0 {
				away = 2 * (at[0] - number)
			}
		}
		if !strings.Contains(found, " ") {
			away += 2 * len(line)
		}
		if isLabel(found) {
			away += 4 * len(line)
		}
		if name == "" || away < least {
			name, least = found, away
		}
	}
	return name
}

// namesIn returns where names stand in a line, from and to.
func namesIn(line string) (names [][2]int) {
	for _, at := range properName.FindAllStringIndex(line, -1) {
		from := strings.LastIndexByte(line[:at[0]], '|') + 1
		to := len(line)
		if n := strings.IndexByte(line[at[1]:], '|'); n >= 0 {
			to = at[1] + n
		}
		name := [2]int{at[0], at[1]}
		if m := nameCell.FindStringSubmatchIndex(line[from:to]); m != nil {
			name = [2]int{from + m[2], from + m[3]} // one of its words may have been read without its capital
		}
		names = append(names, name)
	}
	return names
}

const (
	// sameName is the likeness from which a name may be another one misread, and
	// oftener how many times as often that one must be read.
	sameName, oftener = 0.8, 3
)

// usually returns how a name that answers a question is read in most frames of a film,
// and one that says so: who is shown once is shown often, in other letters, and is
// seldom misread in the same way. Frames have a voice that show a name like it, which
// may be another's, or one that answers the question too: the one that is read much
// oftener is right. It returns nil if the name is as it mostly is.
func (c *Context) usually(question string, segment int, name string) (usual string, where *lineRead) {
	words, total := wantedIn(question)
	type reading struct {
		name string
		n    int
		mark int
	}
	own := strings.ToLower(name)
	all := map[string]*reading{}
	for mark := range c.notes[segment].Marks {
		l := c.lineAt(segment, mark, words, total)
		line := c.lineText(&l)
		answer := ""
		if l.fit >= readFit {
			answer = nameIn(question, line)
		}
		for _, at := range namesIn(line) {
			text := line[at[0]:at[1]]
			lower := strings.ToLower(text)
			if text != answer && alike(own, lower) < sameName {
				continue
			}
			r := all[lower]
			if r == nil {
				r = &reading{name: text, mark: mark}
				all[lower] = r
			}
			if r.n++; r.name == strings.ToUpper(r.name) { // rather as people write it
				r.name, r.mark = text, mark
			}
		}
	}
	least := 1
	if r := all[own]; r != nil {
		least = r.n
	}
	var best *reading
	for _, r := range all {
		if r.n >= oftener*least && (best == nil || r.n > best.n || r.n == best.n && r.mark < best.mark) {
			best = r
		}
	}
	if best == nil || strings.EqualFold(best.name, name) {
		return "", nil
	}
	l := c.lineAt(segment, best.mark, words, total)
	return best.name, &l
}

// readAnswer answers from a line that was read in a picture or film.
func (c *Context) readAnswer(question string, begin time.Time) *sensedAnswer {
	l := c.readLine(question)
	if l == nil {
		return nil
	}
	if !asksWhen.MatchString(question) {
		l = c.steadiest(question, l)
	}
	s, line := c.text[l.segment], c.lineText(l)
	_, at := c.notes[l.segment].place(int64(l.from))
	text := valueOf(question, line, l.last)
	evidence := []Evidence{c.shown(l)}
	switch {
	case asksWhen.MatchString(question):
		if at >= 0 {
			text = Clock(at)
		}
	case asksWho.MatchString(question) && at >= 0:
		if usual, where := c.usually(question, l.segment, text); where != nil {
			text, where.fit = usual, l.fit
			evidence = append(evidence, c.shown(where))
		}
	}
	return &sensedAnswer{source: s.Source, at: at, fit: l.fit, read: true, Answer: &Answer{
		Text: text, Found: true, Evidence: evidence,
		Prompt: c.Tokens() + c.model.CountTokens([]byte(question)), Cached: c.cached, Tokens: c.model.CountTokens([]byte(text)),
		Read: c.read, Answer: time.Since(begin),
	}}
}

// shown is a line as evidence.
func (c *Context) shown(l *lineRead) Evidence {
	s := c.text[l.segment]
	page, at := c.notes[l.segment].place(int64(l.from))
	return Evidence{
		Source: s.Source, Line: lineOf(s, int64(l.from)), Offset: int64(l.from), Quote: c.lineText(l), Weight: l.fit, Page: page, Time: at,
	}
}
