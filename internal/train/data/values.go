package data

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// valueType makes the text of a value.
type valueType struct {
	name string
	make func(r *rand.Rand) string
	held bool // reserved for the held-out split
}

const (
	digits      = "0123456789"
	hexDigits   = "0123456789abcdef"
	upperLetter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerLetter = "abcdefghijklmnopqrstuvwxyz"
	base32      = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
)

func runOf(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func integer(r *rand.Rand, n int) string {
	s := runOf(r, digits, n)
	if s[0] == '0' && chance(r, 0.8) {
		s = string('1'+byte(r.IntN(9))) + s[1:]
	}
	return s
}

// pattern writes '#' as a digit, '@' as a capital, '%' as a small letter and
// '~' as a base-32 sign; all else stands for itself.
func pattern(r *rand.Rand, p string) string {
	b := []byte(p)
	for i, c := range b {
		switch c {
		case '#':
			b[i] = digits[r.IntN(10)]
		case '@':
			b[i] = upperLetter[r.IntN(26)]
		case '%':
			b[i] = lowerLetter[r.IntN(26)]
		case '~':
			b[i] = base32[r.IntN(32)]
		}
	}
	return string(b)
}

var valueTypes = []valueType{
	{name: "digits4", make: func(r *rand.Rand) string { return integer(r, 4) }},
	{name: "digits7", make: func(r *rand.Rand) string { return integer(r, 7) }},
	{name: "integer", make: func(r *rand.Rand) string { return integer(r, between(r, 1, 12)) }},
	{name: "small", make: func(r *rand.Rand) string { return integer(r, between(r, 1, 3)) }},
	{name: "grouped", make: func(r *rand.Rand) string {
		return integer(r, between(r, 1, 3)) + pick(r, []string{",", ",", " ", "."}) + runOf(r, digits, 3)
	}},
	{name: "decimal", make: func(r *rand.Rand) string {
		return integer(r, between(r, 1, 4)) + "." + runOf(r, digits, between(r, 1, 4))
	}},
	{name: "percent", make: func(r *rand.Rand) string {
		return pick(r, []string{integer(r, 2), integer(r, 1) + "." + runOf(r, digits, 1)}) + pick(r, []string{"%", " %", " percent", " per cent"})
	}},
	{name: "date", make: date},
	{name: "day", make: func(r *rand.Rand) string {
		return pick(r, weekdays) + pick(r, []string{"", "", " morning", " afternoon", " night", " at noon"})
	}},
	{name: "year", make: func(r *rand.Rand) string { return strconv.Itoa(between(r, 1480, 2190)) }},
	{name: "time", make: clock},
	{name: "duration", make: func(r *rand.Rand) string {
		return pick(r, []string{integer(r, between(r, 1, 2)), pick(r, numberWords)}) + " " + pick(r, []string{"minutes", "hours", "days", "weeks", "months", "years", "seconds"})
	}},
	{name: "money", make: func(r *rand.Rand) string {
		n := pick(r, []string{integer(r, between(r, 1, 4)), integer(r, between(r, 1, 3)) + "." + runOf(r, digits, 2), integer(r, between(r, 1, 3)) + "," + runOf(r, digits, 3)})
		return pick(r, []string{"$" + n, "€" + n, "£" + n, n + " dollars", n + " euros", n + " crowns", n + " francs", n + " EUR", "USD " + n, n + " shillings"})
	}},
	{name: "version", make: func(r *rand.Rand) string {
		return pick(r, []string{"", "", "v"}) + integer(r, between(r, 1, 2)) + "." + strconv.Itoa(r.IntN(40)) + pick(r, []string{"", "." + strconv.Itoa(r.IntN(60)), "." + strconv.Itoa(r.IntN(20)) + pick(r, []string{"-rc", "-beta", "+build"}) + integer(r, 1)})
	}},
	{name: "phone", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"+## ### #######", "(###) ###-####", "###-####", "0## ### ## ##", "+## (0)## ### ##", "##-##-##-##"}))
	}},
	{name: "uuid", make: func(r *rand.Rand) string {
		h := runOf(r, hexDigits, 32)
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}},
	{name: "hex", make: func(r *rand.Rand) string {
		h := runOf(r, hexDigits, 2*between(r, 2, 10))
		return pick(r, []string{h, "0x" + h, strings.ToUpper(h), "#" + h[:4] + "f0"})
	}},
	{name: "code", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"~~-~~-~~", "~~~~-~~~~", "@@-####", "@###", "~~~-~~~", "@@@##", "##-@@-##", "@-##-@", "####-@", "@@####@@", "~~~~~~", "@#@#@#", "~~~~-~~~~-~~~~", "@@.##.##"}))
	}},
	{name: "word", make: func(r *rand.Rand) string { return pick(r, words) }},
	{name: "Word", make: func(r *rand.Rand) string { return capitalise(pick(r, words)) }},
	{name: "pseudo", make: func(r *rand.Rand) string { return capitalise(pseudoWord(r)) }},
	{name: "phrase", make: phrase},
	{name: "adjnoun", make: func(r *rand.Rand) string { return pick(r, adjectives) + " " + pick(r, words) }},
	{name: "person", make: person},
	{name: "place", make: place},
	{name: "email", make: func(r *rand.Rand) string {
		return strings.ToLower(ascii(pick(r, firstNames))) + pick(r, []string{".", "_", "", "-"}) + strings.ToLower(ascii(pick(r, lastNames))) + pick(r, []string{"", integer(r, 2)}) + "@" + pick(r, words) + pick(r, []string{".example", ".org", ".net", ".com", ".io", "-" + pick(r, words) + ".com"})
	}},
	{name: "url", make: func(r *rand.Rand) string {
		return pick(r, []string{"https://", "http://", "https://www.", "www."}) + pick(r, words) + pick(r, []string{".example", ".org", ".net", ".com", ".dev"}) + pick(r, []string{"", "/" + pick(r, words), "/" + pick(r, words) + "/" + pick(r, words), "/?id=" + integer(r, 4), ":" + integer(r, 4) + "/" + pick(r, words)})
	}},
	{name: "path", make: path},
	{name: "file", make: func(r *rand.Rand) string {
		return pick(r, []string{pick(r, words), identifier(r)}) + pick(r, []string{".txt", ".pdf", ".log", ".csv", ".json", ".go", ".py", ".tar.gz", ".conf", ".md", ".wav"})
	}},
	{name: "ident", make: identifier},
	{name: "colour", make: func(r *rand.Rand) string {
		return pick(r, []string{"", "", "", "pale ", "dark ", "light ", "deep "}) + pick(r, colours)
	}},
	{name: "animal", make: func(r *rand.Rand) string {
		return pick(r, []string{"", "", "the ", article(pick(r, adjectives)) + " "}) + pick(r, animals)
	}},
	{name: "unit", make: func(r *rand.Rand) string {
		return pick(r, []string{integer(r, between(r, 1, 4)), integer(r, between(r, 1, 3)) + "." + runOf(r, digits, 1)}) + pick(r, []string{"", " ", " "}) + pick(r, []string{"kg", "mg", "km", "mm", "cm", "m", "ml", "kWh", "°C", "°F", "Hz", "kHz", "GB", "MB", "ms", "hPa", "litres", "metres", "miles", "tons", "degrees", "volts", "knots"})
	}},
	{name: "sentence", make: shortSentence},
	{name: "quoted", make: func(r *rand.Rand) string {
		s := pick(r, []string{phrase(r), pick(r, words), strings.TrimSuffix(shortSentence(r), ".")})
		return pick(r, []string{"\"" + s + "\"", "\"" + s + "\"", "'" + s + "'", "“" + s + "”", "`" + s + "`"})
	}},
	{name: "ip", make: func(r *rand.Rand) string {
		s := fmt.Sprintf("%d.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256))
		return s + pick(r, []string{"", "", ":" + integer(r, 4), "/" + strconv.Itoa(between(r, 8, 30))})
	}},
	{name: "port", make: func(r *rand.Rand) string { return strconv.Itoa(between(r, 1024, 65535)) }},
	{name: "list", make: func(r *rand.Rand) string {
		item := pick(r, []func() string{
			func() string { return pick(r, words) }, func() string { return pick(r, animals) },
			func() string { return pick(r, colours) }, func() string { return integer(r, 2) },
			func() string { return pick(r, firstNames) },
		})
		items := []string{item(), item()}
		for chance(r, 0.4) && len(items) < 5 {
			items = append(items, item())
		}
		if len(items) == 2 {
			return items[0] + " and " + items[1]
		}
		last := len(items) - 1
		return strings.Join(items[:last], ", ") + pick(r, []string{" and ", ", and "}) + items[last]
	}},
	{name: "spelled", make: func(r *rand.Rand) string {
		return pick(r, []string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}) + "-" + pick(r, numberWords[1:9])
	}},
	{name: "ordinal", make: func(r *rand.Rand) string {
		return pick(r, []string{"first", "second", "third", "fourth", "fifth", "sixth", "ninth", "11th", "12th", "23rd", "31st", "the last"})
	}},
	{name: "gate", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"@#", "@##", "##@", "#@", "@-#", "##"}))
	}},
	{name: "coord", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"##.#### N, ##.#### E", "##°##' S, ##°##' W", "#.###, -##.###", "@## ###"}))
	}},
	{name: "nonsense", make: func(r *rand.Rand) string {
		return strings.ToLower(pseudoWord(r)) + pick(r, []string{" ", "-", ""}) + strings.ToLower(pseudoWord(r))
	}},
	{name: "password", make: func(r *rand.Rand) string {
		return pick(r, []string{
			pick(r, words) + integer(r, between(r, 1, 4)), pick(r, words) + "-" + pick(r, words) + "-" + pick(r, words),
			pattern(r, "%%%#@%#"), capitalise(pick(r, words)) + pick(r, []string{"!", "#", "$", "_"}) + integer(r, 3), pattern(r, "@%%##%@#%"),
		})
	}},
	{name: "title", make: title},
	{name: "groups", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"#### ####", "## ## ##", "### ### ###", "@@@ @@@", "@@ ####", "# ### ### ##", "@ ## @", "%% %% %%", "@@@ ## ##", "####-####-####-####"}))
	}},
	{name: "joined", make: func(r *rand.Rand) string {
		join := pick(r, []string{":", ".", "/", "-", "_", " ", "::", "|", "+", "~"})
		parts := make([]string, between(r, 2, 7))
		for i, n, abc := 0, between(r, 1, 4), pick(r, []string{digits, hexDigits, base32, lowerLetter}); i < len(parts); i++ {
			parts[i] = runOf(r, abc, n)
		}
		return strings.Join(parts, join)
	}},
	{name: "sticky", make: func(r *rand.Rand) string {
		parts := make([]string, between(r, 2, 4))
		for i := range parts {
			parts[i] = pick(r, pick(r, [][]string{words, adjectives, techWords, animals}))
		}
		return strings.Join(parts, pick(r, []string{"-", "-", ".", "/", "_", "+", "", ":"}))
	}},
	{name: "range", make: func(r *rand.Rand) string {
		n := between(r, 1, 4)
		return integer(r, n) + pick(r, []string{"–", "-", "..", " … "}) + integer(r, n)
	}},
	{name: "initials", make: func(r *rand.Rand) string {
		return pattern(r, pick(r, []string{"@. ", "@. @. ", "@.@. "})) + pick(r, lastNames) + pick(r, []string{"", "", "-" + pick(r, lastNames), ", Jr."})
	}},
	{name: "titled", make: func(r *rand.Rand) string {
		return pick(r, []string{"Mr. ", "Mrs. ", "Dr. ", "Prof. ", "Capt. ", "Lady ", "Sir "}) + pick(r, lastNames)
	}},
	{name: "setting", make: func(r *rand.Rand) string {
		return pick(r, techWords) + "=" + pick(r, []string{pick(r, techWords), integer(r, 2), "true", "off"})
	}},
	{name: "call", make: func(r *rand.Rand) string {
		return identifier(r) + "(" + pick(r, []string{"", pick(r, techWords), integer(r, 2), pick(r, techWords) + ", " + integer(r, 1)}) + ")"
	}},
	{name: "signed", make: func(r *rand.Rand) string {
		return pick(r, []string{"-", "+", "±", "~"}) + integer(r, between(r, 1, 3)) + pick(r, []string{"", "." + runOf(r, digits, 2)})
	}},
	{name: "blob", make: func(r *rand.Rand) string {
		return runOf(r, lowerLetter+upperLetter+digits, between(r, 6, 20)) + pick(r, []string{"", "", "=", "=="})
	}},
	{name: "dimensions", make: func(r *rand.Rand) string {
		return integer(r, between(r, 1, 3)) + pick(r, []string{" x ", "x", " by ", " × "}) + integer(r, between(r, 1, 3)) + pick(r, []string{"", "", " cm", " m"})
	}},

	{name: "mac", held: true, make: func(r *rand.Rand) string {
		var parts []string
		for range 6 {
			parts = append(parts, runOf(r, hexDigits, 2))
		}
		return strings.Join(parts, ":")
	}},
	{name: "fraction", held: true, make: func(r *rand.Rand) string {
		return integer(r, between(r, 1, 2)) + "/" + integer(r, between(r, 1, 3))
	}},
	{name: "isbn", held: true, make: func(r *rand.Rand) string { return pattern(r, "978-#-###-#####-#") }},
	{name: "plate", held: true, make: func(r *rand.Rand) string { return pattern(r, pick(r, []string{"@@ ## @@@", "#@@@ ###", "@@-@-####"})) }},
	{name: "ratio", held: true, make: func(r *rand.Rand) string { return integer(r, 1) + " to " + integer(r, between(r, 1, 2)) }},
	{name: "two names", held: true, make: func(r *rand.Rand) string { return pick(r, firstNames) + " & " + pick(r, firstNames) }},
	{name: "score", held: true, make: func(r *rand.Rand) string { return integer(r, 1) + "–" + integer(r, 1) + " after extra time" }},
	{name: "slug", held: true, make: func(r *rand.Rand) string {
		return pick(r, words) + "--" + pick(r, animals) + "--" + integer(r, 3)
	}},
}

