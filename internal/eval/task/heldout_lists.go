package task

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// heldOutWordings fit every key and every kind of value. {kind} is the noun of
// the kind.
var heldOutWordings = []Wording{
	{"Pinned to the noticeboard that week was the {kind} for {key}, namely {value}.", "Which {kind} for {key} was pinned to the noticeboard?"},
	{"Somebody had pencilled {value} in the margin as the {kind} of {key}.", "What was pencilled in the margin as the {kind} of {key}?"},
	{"For the avoidance of doubt, the {kind} held by {key} reads {value}.", "How does the {kind} held by {key} read?"},
	{"Minutes of the meeting: {key}, {kind} confirmed as {value}.", "What {kind} was confirmed for {key}?"},
	{"Erratum: where the {kind} of {key} is concerned, print {value}.", "According to the erratum, what should be printed as the {kind} of {key}?"},
	{"\"And {key}?\" she asked. \"Just put {value} down as the {kind},\" he replied.", "What did he say to put down as the {kind} for {key}?"},
	{"The label on the crate gave {key} as the owner and {value} as the {kind}.", "The crate belonging to {key} shows which {kind}?"},
	{"Under {key} the card index has a single {kind}, which is {value}.", "What {kind} does the card index have under {key}?"},
	{"It took an hour to establish that {key} uses {value} as its {kind}.", "What does {key} use as its {kind}?"},
	{"Our correspondent gives the {kind} of {key} as {value}, without a source.", "What does our correspondent give as the {kind} of {key}?"},
	{"Carved above the door one could still read {value}, the {kind} of {key}.", "What could be read above the door as the {kind} of {key}?"},
	{"Since the relocation, {key} answers to the {kind} {value} only.", "Since the relocation, which {kind} does {key} answer to?"},
	{"[ops] {key}: {kind} set to {value}; no restart needed.", "To what was the {kind} of {key} set by ops?"},
	{"A telegram arrived: FOR {key} USE {kind} {value} STOP", "Which {kind} did the telegram tell them to use for {key}?"},
	{"The auditors found the {kind} {value} recorded against {key}.", "Which {kind} did the auditors find recorded against {key}?"},
	{"Page forty of the almanac lists {key} with the {kind} {value}.", "With what {kind} does the almanac list {key}?"},
	{"When pressed, the clerk admitted that the {kind} of {key} had always been {value}.", "What did the clerk admit the {kind} of {key} had always been?"},
	{"Visitors to {key} must quote the {kind} {value} at reception.", "What {kind} must visitors to {key} quote?"},
	{"A brass plate identifies {key} by its {kind}: {value}.", "What {kind} identifies {key} on the brass plate?"},
	{"The inheritance of {key} came with one odd condition, the {kind} {value}.", "Which {kind} came with the inheritance of {key}?"},
	{"Kindly amend our files: {kind}, {key}, {value}.", "What {kind} should be put in the files for {key}?"},
	{"Between the receipts lay a slip with {key} on one side and the {kind} {value} on the other.", "What {kind} was on the slip about {key}?"},
	{"Whoever looks after {key} needs to know one {kind}: {value}.", "What {kind} must whoever looks after {key} know?"},
	{"The radio repeated it twice, {key}, {kind} {value}, over.", "What {kind} did the radio repeat for {key}?"},
	{"On the back of the photograph {key} had written {value} and, beneath it, the word {kind}.", "What {kind} was written on the back of the photograph of {key}?"},
	{"The contract binds {key} to the {kind} {value} until further notice.", "To which {kind} does the contract bind {key}?"},
	{"You will recognise {key} by a {kind} that nobody else has: {value}.", "By which {kind} will I recognise {key}?"},
	{"Lab journal, bench three: {key} gave a {kind} of {value}.", "What {kind} did {key} give at bench three?"},
	{"The translator left {value} untouched because it is the {kind} of {key}.", "What did the translator leave untouched as the {kind} of {key}?"},
	{"Engraved on the lid: {key} / {kind} / {value}.", "Which {kind} of {key} is engraved on the lid?"},
	{"There is only one {kind} that opens anything at {key}, and that is {value}.", "What is the only {kind} that opens anything at {key}?"},
	{"Customs cleared {key} after the {kind} turned out to be {value}.", "What did the {kind} of {key} turn out to be at customs?"},
	{"According to the lighthouse log, {key} signalled {value} as its {kind}.", "What {kind} did {key} signal according to the lighthouse log?"},
	{"The apprentice memorised a {kind} for {key} by singing it, {value}.", "What {kind} for {key} did the apprentice memorise?"},
	{"Please forward to {key}, whose {kind} remains {value}.", "What does the {kind} of {key} remain?"},
	{"Footnote 12 traces {key} back to the {kind} {value}.", "To which {kind} does footnote 12 trace {key} back?"},
	{"The second envelope held nothing but the {kind} of {key}; it said {value}.", "What did the second envelope say the {kind} of {key} was?"},
	{"In the new register the line for {key} has {value} in the column {kind}.", "What is in the column {kind} for {key} in the new register?"},
	{"All that survives of {key} is a {kind}, {value}.", "Which {kind} is all that survives of {key}?"},
	{"The tour guide insisted that the {kind} of {key} should be pronounced slowly: {value}.", "What {kind} of {key} did the tour guide pronounce slowly?"},
	{"Stock taking produced a surprise: {key} still carried the {kind} {value}.", "What {kind} did {key} still carry at stock taking?"},
	{"He whispered \"{value}\" when the porter asked for the {kind} of {key}.", "What did he whisper as the {kind} of {key}?"},
	{"The museum bought {key} together with its {kind}, catalogued as {value}.", "How is the {kind} of {key} catalogued by the museum?"},
	{"Three witnesses agree on the {kind} of {key}, and all three say {value}.", "What {kind} of {key} do the three witnesses agree on?"},
	{"A postscript adds that {key} changed the {kind} to {value} last spring.", "To what did {key} change the {kind} last spring?"},
	{"Chalked on the slate beside {key} stood the {kind} {value}.", "Which {kind} stood chalked beside {key}?"},
	{"The fine print names {value} as the {kind} reserved for {key}.", "What does the fine print reserve for {key} as {kind}?"},
	{"Nobody but the caretaker knows that {key} has the {kind} {value}.", "Which {kind} of {key} does only the caretaker know?"},
	{"Ticket closed; {key} was missing its {kind}, now {value}.", "What is the {kind} of {key} now that the ticket is closed?"},
	{"To reach {key} the expedition relied on one {kind}, that is, {value}.", "On which {kind} did the expedition rely to reach {key}?"},
	{"The old song about {key} hides a {kind} in its last verse: {value}.", "What {kind} does the song about {key} hide?"},
	{"Delivered today: {key}, one piece, {kind} {value}, undamaged.", "What was the {kind} of {key} as delivered?"},
	{"Rumour had it otherwise, but the {kind} of {key} is plainly {value}.", "What, plainly, is the {kind} of {key}?"},
	{"The gardener filed {value} under {key}, next to the heading {kind}.", "What {kind} did the gardener file under {key}?"},
	{"Should {key} call, read out the {kind} {value} and hang up.", "Which {kind} should be read out if {key} calls?"},
	{"The verdict mentions {key} once, for the {kind} {value}.", "For which {kind} does the verdict mention {key}?"},
	{"A sticker reading {value} marks the {kind} of {key}.", "What does the sticker with the {kind} of {key} read?"},
	{"Half the village can recite the {kind} of {key}, {value}, by heart.", "Which {kind} of {key} can half the village recite?"},
	{"The spreadsheet had one filled row: {key} | {kind} | {value}", "What {kind} is in the filled row for {key}?"},
	{"Archivists matched {key} to a {kind} nobody had claimed, {value}.", "To which {kind} did archivists match {key}?"},
	{"My grandmother kept the {kind} of {key} in a tin: {value}.", "Which {kind} of {key} was kept in a tin?"},
	{"If the {kind} is {value}, the visitor must be from {key}.", "Which {kind} tells that the visitor is from {key}?"},
	{"The board voted seven to two to give {key} the {kind} {value}.", "What {kind} did the board vote to give {key}?"},
	{"Found in the attic: a note on {key} giving its {kind}, {value}.", "What {kind} of {key} did the note in the attic give?"},
}

