package render

import (
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

var (
	adjectives = strings.Fields(`secret magic hidden first last special golden ancient quiet sacred final missing
		lucky true little brave bright broken calm clever cold crimson curious dark deep distant early empty
		famous fresh frozen gentle giant green happy heavy hollow honest humble lazy lonely long lost loud
		narrow new noble old pale plain proud purple quick rapid rare red rich round rusty sharp shiny short
		silent silver simple slow small smooth soft solid strange strong sweet swift tall tender thin tiny
		urgent warm wide wild wise yellow young open private public national local official daily annual`)
	nouns = strings.Fields(`word needle code key name colour number city animal fruit river password answer
		apple arrow autumn balloon basket beach bear bell bird boat book bottle bridge camera candle castle
		cat cave chair chapter cloud coast coffee corner crown desk dinner doctor door dragon dream eagle
		engine evening farm feather field film finger fire flower forest fox friend garden glass gold grass
		hammer harbour hat heart hill honey horse house island jacket journey judge kettle king kitchen lake
		lamp leaf letter library light lion machine map market meadow mirror moment money moon morning
		mountain mouse music night ocean office orange paper park pencil picture pilot planet player pocket
		queen rain report road rocket roof room rope sail salt school season shadow ship shoe shop silver
		snow song spoon spring star station stone storm story street summer table teacher team tiger tower
		train tree valley village voice wall water wheel window winter wolf world writer yard zebra`)
	verbs = strings.Fields(`is was became opens finds keeps moves shows takes leaves brings follows holds
		meets needs builds covers crosses draws enters fills gives hears knows leads likes makes misses
		paints plays reaches reads runs sees sells sends sings starts stops tells turns wants wins writes`)
	joins = strings.Fields(`the a of in on at to and or with from by for near over under after before into
		this that every some no its his her our their`)
	signs = []string{"EXIT", "STOP", "OPEN", "CLOSED", "BREAKING NEWS", "LIVE", "SALE 50%", "TAXI", "Gate 12", "PUSH",
		"PULL", "NO ENTRY", "PARKING", "POLICE", "HOTEL", "CAFE", "ONE WAY", "SLOW", "PLATFORM 4", "WC", "FINISH",
		"Welcome!", "Thank you", "Chapter 1", "THE END", "REPLAY", "HALF TIME", "Subscribe", "NEW RECORD", "MENU"}
	firstNames = strings.Fields(`Ada Alan Amir Anna Ben Bruno Carla Chen Clara Daniel David Diego Elena Emma Erik
		Fatima Felix Grace Hana Henry Hugo Ines Ivan Jack James Jamal Julia Kai Karim Kate Kofi Lara Leo Lena
		Luca Maria Marcus Maya Mia Milo Nadia Nina Noah Olga Omar Oscar Paul Petra Priya Rosa Ravi Sam Sara
		Sofia Stefan Tara Theo Tom Uma Vera Victor Wei Yara Yuki Zoe`)
	teams = strings.Fields(`HOME AWAY LIONS BEARS HAWKS BULLS EAGLES TIGERS SHARKS WOLVES ROCKETS KINGS STARS GIANTS
		RED BLUE USA FRA GER ESP BRA JPN CAN ITA NED SWE`)
	onsets = strings.Fields("b c d f g h j k l m n p r s t v w y z qu ch sh st tr gr pl br cl x th bl fl dr sp")
	vowels = strings.Fields("a e i o u a e i o u ai ea ou y oo ie")
	codas  = []string{"", "", "", "n", "r", "s", "t", "l", "m", "ck", "nd", "x", "ng", "ff", "ll", "b", "p", "z", "d", "k"}
)

// PseudoWord invents a word of 4 to 10 letters. One in ten of all words is held
// out, by a hash: those words come only with heldOut, which gives no others.
func PseudoWord(rng *rand.Rand, heldOut bool) string {
	for {
		w := ""
		for range 2 + rng.IntN(2) {
			on := ""
			if !chance(rng, 0.08) {
				on = pick(rng, onsets)
			}
			w += on + pick(rng, vowels) + pick(rng, codas)
		}
		if len(w) >= 4 && len(w) <= 10 && HeldOut(w) == heldOut {
			return w
		}
	}
}

// HeldOut reports whether a word, in lower case, is one of those that [PseudoWord]
// holds out.
func HeldOut(word string) bool { return crc32.ChecksumIEEE([]byte(word))%10 == 0 }

func title(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Name invents the name of a person, after [PseudoWord].
func Name(rng *rand.Rand, heldOut bool) string {
	last := title(PseudoWord(rng, heldOut))
	if chance(rng, 0.3) {
		last = title(pick(rng, nouns))
	}
	return pick(rng, firstNames) + " " + last
}

// word draws a word of a corpus, or of the package's lists, or an invented one.
func (p *Painter) word(rng *rand.Rand) string {
	switch v := rng.Float32(); {
	case v < 0.5 && len(p.opts.Words) > 0:
		return pick(rng, p.opts.Words)
	case v > 0.88:
		return PseudoWord(rng, p.opts.HeldOut)
	case v > 0.76:
		return pick(rng, verbs)
	case v > 0.64:
		return pick(rng, adjectives)
	case v > 0.58:
		return pick(rng, joins)
	}
	return pick(rng, nouns)
}

func (p *Painter) words(rng *rand.Rand, n int) string {
	w := make([]string, n)
	for i := range w {
		w[i] = p.word(rng)
	}
	return strings.Join(w, " ")
}

// sentence is a few words with the punctuation of a sentence.
func (p *Painter) sentence(rng *rand.Rand) string {
	s := "the"
	if chance(rng, 0.5) {
		s = pick(rng, joins)
	}
	s += " " + pick(rng, adjectives) + " " + p.word(rng) + " " + pick(rng, verbs) + " " + p.words(rng, 1+rng.IntN(6))
	if chance(rng, 0.25) {
		s += pick(rng, []string{", ", "; ", " - ", ": ", " ("}) + p.words(rng, 1+rng.IntN(3))
		if strings.Contains(s, "(") {
			s += ")"
		}
	}
	return title(s) + pick(rng, []string{".", ".", ".", "!", "?", "", "..."})
}

// Secret is a sentence that tells a word: The secret word is "…".
func Secret(rng *rand.Rand, word string) string {
	q := pick(rng, []string{`"%s"`, `"%s"`, `"%s"`, "“%s”", "'%s'"})
	return fmt.Sprintf("The %s %s is "+q, pick(rng, adjectives), pick(rng, nouns[:12]), word)
}

// phrase draws a piece of text of any kind.
func (p *Painter) phrase(rng *rand.Rand) string {
	switch rng.IntN(20) {
	case 0, 1, 2:
		return p.sentence(rng)
	case 3, 4:
		return Secret(rng, PseudoWord(rng, p.opts.HeldOut))
	case 5:
		return strings.ToUpper(p.words(rng, 1+rng.IntN(5)))
	case 6:
		w := strings.Fields(p.words(rng, 1+rng.IntN(4)))
		for i := range w {
			w[i] = title(w[i])
		}
		return strings.Join(w, " ")
	case 7, 8:
		return number(rng)
	case 9:
		return fmt.Sprintf("%s %d %s %d %s", pick(rng, teams), rng.IntN(130), pick(rng, []string{":", "-", "–"}), rng.IntN(130), pick(rng, teams))
	case 10:
		return pick(rng, signs)
	case 11:
		return p.address(rng)
	case 12:
		return p.identifier(rng)
	case 13:
		return letters(rng, alphanumeric, 3+rng.IntN(8))
	case 14:
		return letters(rng, printable, 3+rng.IntN(8))
	case 15:
		return PseudoWord(rng, p.opts.HeldOut) + " " + PseudoWord(rng, p.opts.HeldOut)
	case 16:
		return quote(rng, p.words(rng, 1+rng.IntN(2)))
	case 17:
		return Name(rng, p.opts.HeldOut) + pick(rng, []string{"", "", ", " + fmt.Sprint(16+rng.IntN(70)), ": " + fmt.Sprint(rng.IntN(51))})
	}
	return p.words(rng, 1+rng.IntN(6))
}

func quote(rng *rand.Rand, s string) string {
	return fmt.Sprintf(pick(rng, []string{`"%s"`, `"%s"`, "“%s”", "(%s)", "[%s]", "#%s", "- %s", "• %s", "%s:", "*%s*"}), s)
}

const (
	alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	printable    = alphanumeric + "0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

func letters(rng *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[rng.IntN(len(alphabet))]
	}
	if chance(rng, 0.3) {
		return strings.ToUpper(string(b))
	}
	return string(b)
}

// number draws a number, time, date, price or score.
func number(rng *rand.Rand) string {
	n := rng.IntN([]int{10, 100, 1000, 10000, 1000000}[rng.IntN(5)])
	switch rng.IntN(14) {
	case 0:
		return fmt.Sprintf("%02d:%02d:%02d", rng.IntN(24), rng.IntN(60), rng.IntN(60))
	case 1:
		return fmt.Sprintf("%d:%02d", rng.IntN(24), rng.IntN(60))
	case 2:
		return fmt.Sprintf("%s%d.%02d", pick(rng, []string{"$", "€", "£", ""}), n, rng.IntN(100))
	case 3:
		return fmt.Sprintf("%d%%", rng.IntN(101))
	case 4:
		return fmt.Sprintf("%04d-%02d-%02d", 1900+rng.IntN(150), 1+rng.IntN(12), 1+rng.IntN(28))
	case 5:
		return fmt.Sprintf("%d/%d/%d", 1+rng.IntN(12), 1+rng.IntN(28), 1950+rng.IntN(90))
	case 6:
		return fmt.Sprintf("Score %04d", rng.IntN(10000))
	case 7:
		return fmt.Sprintf("%s%d.%d", pick(rng, []string{"", "-", "+"}), n%100, rng.IntN(10))
	case 8:
		return fmt.Sprintf("%d,%03d", 1+n%999, rng.IntN(1000))
	case 9:
		return fmt.Sprintf("%d + %d = %d", n%50, 7, n%50+7)
	case 10:
		return fmt.Sprintf("%s %d", pick(rng, []string{"No.", "Room", "Page", "Day", "Level", "Lap", "Q", "Flight"}), n)
	case 11:
		return fmt.Sprintf("%d %s", n, pick(rng, []string{"km/h", "kg", "m", "°C", "mph", "pts", "MB", "sec"}))
	}
	return fmt.Sprint(n)
}

func (p *Painter) address(rng *rand.Rand) string {
	a, b := strings.ToLower(p.word(rng)), pick(rng, nouns)
	tld := pick(rng, []string{"com", "org", "net", "io", "de", "co.uk"})
	switch rng.IntN(4) {
	case 0:
		return fmt.Sprintf("%s@%s.%s", a, b, tld)
	case 1:
		return fmt.Sprintf("www.%s%s.%s", a, b, tld)
	case 2:
		return fmt.Sprintf("https://%s.%s/%s", b, tld, a)
	}
	return fmt.Sprintf("@%s_%s%d", a, b, rng.IntN(100))
}

func (p *Painter) identifier(rng *rand.Rand) string {
	a, b := strings.ToLower(p.word(rng)), pick(rng, nouns)
	switch rng.IntN(5) {
	case 0:
		return a + "_" + b
	case 1:
		return a + title(b)
	case 2:
		return fmt.Sprintf("%s[%d] = %s;", a, rng.IntN(20), b)
	case 3:
		return fmt.Sprintf("%s.%s(%d)", a, b, rng.IntN(100))
	}
	return fmt.Sprintf("%s-%04d/%s", strings.ToUpper(letters(rng, alphanumeric, 2)), rng.IntN(10000), letters(rng, alphanumeric, 1))
}