var months = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
var weekdays = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
var numberWords = []string{"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "forty"}

func date(r *rand.Rand) string {
	d, m, y := between(r, 1, 28), between(r, 1, 12), between(r, 1890, 2070)
	month := months[m-1]
	switch r.IntN(7) {
	case 0:
		return fmt.Sprintf("%d-%02d-%02d", y, m, d)
	case 1:
		return fmt.Sprintf("%d %s %d", d, month, y)
	case 2:
		return fmt.Sprintf("%s %d, %d", month, d, y)
	case 3:
		return fmt.Sprintf("%02d/%02d/%d", d, m, y)
	case 4:
		return fmt.Sprintf("%s %d", month, d)
	case 5:
		return fmt.Sprintf("%d.%d.%d", d, m, y)
	default:
		return fmt.Sprintf("the %d%s of %s", d, ordinalSuffix(d), month)
	}
}

func ordinalSuffix(n int) string {
	switch {
	case n%10 == 1 && n != 11:
		return "st"
	case n%10 == 2 && n != 12:
		return "nd"
	case n%10 == 3 && n != 13:
		return "rd"
	}
	return "th"
}

func clock(r *rand.Rand) string {
	h, m := r.IntN(24), r.IntN(60)
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("%d:%02d %s", h%12+1, m, pick(r, []string{"am", "pm", "AM", "PM", "o'clock"}))
	case 1:
		return fmt.Sprintf("%02d:%02d:%02d", h, m, r.IntN(60))
	case 2:
		return pick(r, []string{"half past ", "a quarter to ", "a quarter past ", "ten to ", "twenty past "}) + pick(r, numberWords[:12])
	default:
		return fmt.Sprintf("%02d:%02d", h, m)
	}
}

