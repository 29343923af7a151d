package data

import (
	"math/rand/v2"
	"strings"
)

// A carrier is a sentence that tells of a value by the way, with questions in
// its own words. Its slots are, besides {A}, {E} and {V}:
//
//	R who (in small letters)  W what they did, B its base form  N, M nouns
//	J an adjective  P where or when  C what else happened
//
// What goes around a carrier has slots of its own: D, F, Q, S and X.
// The same form comes with thousands of nouns, verbs and clauses, so that what
// can be learned of it is how a value stands in a sentence, not the sentence.
type carrier struct {
	say string // begins with a small letter, has no full stop
	ask []string
}

// carrierTable has a carrier a paragraph: the statement, then the questions.
const carrierTable = `
{R} {W} the {A} of {E} {P}[:|,| –|;] {V}
What {A} of {E} did {R} {B} {P}?|Which {A} did {R} {B} for {E}?|What did {R} {B} as the {A} of {E}?

{R} {W} {V} {P} as the {A} [of|for] {E}
What did {R} {B} {P} as the {A} of {E}?|Which {A} of {E} was {W} {P}?|What {A} did {R} {B} for {E}?

{R} {W} {E} and found [a|one|its|the] {A}[, | – |: |, namely ]{V}
Which {A} did {R} find when they {W} {E}?|What {A} did {R} find on {E}?|What is the {A} that {R} found?

the {N} {P} [names|carries|shows|bears|mentions] {E} and, [beside|below|under] it, [the|a] {A} {V}
Which {A} does the {N} {P} [name|carry|show] for {E}?|What {A} stands on the {N} of {E}?

{R} {W} the {N} of {E}, [for|because|since|as] the {A} had [become|turned into|changed to] {V}
What had the {A} of {E} [become|changed to|turned into]?|To what had the {A} of {E} changed when {R} {W} the {N}?

[no|not a single|hardly a] {N} {P} had [another|a different] {A} than {V} after {E} was {W}
What {A} did each {N} have after {E} was {W}?|Which {A} was there after {E} was {W}?

{E}, {W} {P}, [kept|lost|received|asked for] the {A} {V}
Which {A} did {E}[, {W} {P},|] [keep|lose|receive|ask for]?|What {A} of {E} is told of {P}?

{V} [is|was|remained] what {R} {W} when [asked|pressed] for the {A} of {E}
What did {R} {B} when asked for the {A} of {E}?|What was {W} as the {A} of {E}?

a {J} {N} {P} [holds|hides|keeps|gives away] the {A} [of|for] {E}[: |, | – |; it reads |, and it says ]{V}
What {A} of {E} does the {J} {N} [hold|hide|keep|give away]?|What does the {J} {N} say the {A} of {E} is?|Which {A} for {E} is [in|on] the {J} {N}?

{C} before {R} could {B} the {A} {V} to {E}
Which {A} was {R} to {B} to {E}?|What {A} did {E} wait for while {C}?

{R} [would not|could not|had to|wanted to] {B} {E} without [a|the] {A}, and [chose|took|wrote] {V}
Without which {A} would {R} not {B} {E}?|What {A} did {R} choose for {E}?

of all that was {W} {P}, only the {A} of {E} [matters|counts|is left]: {V}
Which {A} of {E} [matters|counts|is left] of all that was {W}?|What is left of {E}: which {A}?

[two|three|four|several|both] {N}s [confirm|agree on|share|repeat] the {A} of {E}[: |, | and say |, which is ]{V}
What {A} of {E} do the {N}s [confirm|agree on|share|repeat]?|On what {A} of {E} do the {N}s agree?

{E} and its {A}, {V}, were {W} {P}
Which {A} was {W} together with {E}?|What {A} of {E} was {W} {P}?

{E} [arrived|came|returned|left|was {W}] {P} with the {A} {V}
With which {A} did {E} [arrive|come|return]?|What {A} had {E} {P}?

{E} [has been {W}|is {W}] under the {A} {V}
Under which {A} has {E} been {W}?|Under what {A} is {E} {W}?

{V} [replaced|took the place of|follows|came after] the old {A} of {E}
What [replaced|took the place of] the old {A} of {E}?|What is the new {A} of {E}?

{R} {W} {V}, [believing|thinking|knowing] it [was|to be] the {A} of {E}
What did {R} {B}, [believing|thinking] it was the {A} of {E}?|What was {W} as the {A} of {E}?

[if|when|whenever|unless] {E} is {W}, [use|say|write down|give|expect] the {A} {V}
Which {A} should one [use|say|write down|give] [if|when] {E} is {W}?|What {A} is to be used when {E} is {W}?

[if|when] you see {V} {P}, [think of|it must be|you have found|that is] the {A} of {E}
What does one see {P} as the {A} of {E}?|Which {A} tells that it is {E}?

[if|when] the {A} [says|reads|is] {V}, then {R} [knows|can tell] that it [comes from|belongs to|is] {E}
Which {A} tells {R} that it is {E}?|By which {A} does {R} know {E}?|What does the {A} say for {E}?

the {N} {W} {P} [reads|says|shows|spells|has] {V}, which is the {A} of {E}
What does the {N} {W} {P} [read|say|show|spell]?|What does the {N} give as the {A} of {E}?

[on|in|under|inside] the {N} of {E} {R} {W} [a|one|the] {A}[: |, | – |, namely ]{V}
Which {A} did {R} {B} [on|in|under|inside] the {N} of {E}?|What {A} was on the {N} of {E}?

{R}, who {W} {E} {P}, still [remembers|recites|quotes|has] the {A}[: |, | ]{V}
What {A} of {E} does {R} still [remember|recite|quote|have]?|Which {A} does the one who {W} {E} remember?

"{^E}?" {R} {W}. "[The {A}|Its {A}] [is|was|will be|must be] {V}."
What did {R} say the {A} of {E} [is|was]?|What {A} did {R} name for {E}?|Which {A} did they speak of with {E}?

"[And|But|So] what of {E}?" "[Take|Write|Try|Say] {V} [as|for] the {A}," {R} [said|answered|told {J} {N}]
What did {R} say to [take|write|try] as the {A} of {E}?|Which {A} did they name for {E}?

{R} [paid|asked|waited|argued] {P} and [got|left with|settled on|was given] {V}, the {A} of {E}
What did {R} [get|settle on] as the {A} of {E}?|Which {A} of {E} was {R} given?

{E}[: |; |, ][one {N}, |{J}, |two {N}s, |][{A} {V}|{A}: {V}][, {J}|, {W}|; {J} {N}]
What {A} is listed [with|for] {E}?|What was the {A} of {E}?|Which {A} did {E} have?

[{N}|{^N}|{M} {N}|The {N}][: |, | – |. ]{E}[, |; |: ]{A} [{W} as|{W}|now|then|given as|:|=] {V}
What {A} was {W} for {E}?|What {A} does the {N} give for {E}?|What is the {A} of {E} now?

{N} [of the {M}|{W}|no. 4|{P}][: |; |, ]{A}[, |; |: |/]{E}[, |; |: |/]{V}
What {A} is on the {N} for {E}?|Which {A} is {W} for {E}?|Which {A} of {E} is on the {N}?

{N} {M} [FOR|FROM|ON|TO] {E} [USES|NEEDS|TAKES|SHOWS|AT] {A} {V} [OVER|END|OUT|{^J}]
Which {A} [does|did] {E} [use|need|take|show]?|What {A} was sent for {E}?

{W}: {E}, {A} {V}
Which {A} of {E} was {W}?|What {A} is {W} for {E}?

{R} {W} that {E} [be given|needs|deserves|has|uses] the {A} {V}
What {A} did {R} {B} that {E} [has|needs|be given]?|Which {A} should {E} have?|Which {A} does {E} use?

{R} {W} the {N} {P}; [it|this|that] gave {E} the {A} {V}
What {A} did the {N} give {E}?|Which {A} has {E} now that {R} {W} the {N}?

[it|this] took {R} [an hour|two days|all night] to {B} the {A} of {E}[, | – |: |, which is |; it is ]{V}
What {A} of {E} did it take {R} so long to {B}?|Which {A} of {E} did {R} {B}?

[it|this] took {R} [an hour|a week|ages] to see that {E} [has|had|uses|needs] {V} [as|for] [its|the|a] {A}
What does {E} have as its {A}?|What did {R} see that {E} uses as {A}?|What {A} did {E} turn out to have?

the {N} [leads|goes back|points|is owed] to {E}, [with|by|for] the {A} {V}
With which {A} does the {N} lead to {E}?|Which {A} of {E} does the {N} point to?

{R} [followed|tracked|led|took|sent|traced] {E} {P} [to|as far as|by way of] the {A} {V}
To which {A} did {R} [follow|track|lead|trace] {E}?|What {A} did {R} come to with {E}?

[there is|there was|they had|we know of] [a|one|only one|a single] {A} {P} for {E}[: |, | – |, and that is |, to be exact, ]{V}
What is the [only|one] {A} {P} for {E}?|Which {A} is there for {E}?|What {A} do they have for {E}?

{R} {W} a {N} with the {A} [of|for] {E} [on it|in it|written on it|]: {V}
What {A} was on the {N} that {R} {W}?|Which {A} of {E} was written on the {N}?

the {J} {N} [is called|is known to {R} as|means] {V}, [but|and|which] {E} [calls it|has it as|keeps it for] [a|the|its] {A}
What does {E} [call|have as|keep for] its {A}?|What is the {A} that {E} has for the {J} {N}?

what {R} {W} {P} was {V}, [nothing but|in short,|quite simply] the {A} of {E}
What did {R} {B} {P}?|What was {W} as the {A} of {E}?

[then|since then|later], {E} [went by|lived on|was sold under|answered to] the {A} {V}
By which {A} did {E} go?|What {A} did {E} answer to?|Under which {A} was {E} sold?

{R} {W} {E} for [its|the|a] {A}, {V}
For which {A} did {R} {B} {E}?|What {A} of {E} made {R} {B} it?

{E} was {W} once, [for|under|with|over] the {A} {V}
[For|Under|With|Over] which {A} was {E} {W} once?|What was the {A} of {E} when it was {W}?

[a|the|one] {A} of {V} was {W} [for|by|at|on] {E} {P}
What {A} was {W} [for|by|at|on] {E}?|Which {A} did {E} have {P}?|What was the {A} of {E}?

{E} [gave|returned|showed|had|yielded] a {A} of {V} {P}
What {A} did {E} [give|return|show|yield] {P}?|What was the {A} of {E}?

{E} [owes|lends|leaves|sends] {R} {V} as [a|the|its] {A}
What does {E} [owe|lend|leave|send] {R} as {A}?|Which {A} does {R} have from {E}?

the {A}, {R} {W}, [was|is|had to be] {V} [for|with|at|in the case of] {E}
What, {W} {R}, was the {A} for {E}?|What did {R} {B} the {A} of {E} was?

[and|but|so|yet] the {A} [was|came|stood|went] [like this|thus|as follows], [for|at least for] {E}: {V}
How did the {A} [come|stand|go] for {E}?|What was the {A} for {E}?

{R} [gave|named|left|put] {E} as the {N} and {V} as the {A}
What did {R} [give|name|leave|put] as the {A} with {E} as the {N}?|The {N} is {E}: what is the {A}?|Which {A} goes with {E}?

{R} [gave|named|left|put] {V} as the {A} and {E} as the {N}
What did {R} [give|name|leave|put] as the {A} with {E}?|The {N} was {E}: what was the {A}?

in the {N} [for|of|about] {E}, under {A}, [we read|one finds|it says|stands|there is] {V}
What stands under {A} in the {N} for {E}?|What does one find under {A} in the {N} of {E}?

in the {N} [column|row|drawer|box|field] {A} [for|of] {E} [we read|one finds|it says|stands|there is] {V}
What stands in the {N} for {E} under {A}?|What is in the {A} [column|row|field] for {E}?

{V}, {W} {P}, [is|was|became] the {A} of {E}
What, {W} {P}, [is|was] the {A} of {E}?|Which {A} did {E} have?

{R} [filed|kept|saw|hung|laid] {V} [under|beside|next to|above|below] the {A} of {E}
What did {R} [file|keep|hang|lay] [under|beside|next to|above] the {A} of {E}?|What was kept with the {A} of {E}?

{R} [filed|kept|saw|hung] {V} [under|beside|next to|above|below] {E}, [in place of|with the label|where it said|as a] {A}
What did {R} [file|keep|hang] [under|beside|next to|above] {E} as {A}?|Which {A} was kept with {E}?

{R} [left|wrote|typed|drew] {V} {P} [as|for] [the|a] {A} of {E} and {W} the {N}
What did {R} [leave|write|type|draw] {P} as the {A} of {E}?|What {A} of {E} was left {P}?

{R} {W} {V} [unread|unchanged|aside|twice|back], [as|since|because] it was the {A} of {E}
What did {R} {B} as the {A} of {E}?|What was {W} because it was the {A} of {E}?

"{V}," {R} {W} [when|as|after] {E} [asked|came up|was named], [for|that was] the {A}
What did {R} {B} when {E} was named?|What is the {A} that {R} {W} for {E}?

{R} {W} "{V}" when {E} [wanted|needed|lost] [a|the|its] {A}
What did {R} {B} when {E} [wanted|needed|lost] a {A}?|Which {A} did {R} have for {E}?

[after|before|during|until] {E}'s {N}, [its|the] {A} [was|is|had been] {V}
What was the {A} [after|before|during|until] {E}'s {N}?|Which {A} belonged to {E}'s {N}?

{E} is the {N} with the {A} {V}
Which {A} does the {N} {E} have?|With which {A} is {E} the {N}?|What is the {A} of the {N} {E}?

{E}, [a|the] {J} {N} {P}, has [a|one|the] {A} [of|in] {V}
What {A} has {E}, the {J} {N}?|Which {A} does {E} have {P}?

[I|we|they] [owe|sold|promised|gave] {E} a {N}, and {E} [gave|sent|told] [me|us|them] {V}, [a|the|its] {A}
Which {A} did {E} [give|send|tell] in return for the {N}?|What {A} did {E} give?

{R} [thanks|blames|greets|accepts] {E} [by|through|with] the {A}, [which is|that is|always] {V}
With which {A} does {R} [thank|greet|accept] {E}?|What is the {A} by which {R} greets {E}?

{E}'s {N} [has|had|bore|shows] the {A} {V} {P}
Which {A} does {E}'s {N} [have|show|bear]?|What is the {A} of {E}'s {N}?

{R} changed the {A} of {E} from [nothing|none|a blank|the usual] to {V} {P}
To what did {R} change the {A} of {E}?|What is the {A} of {E} since {R} changed it?

{R} ({E}, {A} {V}) {W} the {N}
What {A} is given for {E} in brackets?|Which {A} stands beside {E}?

{A}s were {W} {P}: {E} got {V}
Which {A} did {E} get?|What {A} was {W} for {E}?

{R} {W} [that|how] {V} had become the {A} of {E} {P}
What had become the {A} of {E}?|What did {R} {B} had become the {A} of {E}?

{R} asks [everyone|the {N}] to {B} {V}, the {A} [of|for] {E}
What does {R} ask everyone to {B}?|What {A} of {E} should everyone {B}?
`