// A valueKind is a kind of value: what it is called and how one is drawn.
type valueKind struct {
	noun  string
	value func(rng *rand.Rand) string
}

var heldOutValues = []valueKind{
	{"door code", func(rng *rand.Rand) string { return digits(rng, 4) }},
	{"account number", func(rng *rand.Rand) string { return digits(rng, 9) }},
	{"gauge reading", func(rng *rand.Rand) string { return digits(rng, 2) + "." + digits(rng, 3) }},
	{"asking price", func(rng *rand.Rand) string { return "€" + digits(rng, 1) + "," + digits(rng, 3) + ".50" }},
	{"expiry date", func(rng *rand.Rand) string {
		return fmt.Sprintf("20%02d-%02d-%02d", 10+rng.IntN(80), 1+rng.IntN(12), 1+rng.IntN(28))
	}},
	{"founding day", func(rng *rand.Rand) string {
		return fmt.Sprintf("%d %s %d", 1+rng.IntN(28), pick(rng, months), 1700+rng.IntN(300))
	}},
	{"departure time", func(rng *rand.Rand) string { return fmt.Sprintf("%02d:%02d", rng.IntN(24), rng.IntN(60)) }},
	{"paint colour", func(rng *rand.Rand) string { return "#" + hexDigits(rng, 6) }},
	{"checksum", func(rng *rand.Rand) string { return hexDigits(rng, 12) }},
	{"record id", func(rng *rand.Rand) string {
		return strings.Join([]string{hexDigits(rng, 8), hexDigits(rng, 4), "4" + hexDigits(rng, 3), "a" + hexDigits(rng, 3), hexDigits(rng, 12)}, "-")
	}},
	{"host address", func(rng *rand.Rand) string {
		return fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), 1+rng.IntN(254))
	}},
	{"hardware address", func(rng *rand.Rand) string {
		pairs := make([]string, 6)
		for i := range pairs {
			pairs[i] = hexDigits(rng, 2)
		}
		return strings.Join(pairs, ":")
	}},
	{"firmware release", func(rng *rand.Rand) string {
		return fmt.Sprintf("v%d.%d.%d-rc%d", rng.IntN(9), rng.IntN(30), rng.IntN(30), 1+rng.IntN(8))
	}},
	{"mail address", func(rng *rand.Rand) string {
		return strings.ToLower(pick(rng, heldOutFirst)+"."+pick(rng, heldOutLast)) + "@" + pick(rng, heldOutWords) + ".example"
	}},
	{"backup path", func(rng *rand.Rand) string {
		return "/srv/" + pick(rng, heldOutWords) + "/" + pick(rng, heldOutWords) + "-" + digits(rng, 2) + ".tar"
	}},
	{"number plate", func(rng *rand.Rand) string {
		return strings.ToUpper(inventedName(rng)[:3]) + " " + digits(rng, 2) + " " + digits(rng, 2)
	}},
	{"position", func(rng *rand.Rand) string {
		return digits(rng, 2) + "." + digits(rng, 4) + " N, " + digits(rng, 2) + "." + digits(rng, 4) + " E"
	}},
	{"passphrase", func(rng *rand.Rand) string {
		words := make([]string, 4)
		for i := range words {
			words[i] = pick(rng, heldOutWords)
		}
		return strings.Join(words, "-")
	}},
	{"watchword", func(rng *rand.Rand) string { return pick(rng, heldOutWords) }},
	{"contact person", func(rng *rand.Rand) string { return pick(rng, heldOutFirst) + " " + pick(rng, heldOutLast) }},
	{"phone line", func(rng *rand.Rand) string {
		return "+" + digits(rng, 2) + " " + digits(rng, 3) + " " + digits(rng, 6)
	}},
	{"symbol name", func(rng *rand.Rand) string {
		return pick(rng, heldOutWords) + title(pick(rng, heldOutWords)) + title(pick(rng, heldOutWords))
	}},
	{"environment flag", func(rng *rand.Rand) string {
		return strings.ToUpper(pick(rng, heldOutWords) + "_" + pick(rng, heldOutWords))
	}},
	{"favourite novel", func(rng *rand.Rand) string {
		return "The " + title(pick(rng, heldOutWords)) + " of " + title(pick(rng, heldOutWords)) + " " + title(pick(rng, things))
	}},
}