func phrase(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return pick(r, adjectives) + " " + pick(r, words)
	case 1:
		return "the " + pick(r, adjectives) + " " + pick(r, words) + " " + pick(r, prepositions) + " the " + pick(r, words)
	case 2:
		return pick(r, words) + " " + pick(r, prepositions) + " " + pick(r, words)
	case 3:
		return pick(r, words) + " " + pick(r, words) + " " + pick(r, words)
	case 4:
		return pick(r, verbs) + " the " + pick(r, words)
	default:
		return pick(r, adjectives) + " " + pick(r, colours) + " " + pick(r, words)
	}
}

// title makes the name of a book, a picture or a song.
func title(r *rand.Rand) string {
	noun := func() string { return capitalise(pick(r, words)) }
	switch r.IntN(7) {
	case 0:
		return "The " + capitalise(pick(r, adjectives)) + " " + noun()
	case 1:
		return noun() + " and " + noun()
	case 2:
		return "The " + noun() + " " + pick(r, []string{"in", "under", "beyond", "with", "at"}) + " the " + noun()
	case 3:
		return pick(r, []string{"A History of ", "Notes on ", "My Life with ", "Songs for ", "Return to "}) + noun()
	case 4:
		return "The " + noun() + "'s " + noun()
	case 5:
		return noun() + " " + noun() + pick(r, []string{"", " II", ", Vol. 3"})
	}
	return "The " + noun() + " of " + noun() + pick(r, []string{"", " " + noun()})
}

