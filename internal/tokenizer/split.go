package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// pretokenizer is how a family of byte-level BPE cuts text before merging. The
// names are those of GGUF's tokenizer.ggml.pre; the expressions above each
// matcher are the ones that the families publish with their vocabularies.
type pretokenizer struct {
	split func(text []byte, yield func([]byte))
	whole bool // a pre-token that is a token is not merged
}

var pretokenizers = func() map[string]pretokenizer {
	gpt2 := pretokenizer{split: passes(matchGPT2)}
	llama3 := pretokenizer{split: passes(modern{digits: 3}.match), whole: true}
	qwen2 := pretokenizer{split: passes(modern{digits: 1}.match)}
	gpt4o := pretokenizer{split: passes(modern{digits: 3, cased: true}.match)}
	return map[string]pretokenizer{
		"gpt-2": gpt2, "phi-2": gpt2, "llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3, "qwen2": qwen2, "gpt-4o": gpt4o,
		"falcon":  {split: passes(matchRun(falconPunct), matchGPT2, matchThreeDigits)},
		"default": {split: passes(matchRun(defaultPunct), matchGPT2, matchRun(unicode.IsNumber), matchThreeDigits)},
		"":        {split: passes(matchRun(defaultPunct), matchGPT2, matchRun(unicode.IsNumber), matchThreeDigits)},
		"deepseek-llm": {split: passes(matchLineEnd, matchSpaced(isCased), matchSpaced(deepseekPunct), matchLastSpace,
			matchRun(deepseekCJK), matchRun(unicode.IsNumber))},
	}
}()

// matcher returns the length of its match at the start of text[i:], or 0.
type matcher func(text []byte, i int) int

// passes cuts a text by one expression after the other: each cuts the pieces of
// the one before into matches and what stands between them.
func passes(list ...matcher) func([]byte, func([]byte)) {
	if len(list) == 0 {
		return func(text []byte, yield func([]byte)) { yield(text) }
	}
	match, rest := list[0], passes(list[1:]...)
	return func(text []byte, yield func([]byte)) {
		gap := 0 // where what is not matched begins
		for i := 0; i < len(text); {
			n := match(text, i)
			if n == 0 {
				_, n = utf8.DecodeRune(text[i:])
				i += n
				continue
			}
			if gap < i {
				rest(text[gap:i:i], yield)
			}
			rest(text[i:i+n:i+n], yield)
			i += n
			gap = i
		}
		if gap < len(text) {
			rest(text[gap:], yield)
		}
	}
}

// splitNewlines is [^\n]+|[\n]+.
func splitNewlines(text []byte, yield func([]byte)) {
	for from := 0; from < len(text); {
		to := from + 1
		for to < len(text) && (text[to] == '\n') == (text[from] == '\n') {
			to++
		}
		yield(text[from:to:to])
		from = to
	}
}