// heldOutKeys draw what a value belongs to.
var heldOutKeys = []func(rng *rand.Rand) string{
	func(rng *rand.Rand) string { return pick(rng, heldOutFirst) + " " + pick(rng, heldOutLast) },
	func(rng *rand.Rand) string { return "Dr. " + inventedName(rng) + " " + pick(rng, heldOutLast) },
	func(rng *rand.Rand) string { return "trawler " + title(pick(rng, heldOutWords)) + " " + digits(rng, 2) },
	func(rng *rand.Rand) string { return digits(rng, 2) + " " + inventedName(rng) + " Terrace" },
	func(rng *rand.Rand) string {
		return "asset " + strings.ToUpper(inventedName(rng)[:2]) + "-" + digits(rng, 4)
	},
	func(rng *rand.Rand) string {
		return "project " + title(pick(rng, heldOutWords)) + " " + title(pick(rng, things))
	},
	func(rng *rand.Rand) string { return "vault " + digits(rng, 3) },
	func(rng *rand.Rand) string { return inventedName(rng) + " Cooperative" },
	func(rng *rand.Rand) string { return pick(rng, heldOutWords) + title(pick(rng, things)) + "()" },
	func(rng *rand.Rand) string { return "Camp " + inventedName(rng) },
	func(rng *rand.Rand) string { return "the " + pick(rng, epithets) + " " + pick(rng, things) },
}