var prepositions = []string{"of", "in", "under", "behind", "without", "near", "above", "beyond", "against", "with", "for", "before", "after"}

func shortSentence(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return capitalise(pick(r, verbs)) + " the " + pick(r, words) + " " + pick(r, prepositions) + " the " + pick(r, words) + "."
	case 1:
		return "The " + pick(r, words) + " is " + pick(r, adjectives) + "."
	case 2:
		return "Never " + pick(r, verbs) + " " + article(pick(r, adjectives)) + " " + pick(r, words) + "."
	case 3:
		return capitalise(pick(r, firstNames)) + " must " + pick(r, verbs) + " the " + pick(r, words) + " " + pick(r, []string{"tomorrow", "at once", "in secret", "by noon", "again", "alone"}) + "."
	case 4:
		return "All " + pick(r, animals) + "s " + pick(r, verbs) + " " + pick(r, []string{"slowly", "at night", "in winter", "together", "well"}) + "."
	default:
		return "We " + pick(r, verbs) + " what the " + pick(r, words) + " forgets."
	}
}

// article puts "a" or "an" before a word.
func article(word string) string {
	if strings.IndexByte("aeiou", word[0]) >= 0 {
		return "an " + word
	}
	return "a " + word
}

func path(r *rand.Rand) string {
	n := between(r, 1, 4)
	var b strings.Builder
	b.WriteString(pick(r, []string{"/", "/", "/var/", "/srv/", "/opt/", "~/", "./", "C:\\", "s3://", "/home/" + strings.ToLower(ascii(pick(r, firstNames))) + "/"}))
	sep := "/"
	if strings.Contains(b.String(), "\\") {
		sep = "\\"
	}
	for i := range n {
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(pick(r, words))
	}
	b.WriteString(pick(r, []string{"", "", ".txt", ".log", ".dat", ".yaml", ".jpg", integer(r, 2)}))
	return b.String()
}