// runeAt decodes the character at i; size 0 at the end. A byte that is not UTF-8
// is a character of no class.
func runeAt(text []byte, i int) (r rune, size int) {
	if i >= len(text) {
		return -1, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(text[i:])
}

// runEnd returns the end of a run of characters of a class, at most limit of them;
// limit 0 is none.
func runEnd(text []byte, i, limit int, class func(rune) bool) int {
	for n := 0; limit == 0 || n < limit; n++ {
		r, size := runeAt(text, i)
		if size == 0 || !class(r) {
			break
		}
		i += size
	}
	return i
}

func isSymbol(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}

func isLineEnd(r rune) bool { return r == '\r' || r == '\n' }

// contraction matches 's|'t|'re|'ve|'m|'ll|'d.
func contraction(text []byte, i int, anyCase bool) int {
	lower := func(k int) byte {
		if k >= len(text) {
			return 0
		}
		c := text[k]
		if anyCase && c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return c
	}
	if lower(i) != '\'' {
		return 0
	}
	switch a, b := lower(i+1), lower(i+2); {
	case a == 's', a == 't', a == 'm', a == 'd':
		return 2
	case a == 'r' && b == 'e', a == 'v' && b == 'e', a == 'l' && b == 'l':
		return 3
	}
	return 0
}

// spaces matches \s+(?!\S)|\s+: a run of white space without its last character,
// if something follows and it is not the only one.
func spaces(text []byte, i int) int {
	end, last := i, i
	for {
		r, size := runeAt(text, end)
		if size == 0 {
			return end - i
		}
		if !unicode.IsSpace(r) {
			break
		}
		last = end
		end += size
	}
	if last > i {
		return last - i
	}
	return end - i
}

// matchGPT2 is 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+.
func matchGPT2(text []byte, i int) int {
	if n := contraction(text, i, false); n > 0 {
		return n
	}
	at := i
	if text[i] == ' ' {
		at++
	}
	r, size := runeAt(text, at)
	switch {
	case size == 0 || unicode.IsSpace(r):
		return spaces(text, i)
	case unicode.IsLetter(r):
		return runEnd(text, at, 0, unicode.IsLetter) - i
	case unicode.IsNumber(r):
		return runEnd(text, at, 0, unicode.IsNumber) - i
	}
	return runEnd(text, at, 0, isSymbol) - i
}

// modern is the family of expressions that began with GPT-4's:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}|
//	 ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// cased is GPT-4o's: words also end where small letters meet a capital, a
// contraction belongs to its word, and slashes may follow punctuation.
type modern struct {
	digits int
	cased  bool
}

func (m modern) match(text []byte, i int) int {
	if !m.cased {
		if n := contraction(text, i, true); n > 0 {
			return n
		}
	}
	first, size := runeAt(text, i)
	if n := m.word(text, i, first, size); n > 0 {
		return n
	}
	if unicode.IsNumber(first) {
		return runEnd(text, i, m.digits, unicode.IsNumber) - i
	}
	at := i
	if first == ' ' {
		at++
	}
	if r, n := runeAt(text, at); n > 0 && isSymbol(r) {
		end := runEnd(text, at, 0, isSymbol)
		return runEnd(text, end, 0, func(r rune) bool { return isLineEnd(r) || m.cased && r == '/' }) - i
	}
	// \s*[\r\n]+ takes white space up to the last line end of the run.
	end := runEnd(text, i, 0, unicode.IsSpace)
	for k := end - 1; k >= i; k-- {
		if text[k] == '\n' || text[k] == '\r' {
			return k + 1 - i
		}
	}
	return spaces(text, i)
}

// word matches letters with at most one other character before them.
func (m modern) word(text []byte, i int, first rune, size int) int {
	isWord := unicode.IsLetter
	if m.cased {
		isWord = func(r rune) bool { return isUpperLike(r) || isLowerLike(r) }
	}
	at := i
	if !isLineEnd(first) && !unicode.IsLetter(first) && !unicode.IsNumber(first) {
		if r, n := runeAt(text, i+size); n > 0 && isWord(r) {
			at = i + size
		}
	}
	if r, n := runeAt(text, at); n == 0 || !isWord(r) {
		return 0
	}
	if !m.cased {
		return runEnd(text, at, 0, unicode.IsLetter) - i
	}
	end := casedWord(text, at)
	return end + contraction(text, end, true) - i
}

// Letters of either case count as both, as do marks and letters without case.
func isUpperLike(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Lt, unicode.Lm, unicode.Lo, unicode.M)
}

func isLowerLike(r rune) bool { return unicode.In(r, unicode.Ll, unicode.Lm, unicode.Lo, unicode.M) }

// casedWord returns the end of upper*lower+, or else of upper+lower*, taken as
// long as they can be in this order.
func casedWord(text []byte, i int) int {
	upper := runEnd(text, i, 0, isUpperLike)
	if lower := runEnd(text, upper, 0, isLowerLike); lower > upper {
		return lower
	}
	// Give back capitals until what follows counts as small.
	for k := upper; k > i; {
		r, n := utf8.DecodeLastRune(text[i:k])
		if isLowerLike(r) {
			return k
		}
		k -= n
	}
	return upper
}

func falconPunct(r rune) bool { return defaultPunct(r) || r == '`' }

func defaultPunct(r rune) bool {
	switch r {
	case '$', '+', '<', '=', '>', '^', '~', '|':
		return true
	}
	return unicode.IsPunct(r)
}

// matchRun matches a run of a class.
func matchRun(class func(rune) bool) matcher {
	return func(text []byte, i int) int { return runEnd(text, i, 0, class) - i }
}

// matchSpaced matches \s?[class]+.
func matchSpaced(class func(rune) bool) matcher {
	return func(text []byte, i int) int {
		at := i
		if r, n := runeAt(text, i); unicode.IsSpace(r) {
			at += n
		}
		if end := runEnd(text, at, 0, class); end > at {
			return end - i
		}
		return 0
	}
}

// matchThreeDigits matches [0-9][0-9][0-9].
func matchThreeDigits(text []byte, i int) int {
	if end := runEnd(text, i, 3, func(r rune) bool { return r >= '0' && r <= '9' }); end == i+3 {
		return 3
	}
	return 0
}

// matchLineEnd matches [\r\n].
func matchLineEnd(text []byte, i int) int {
	if isLineEnd(rune(text[i])) {
		return 1
	}
	return 0
}

// matchLastSpace matches \s+$.
func matchLastSpace(text []byte, i int) int {
	if end := runEnd(text, i, 0, unicode.IsSpace); end == len(text) {
		return end - i
	}
	return 0
}

func isCased(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt) }

// deepseekPunct is [!-/:-~！-／：-～‘-‟　-。].
func deepseekPunct(r rune) bool {
	return r >= '!' && r <= '/' || r >= ':' && r <= '~' || r >= '！' && r <= '／' || r >= '：' && r <= '～' || r >= '‘' && r <= '‟' || r >= '\u3000' && r <= '。'
}

// deepseekCJK is [一-龥ࠀ-一가-퟿].
func deepseekCJK(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fa5 || r >= 0x0800 && r <= 0x4e00 || r >= 0xac00 && r <= 0xd7ff
}