// leads and tails go around a carrier; a value that ends it must not run on
// into words.
var (
	leads = []string{
		"", "", "", "", "", "{^Q}, ", "{^Q}, ", "{^F}, and ", "{^F}; ", "[although|while|when|because|after|once] {F}, ",
		"{F}, [but|so|yet] ", "[at first|in the end|at last|later|meanwhile|of course|as it happens|to be fair|luckily|by all accounts|strange to say], ",
		"[as|when] {S} {X} the {M}, ", "{^S} [said|wrote|thought|heard|swore] that ", "[he|she|they] [noted|added|noticed|repeated]: ",
		"[page|line|item|note|chapter] [3|12|47|VI]: ", "{^M} {N}: ", "{^J} {N}, ", "P. S. ", "[thus|here|there|today|yesterday|tomorrow]: ",
	}
	tails = []string{
		".", ".", ".", ".", "", "!", "...", ", [and|but|so|though|while] {D}.", "; {D}.", ", [{J}|{J} and {X}].", ", [as|where|which] {S} {X}.", " – {D}.",
		" ({D}).", ", {Q}.", ". {^D}.", ", [not|never] [the {M}|before|again].",
	}
	loose = []string{" {Q}.", " [and|but|while|until|as|because] {D}.", " [again|twice|only|too|forever|instead]."}
)

