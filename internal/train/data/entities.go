package data

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode"
)

// entityKind makes the names that questions ask about.
type entityKind struct {
	name string
	make func(r *rand.Rand) string
}

var entityKinds = []entityKind{
	{"pseudo-city", func(r *rand.Rand) string { return capitalise(pseudoWord(r)) }},
	{"pseudo-city", func(r *rand.Rand) string { return capitalise(pseudoWord(r)) }},
	{"place", place},
	{"person", person},
	{"first name", func(r *rand.Rand) string { return pick(r, firstNames) }},
	{"titled", func(r *rand.Rand) string {
		return pick(r, []string{"Mr ", "Mrs ", "Dr ", "Captain ", "Professor ", "Ms ", "Sister ", "Judge ", "Agent "}) + pick(r, lastNames)
	}},
	{"company", func(r *rand.Rand) string {
		return pick(r, []string{pick(r, lastNames), capitalise(pseudoWord(r)), capitalise(pick(r, words))}) + pick(r, []string{" Ltd", " & Sons", " Inc", " GmbH", " Systems", " Brothers", " Labs", " Bank", " Shipping", " Foods", " Group", " AG"})
	}},
	{"ship", func(r *rand.Rand) string {
		return "the " + pick(r, []string{"ship ", "barge ", "schooner ", "ferry ", "SS ", "tug "}) + pick(r, []string{capitalise(pick(r, adjectives)) + " " + capitalise(pick(r, words)), capitalise(pseudoWord(r)), capitalise(pick(r, animals))})
	}},
	{"planet", func(r *rand.Rand) string {
		return pick(r, []string{"", "planet ", "the moon "}) + capitalise(pseudoWord(r)) + pick(r, []string{"", " " + pick(r, []string{"II", "IV", "VII", "b", "c", "Prime"})})
	}},
	{"project", func(r *rand.Rand) string {
		return pick(r, []string{"project ", "operation ", "mission ", "task force "}) + pick(r, []string{capitalise(pick(r, words)), capitalise(pseudoWord(r)), capitalise(pick(r, adjectives)) + " " + capitalise(pick(r, animals))})
	}},
	{"room", func(r *rand.Rand) string {
		return pick(r, []string{"room ", "cabin ", "ward ", "warehouse ", "locker ", "gate ", "vault ", "lab ", "dock ", "floor "}) + pick(r, []string{integer(r, between(r, 1, 4)), pattern(r, "@#"), pattern(r, "#@"), pattern(r, "@-##")})
	}},
	{"device", func(r *rand.Rand) string {
		return "the " + pick(r, adjectives) + " " + pick(r, devices)
	}},
	{"device number", func(r *rand.Rand) string {
		return pick(r, devices) + " " + pick(r, []string{"#", "", "", "no. "}) + integer(r, between(r, 1, 4))
	}},
	{"animal", func(r *rand.Rand) string { return "the " + pick(r, adjectives) + " " + pick(r, animals) }},
	{"file", func(r *rand.Rand) string {
		return pick(r, []string{pick(r, words), identifier(r)}) + pick(r, []string{".txt", ".go", ".pdf", ".c", ".log", ".yaml", ".xlsx", ".db"})
	}},
	{"month", func(r *rand.Rand) string {
		return pick(r, []string{"", "late ", "early "}) + pick(r, months) + pick(r, []string{"", " " + strconv.Itoa(between(r, 1900, 2060))})
	}},
	{"gibberish", func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"%#%-##", "@@-####", "~~~~-~~", "%%%%%", "%%%%%%%", "@@@#", "~~~~~~~~", "#%#%#%"}))
	}},
	{"uuid", func(r *rand.Rand) string { return runOf(r, hexDigits, 8) + "-" + runOf(r, hexDigits, 4) }},
	{"number", func(r *rand.Rand) string { return integer(r, between(r, 3, 8)) }},
	{"word", func(r *rand.Rand) string { return pick(r, words) }},
	{"word", func(r *rand.Rand) string { return pick(r, words) }},
	{"word pair", func(r *rand.Rand) string { return pick(r, adjectives) + "-" + pick(r, words) }},
	{"phrase", func(r *rand.Rand) string { return pick(r, adjectives) + " " + pick(r, words) }},
	{"three words", func(r *rand.Rand) string {
		return pick(r, adjectives) + " " + pick(r, pick(r, [][]string{adjectives, words, colours})) + " " + pick(r, pick(r, [][]string{words, devices, animals}))
	}},
	{"the word", func(r *rand.Rand) string { return "the " + pick(r, words) }},
	{"identifier", identifier},
	{"order", func(r *rand.Rand) string {
		return pick(r, []string{"order ", "ticket ", "case ", "flight ", "invoice ", "patient ", "parcel ", "sample ", "user ", "node ", "batch ", "unit ", "section ", "chapter "}) + pick(r, []string{integer(r, between(r, 2, 6)), pattern(r, "@@###"), pattern(r, "@-###"), "#" + integer(r, between(r, 2, 5))})
	}},
	{"building", func(r *rand.Rand) string {
		return "the " + pick(r, []string{capitalise(pseudoWord(r)), pick(r, lastNames), pick(r, places)}) + " " + pick(r, []string{"museum", "library", "bridge", "station", "hotel", "school", "tower", "archive", "mill", "harbour", "theatre", "clinic", "observatory", "mine"})
	}},
	{"email", func(r *rand.Rand) string {
		return strings.ToLower(ascii(pick(r, firstNames))) + integer(r, 2) + "@" + pick(r, words) + ".example"
	}},
	{"star", func(r *rand.Rand) string {
		return pick(r, []string{"HD ", "NGC ", "Kepler-", "TOI-", "LV-", "PX "}) + integer(r, between(r, 2, 5))
	}},
	{"host", func(r *rand.Rand) string {
		return pick(r, words) + pick(r, []string{"-", ".", "-db-", "-web-", "0"}) + integer(r, between(r, 1, 2))
	}},
	{"game", func(r *rand.Rand) string {
		return "team " + capitalise(pick(r, pick(r, [][]string{animals, words, colours})))
	}},
}