// hexDigits is n random digits of base 16, in lower case.
func hexDigits(rng *rand.Rand, n int) string {
	const all = "0123456789abcdef"
	var b strings.Builder
	for range n {
		b.WriteByte(all[rng.IntN(len(all))])
	}
	return b.String()
}

// title makes the first letter of an ASCII word a capital.
func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

var (
	months       = strings.Fields("January February March April May June July August September October November December")
	heldOutFirst = strings.Fields(`Anselm Benedetta Caspian Dagny Eluned Fenella Gunnar Hyacinth Isolde Joaquim
		Kasimir Leocadia Malachy Nerys Octavian Perpetua Quentin Rosalba Sigrun Tancred Ursula Valdemar Wilhelmina
		Xanthe Yorick Zenobia Aurelio Birgitta Cosima Drusilla`)
	heldOutLast = strings.Fields(`Abernathy Bexley Cavendish Dunmore Ekberg Farquhar Grimaldi Holloway Ibsen
		Jernigan Kowalczyk Lindqvist Montefiore Norrington Oyelaran Pemberton Quigley Ravenscroft Szabo
		Thistlewood Underhill Vasquez Wetherby Yamazaki Zielinski Ashdown Blackwood Corrigan`)
	heldOutWords = strings.Fields(`alabaster bramble cinnabar dovetail ember fathom gossamer halcyon isthmus
		juniper kestrel lacquer meridian nettle obsidian parsnip quartz rosemary saffron tamarind umbra
		vermilion willow yarrow zephyr almanac barnacle caldera driftwood eddy flotsam glacier hemlock
		inkstone jackdaw keystone lichen marzipan nimbus oxbow pewter quiver ricochet sextant thimble`)
)