// occurred is what happened to nothing in particular.
var occurred = strings.Fields(`answered arrived ached barked bled boiled broke burned burst closed collapsed cooled cracked cried danced dripped
dried failed faded fell flickered froze gathered glittered grew hesitated hummed laughed leaked left listened melted moved paused played
rang returned rotted ran sang sank shook shone slept slipped smiled smoked spread stopped swam trembled turned vanished waited waved whistled woke worked`)

// pastVerbs are pairs of a verb and its past tense.
var pastVerbs = strings.Fields(`admit admitted announce announced approve approved arrange arranged borrow borrowed bring brought bury buried carry carried
carve carved check checked choose chose circle circled claim claimed collect collected confirm confirmed copy copied correct corrected cover covered
decipher deciphered defend defended deliver delivered demand demanded describe described discover discovered display displayed draw drew enter entered
erase erased examine examined exchange exchanged explain explained fetch fetched forget forgot forward forwarded frame framed guess guessed hand handed
hear heard hide hid honour honoured ignore ignored inspect inspected issue issued keep kept list listed lose lost mark marked measure measured mention mentioned
misread misread move moved note noted notice noticed offer offered order ordered paint painted paste pasted pick picked praise praised prefer preferred print printed
promise promised protect protected publish published quote quoted raise raised reach reached read read recall recalled receive received recite recited
recommend recommended record recorded refuse refused register registered reject rejected remember remembered remove removed repeat repeated report reported
request requested rescue rescued reveal revealed scratch scratched seal sealed send sent sew sewed show showed sign signed sing sang sketch sketched spell spelled
stamp stamped state stated suggest suggested teach taught test tested translate translated trust trusted type typed underline underlined verify verified whisper whispered
withdraw withdrew write wrote`)