func person(r *rand.Rand) string {
	return pick(r, firstNames) + " " + pick(r, lastNames)
}

func place(r *rand.Rand) string {
	for {
		p := pick(r, places)
		switch r.IntN(8) {
		case 0:
			p = pick(r, []string{"Old ", "New ", "Upper ", "Lower ", "East ", "West ", "Port ", "Saint ", "Lake "}) + p
		case 1:
			p = capitalise(pseudoWord(r)) + pick(r, []string{" Bay", " Hill", " Springs", "-on-Sea", " Falls", " Cross"})
		}
		if !famous(p) {
			return p
		}
	}
}

var onsets = strings.Fields("b c d f g h j k l m n p r s t v w z br cr dr fr gr kr pr tr bl cl fl gl pl sl st sk sp th sh ch qu y x")
var nuclei = strings.Fields("a e i o u a e i o u ai ea ou oo ie ä ö ü é á ø")
var codas = append(strings.Fields("n r s l m k t nd rk rn st x th ck ll ss ng"), "", "", "", "", "", "", "")
var endings = strings.Fields("ton burg ville ham stead by mouth ford heim dorf ia or an is us en wick port grad sk eth oria une ano ek os ax")

// pseudoWord makes a pronounceable word in small letters that is no famous city.
func pseudoWord(r *rand.Rand) string {
	for {
		var b strings.Builder
		for range between(r, 1, 3) {
			b.WriteString(pick(r, onsets))
			n := len(nuclei) - 6
			if chance(r, 0.12) {
				n = len(nuclei)
			}
			b.WriteString(nuclei[r.IntN(n)])
			b.WriteString(pick(r, codas))
		}
		if chance(r, 0.5) {
			b.WriteString(pick(r, endings))
		}
		if s := b.String(); len(s) >= 4 && len(s) <= 14 && !famous(s) {
			return s
		}
	}
}