func identifier(r *rand.Rand) string {
	n := between(r, 2, 3)
	parts := make([]string, n)
	for i := range parts {
		parts[i] = pick(r, pick(r, [][]string{words, verbs, techWords, techWords}))
	}
	switch r.IntN(6) {
	case 0, 1:
		return strings.Join(parts, "_")
	case 2:
		return strings.Join(parts, "-")
	case 3:
		return strings.ToUpper(strings.Join(parts, "_"))
	default:
		for i := range parts {
			if i > 0 || chance(r, 0.5) {
				parts[i] = capitalise(parts[i])
			}
		}
		return strings.Join(parts, "")
	}
}

// mutate changes a sign or two of a value within their class, so that it
// looks the same from afar. A value without letters or digits comes back as it is.
func mutate(r *rand.Rand, v string) string {
	if i := strings.LastIndexByte(v, ' '); i > 0 && chance(r, 0.5) && !strings.ContainsAny(v, digits) {
		return v[:i+1] + pick(r, words)
	}
	b := []byte(v)
	for range between(r, 1, 2) {
		for range 8 {
			i := r.IntN(len(b))
			switch c := b[i]; {
			case c >= '0' && c <= '9':
				b[i] = digits[r.IntN(10)]
			case c >= 'a' && c <= 'z':
				b[i] = lowerLetter[r.IntN(26)]
			case c >= 'A' && c <= 'Z':
				b[i] = upperLetter[r.IntN(26)]
			default:
				continue
			}
			break
		}
	}
	return string(b)
}