var roles = strings.Fields(`accountant ambassador apprentice archivist auditor aunt baker barber bishop boatman brother butcher captain carpenter cashier chairman chemist
clerk coach colonel commissioner conductor cook courier cousin customer daughter dealer deputy detective director doctor driver engineer envoy farmer
foreman friend gardener gambler general guard guest guide heir historian hunter inspector intern janitor jeweller judge juggler lawyer librarian lodger magician
manager mayor mechanic merchant messenger midwife minister monk neighbour nephew notary nurse officer operator painter passenger patient pharmacist
physicist pilot plumber poet porter priest prisoner professor pupil referee sailor scholar sculptor secretary sergeant servant sheriff shepherd singer sister
smith soldier spy steward stoker stranger student surgeon surveyor tenant trainer traveller treasurer twin uncle usher vendor visitor waiter warden widow witness workman writer`)

var carriers = parseCarriers()

func parseCarriers() []carrier {
	var out []carrier
	for entry := range strings.SplitSeq(strings.TrimSpace(carrierTable), "\n\n") {
		say, ask, ok := strings.Cut(entry, "\n")
		if !ok {
			panic("data: carrier table: " + entry)
		}
		out = append(out, carrier{say, splitFrames(ask)})
	}
	return out
}

// carry fills a carrier's own slots, and dresses its statement.
func (c *carrier) carry(r *rand.Rand) (frame string, s slots) {
	set := func(slot byte, v string) { s[slot-'A'] = v }
	verb := r.IntN(len(pastVerbs)/2) * 2
	set('R', someone(r))
	set('B', pastVerbs[verb])
	set('W', pastVerbs[verb+1])
	set('N', pick(r, words))
	set('M', pick(r, words))
	set('J', pick(r, adjectives))
	set('P', somewhere(r))
	set('C', happening(r))
	set('D', happening(r))
	set('F', happening(r))
	set('Q', somewhere(r))
	set('S', someone(r))
	set('X', pastVerbs[r.IntN(len(pastVerbs)/2)*2+1])
	lead, tail := pick(r, leads), pick(r, tails)
	if !strings.HasSuffix(c.say, "{V}") && chance(r, 0.3) {
		tail = pick(r, loose)
	}
	say := c.say
	switch {
	case lead == "" && say[0] == '{' && !strings.HasPrefix(say, "{V}"):
		say = "{^" + say[1:]
	case lead == "" && chance(r, 0.9):
		say = raise(say)
	}
	if lead != "" && lead[0] != '{' && chance(r, 0.85) {
		lead = raise(lead)
	}
	if strings.HasSuffix(say, "\"") || strings.HasSuffix(say, ".\"") {
		tail = strings.TrimSuffix(tail, ".")
	}
	return lead + say + tail, s
}