// ascii drops accents, for names in addresses.
func ascii(s string) string { return accents.Replace(s) }

var accents = strings.NewReplacer("é", "e", "è", "e", "ë", "e", "ê", "e", "á", "a", "à", "a", "ä", "a", "â", "a", "ã", "a", "å", "a",
	"ö", "o", "ó", "o", "ô", "o", "ø", "o", "ő", "o", "ü", "u", "ú", "u", "ů", "u", "í", "i", "î", "i", "ï", "i", "ç", "c", "č", "c", "ñ", "n", "ń", "n",
	"š", "s", "ś", "s", "ş", "s", "ž", "z", "ł", "l", "ř", "r", "ý", "y", "ğ", "g", "ı", "i", "Å", "A", "Š", "S", "Ž", "Z", "É", "E", "Ö", "O", "Ø", "O", "Č", "C", "Ł", "L", "'", "", " ", "")

// vary makes a name that differs in a letter, a digit or a word.
func vary(r *rand.Rand, name string) string {
	if parts := strings.Split(name, " "); len(parts) > 2 && chance(r, 0.3) {
		// Any word but the last.
		if i := r.IntN(len(parts) - 1); strings.ToLower(parts[i]) == parts[i] && parts[i] != "the" && !strings.ContainsAny(parts[i], digits) {
			parts[i] = pick(r, pick(r, [][]string{adjectives, words}))
			return strings.Join(parts, " ")
		}
	}
	if i := strings.LastIndexByte(name, ' '); i > 0 && chance(r, 0.4) {
		head, tail := name[:i], name[i+1:]
		switch {
		case strings.ContainsAny(tail, digits):
			return head + " " + changeDigit(r, tail)
		case strings.ToLower(tail) == tail:
			return head + " " + pick(r, words)
		default:
			return head + " " + pick(r, lastNames)
		}
	}
	if strings.ContainsAny(name, digits) && chance(r, 0.7) {
		return changeDigit(r, name)
	}
	letters := []rune(name)
	first := 0
	if strings.HasPrefix(name, "the ") {
		first = 4
	}
	i := between(r, first, len(letters)-1)
	c := letters[i]
	if c < 'a' || c > 'z' {
		return name + pick(r, []string{"a", "s", "en", "o", "ia", "er"})
	}
	switch r.IntN(4) {
	case 0:
		return string(letters[:i]) + string(letters[i+1:])
	case 1:
		return string(letters[:i]) + string(lowerLetter[r.IntN(26)]) + string(letters[i:])
	default:
		same := "bcdfghjklmnpqrstvwxz"
		if strings.ContainsRune("aeiou", c) {
			same = "aeiou"
		}
		letters[i] = rune(same[r.IntN(len(same))])
		return string(letters)
	}
}

func changeDigit(r *rand.Rand, s string) string {
	b := []byte(s)
	for {
		if i := r.IntN(len(b)); b[i] >= '0' && b[i] <= '9' {
			b[i] = digits[r.IntN(10)]
			return string(b)
		}
	}
}

// namesFamous tells whether any word of a text is a big city.
func namesFamous(text string) bool {
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return !unicode.IsLetter(c) }) {
		if unicode.IsUpper(rune(word[0])) && famousCities[strings.ToLower(word)] {
			return true
		}
	}
	return false
}

// famous tells the big cities, which evaluation uses as keys, from all else.
func famous(name string) bool {
	if famousCities[strings.ToLower(name)] {
		return true
	}
	for word := range strings.FieldsFuncSeq(name, func(c rune) bool { return c == ' ' || c == '-' }) {
		if famousCities[strings.ToLower(word)] {
			return true
		}
	}
	return false
}