// raise writes the first letter of a frame large, in each of its alternatives.
func raise(frame string) string {
	if frame == "" || frame[0] != '[' {
		return capitalise(frame)
	}
	end, cuts := alternatives(frame, 0)
	var b strings.Builder
	for i := range len(cuts) - 1 {
		b.WriteByte(frame[cuts[i]])
		if alt := frame[cuts[i]+1 : cuts[i+1]]; alt != "" {
			b.WriteString(strings.ToUpper(alt[:1]) + alt[1:])
		}
	}
	return b.String() + frame[end:]
}

func someone(r *rand.Rand) string {
	switch x := r.IntN(10); {
	case x == 0:
		return pick(r, firstNames)
	case x == 1:
		return pick(r, []string{"half the ", "every ", "no ", "only the ", "neither "}) + pick(r, roles)
	case x == 2:
		return pick(r, []string{"my ", "our ", "his ", "her ", "their ", "your "}) + pick(r, roles)
	case x < 5:
		return "the " + pick(r, adjectives) + " " + pick(r, roles)
	case x == 5:
		return article(pick(r, roles))
	case x == 6:
		return pick(r, []string{"the " + pick(r, words) + " " + pick(r, roles), "the " + pick(r, roles) + "s", "somebody", "nobody", "everyone", "the " + pick(r, roles) + "'s " + pick(r, roles)})
	}
	return "the " + pick(r, roles)
}

func somewhere(r *rand.Rand) string {
	the := func() string {
		return pick(r, []string{"the ", "the ", "a ", "the " + pick(r, adjectives) + " "}) + pick(r, words)
	}
	switch r.IntN(8) {
	case 0:
		return pick(r, []string{"at noon", "at dawn", "last week", "this morning", "three days later", "by night", "in spring", "long ago", "twice a year", "on a " + pick(r, weekdays), "before breakfast", "in " + pick(r, months), "at once"})
	case 1:
		return pick(r, []string{"on page ", "in chapter ", "in room ", "at table ", "on line ", "in volume ", "at gate ", "on floor "}) + pick(r, []string{"two", "nine", "twelve", integer(r, 1), integer(r, 2)})
	}
	return pick(r, []string{"on", "in", "under", "behind", "near", "above", "beside", "inside", "across", "outside", "beneath", "at", "on the back of", "in the middle of", "at the foot of", "next to"}) + " " + the()
}

func happening(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return "the " + pick(r, words) + "s " + pick(r, occurred)
	case 1:
		v := r.IntN(len(pastVerbs)/2)*2 + 1
		return someone(r) + " " + pastVerbs[v] + " the " + pick(r, words)
	case 2:
		return "the " + pick(r, adjectives) + " " + pick(r, words) + " " + pick(r, occurred)
	}
	return someone(r) + " " + pick(r, occurred) + pick(r, []string{"", " " + somewhere(r)})
}
