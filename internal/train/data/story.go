package data

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// storyQuestion asks for one slot of a story; the others make it plain which.
type storyQuestion struct {
	slot   byte
	frames []string
}

// storyKind is a passage of several sentences. Its lines share the slots that
// make chooses; questions must single out one passage of an example, so they
// name a slot that is unique in it.
type storyKind struct {
	lines     []string // written one after the other
	join      string
	questions []storyQuestion
}

// The slots of stories:
//
//	P, Q persons   T time    D day or date   L place   O object   N number
//	M money        U unit    S quoted speech R reply   W adjective+noun  C code
//	H hour label   F feeling K trade
var storyKinds = []storyKind{
	{
		lines: []string{
			"[On|It was on] {D}[,|] {P} [came to|arrived in|travelled to|reached] {L}[.| with {Q}.]",
			"[He|She|They] [carried|had brought|was carrying|held] {O}[ and little else|, wrapped in cloth||, as always].",
			"[At|Towards|A little before|Just after] {T}, [the rain began|a bell rang|somebody knocked|the lights went out].",
			"[The landlord|The clerk|A porter|The widow at the desk] [asked for|wanted|demanded|charged] {M} [for the night|for the room|and not a penny less].",
		},
		join: " ",
		questions: []storyQuestion{
			{'O', []string{"What did {P} [carry|bring|hold|have with them] [in {L}|when they came to {L}|]?", "What was {P} carrying?", "Which object did {P} [bring|carry]?", "What had {P} brought?"}},
			{'L', []string{"Where did {P} [go|arrive|travel|come to] on {D}?", "To which place did {P} travel?", "Where did {P} arrive?", "Which town did {P} reach?", "Where was {P} with {O}?"}},
			{'D', []string{"When did {P} [come to|arrive in|reach] {L}?", "On what day did {P} [arrive|travel to {L}]?", "What was the date of {P}'s arrival?"}},
			{'M', []string{"How much was {P} asked to pay?", "What did the night in {L} cost {P}?", "How much did they charge {P}?", "What was the price of {P}'s room?"}},
		},
	},
	{
		lines: []string{
			"[Minutes|Notes|Record] of the [meeting|committee|board] on {D}, chaired by {P}.",
			"[Present were|Attending] {P}, {Q} and others.",
			"[It was agreed|The board decided|It was resolved] to [buy|order|repair|sell] {O} for {M}.",
			"{Q} [will|is to|promised to|undertook to] [report|answer|finish the work] by {T}.",
			"[The next meeting is in|We meet again in|The following session takes place in] {L}.",
		},
		join: "\n",
		questions: []storyQuestion{
			{'D', []string{"When was the meeting chaired by {P}?", "On what date did {P} chair the meeting?", "When did {P} and {Q} meet?"}},
			{'M', []string{"How much will {O} cost according to the minutes?", "For how much did they [buy|order|agree to buy] {O}?", "What is the sum agreed for {O}?"}},
			{'T', []string{"By when [must|will|is] {Q} [report|to report|answer]?", "Until when does {Q} have time?", "What is the time limit for {Q}?"}},
			{'L', []string{"Where is the next meeting after the one chaired by {P}?", "Where will {P}'s committee meet next?"}},
			{'P', []string{"Who [chaired|led|presided over] the meeting with {Q}?", "Who chaired the meeting on {D}?"}},
		},
	},
	{
		lines: []string{
			"From: {P}", "To: {Q}", "[Date|Sent]: {D}", "Subject: {W}", "",
			"[Hi|Dear|Hello] {Q},",
			"[the|your|our] {O} [is ready|has arrived|can be fetched] [in|at] {L}. [Please bring|You will need|Do not forget] {C}[.| and a pen.]",
			"[We meet|The van leaves|They close] at {T}.",
			"[Yours|Best|Regards|Cheers],", "{P}",
		},
		join: "\n",
		questions: []storyQuestion{
			{'W', []string{"What is the subject of {P}'s mail[ to {Q}|]?", "What is the subject line of the mail from {P}?", "What was the mail to {Q} about?", "What did {P} write to {Q} about?"}},
			{'P', []string{"Who wrote to {Q}?", "Who sent the mail about {W}?", "Who is the sender of the message to {Q}?", "From whom is the mail with the subject {W}?"}},
			{'Q', []string{"To whom did {P} write?", "Who received {P}'s mail?", "Who is the recipient of the message from {P}?"}},
			{'L', []string{"Where can {Q} fetch {O}?", "Where is {O} [to be found|ready|now]?", "Where has {O} arrived?"}},
			{'C', []string{"What must {Q} bring?", "What should {Q} [bring|not forget] to fetch {O}?"}},
			{'T', []string{"At what time, according to {P}'s mail, do they [meet|leave|close]?", "What time does {P} name in the mail to {Q}?"}},
			{'D', []string{"When did {P} write to {Q}?", "On what date was {P}'s mail sent?"}},
		},
	},
	{
		lines: []string{
			"\"{S}\" [said|asked|cried|whispered|shouted|remarked] {P}.",
			"\"{R}\" [answered|replied|returned|said] {Q}[.|, without looking up.|, and closed the door.|, smiling.]",
			"[Nobody spoke|The clock struck|They waited] until {T}.",
		},
		join: " ",
		questions: []storyQuestion{
			{'S', []string{"What did {P} say[ to {Q}|]?", "What were {P}'s words?", "What did {P} [ask|cry|remark|whisper]?", "What did {Q} reply to?"}},
			{'R', []string{"What did {Q} [answer|reply|say]?", "What was {Q}'s [answer|reply]?", "What did {Q} answer when {P} said \"{S}\"?", "How did {Q} answer {P}?", "What did {P} hear in reply?"}},
			{'P', []string{"Who said \"{S}\"?", "Who spoke the words \"{S}\"?", "\"{S}\" - who said [it|that|so]?", "By whom was it said: \"{S}\"?"}},
			{'Q', []string{"Who [answered|replied|said] \"{R}\"?", "Whose answer was \"{R}\"?", "Who replied to {P}?"}},
		},
	},
	{
		lines: []string{
			"[Experiment|Trial|Run|Sample] {C}[.|:]",
			"[The mixture was heated to|We heated it to|Temperature:] {U}[.|, then cooled.]",
			"[After|It took] {N} [minutes|hours] [it turned|the solution became|we saw it turn] {F}.",
			"[Yield|Residue|Mass at the end]: {M}. [Operator|Observed by|Signed]: {P}.",
		},
		join: " ",
		questions: []storyQuestion{
			{'U', []string{"To what temperature was {C} heated?", "How hot was [experiment|sample|trial|run] {C} made?", "Up to what was {C} heated?", "What was the temperature in {C}?"}},
			{'F', []string{"What colour did {C} [turn|become]?", "Which colour had {C} in the end?", "What did the solution in {C} become?"}},
			{'P', []string{"Who [ran|observed|signed|did] {C}?", "Who was the operator of {C}?", "Whose signature is under {C}?"}},
			{'N', []string{"How long did it take in {C}?", "After how many minutes or hours did {C} change?"}},
			{'M', []string{"What was the yield of {C}?", "How much was left of {C}?"}},
		},
	},
	{
		lines: []string{
			"{P} was born in {L} in {Y} and [became|worked as|trained as] {K}.",
			"[He|She] [married|met] {Q} in {Z}[.|, a year of storms.]",
			"[The family owned|They kept|At home they had] {O}[.|, which nobody else had seen.]",
			"[Later|In old age|For years] {P} [lived in|moved to|had a house in] {G}.",
		},
		join: " ",
		questions: []storyQuestion{
			{'L', []string{"Where was {P} born?", "What is {P}'s birthplace?", "In which town was {P} born?"}},
			{'Y', []string{"In which year was {P} born?", "When was {P} born?"}},
			{'K', []string{"What did {P} become?", "What was {P}'s trade?", "What did {P} work as?"}},
			{'Q', []string{"Whom did {P} [marry|meet]?", "Who was it that {P} met or married?", "Whom did {P} meet in {Z}?"}},
			{'Z', []string{"In which year did {P} [marry|meet] {Q}?", "When did {P} meet {Q}?"}},
			{'G', []string{"Where did {P} live later?", "Where was {P}'s later house?"}},
			{'O', []string{"What did the family of {P} [own|keep|have]?"}},
		},
	},
	{
		lines: []string{
			"{P} [lost|left|hid|buried|forgot] {O} {B}.",
			"{Q} [found|discovered|picked up|dug up] it [on|, it is said, on] {D}, and [sold it for|got] {M}[.| for it.]",
		},
		join: " ",
		questions: []storyQuestion{
			{'B', []string{"Where did {P} [lose|leave|hide|forget|put] {O}?", "Where was {O}[ left by {P}|]?", "Where did {Q} find {O}?"}},
			{'Q', []string{"Who found {P}'s [thing|{O}]?", "Who [found|discovered] {O}?"}},
			{'M', []string{"For how much was {O} sold?", "What did {Q} get for {O}?"}},
			{'D', []string{"When did {Q} find {O}?", "On what day was {O} found?"}},
			{'O', []string{"What did {P} [lose|hide|leave|forget] {B}?", "What was [lost|hidden|left] by {P}?", "What did {Q} find?"}},
		},
	},
	{
		lines: []string{
			"{P} works [for|at] {L} as {K}.",
			"[Every|Each] [morning|week|year] {P} [buys|eats|repairs|paints] {O}[.| and tells nobody.| with {Q}.]",
			"[Since|After] {D} [the salary is|the pay has been|they pay] {M}.",
		},
		join: " ",
		questions: []storyQuestion{
			{'K', []string{"What is {P}'s job?", "As what does {P} work?", "What does {P} do at {L}?"}},
			{'L', []string{"Where does {P} work?", "For whom does {P} work?"}},
			{'O', []string{"What does {P} [buy|eat|repair|paint|do with {Q}]?", "Which thing does {P} deal with regularly?"}},
			{'M', []string{"How much is {P} paid?", "What is {P}'s pay?"}},
			{'D', []string{"Since when has {P} been paid {M}?"}},
		},
	},
}

var trades = strings.Fields("carpenter baker weaver surveyor pilot nurse blacksmith printer judge cartographer gardener barber plumber tailor smuggler translator dentist miller fisherman organist glazier cooper bookbinder diver watchmaker")

// storySlots fills every slot; persons and objects are new to the example.
func (w *world) storySlots() (s slots, ok bool) {
	r := w.r
	value := func(name string) string {
		for _, t := range valueTypes {
			if t.name == name {
				return t.make(r)
			}
		}
		panic("data: no value type " + name)
	}
	set := func(slot byte, v string) { s[slot-'A'] = v }
	for _, slot := range []byte{'P', 'Q', 'O', 'C', 'W'} {
		for try := 0; ; try++ {
			var v string
			switch slot {
			case 'P', 'Q':
				v = pick(r, []func(*rand.Rand) string{person, person, entityKinds[4].make, entityKinds[5].make})(r)
			case 'O':
				v = "the " + pick(r, adjectives) + " " + pick(r, words)
			case 'C':
				v = pattern(r, pick(r, []string{"@-##", "@@##", "##-@", "@###"}))
			case 'W':
				v = phrase(r)
			}
			key := strings.ToLower(v)
			if w.usableEntity(v) && !w.names[key] && w.facts.entities[key] == 0 {
				w.names[key] = true
				w.facts.entities[key]++
				set(slot, v)
				break
			}
			if try > 200 {
				return s, false
			}
		}
	}
	set('T', value("time"))
	set('D', pick(r, []string{value("date"), value("day")}))
	set('L', pick(r, []string{place(r), capitalise(pseudoWord(r))}))
	set('G', pick(r, []string{place(r), capitalise(pseudoWord(r))}))
	set('N', integer(r, between(r, 1, 3)))
	set('M', value("money"))
	set('U', integer(r, between(r, 2, 3))+pick(r, []string{" °C", " degrees", " K", "°"}))
	set('S', w.speech())
	set('R', w.speech())
	set('F', value("colour"))
	set('K', "a "+pick(r, trades))
	born := between(r, 1480, 2150)
	set('Y', strconv.Itoa(born))
	set('Z', strconv.Itoa(born+between(r, 17, 60)))
	set('B', pick(r, prepositions[2:])+" the "+pick(r, adjectives)+" "+pick(r, words))
	return s, true
}

// speech is what somebody might say, half the time in the corpus's words.
func (w *world) speech() string {
	if chance(w.r, 0.45) {
		return w.sentence()
	}
	return pick(w.r, []func(*rand.Rand) string{shortSentence, remark, remark, report})(w.r)
}

func remark(r *rand.Rand) string {
	return pick(r, []string{
		"I have not seen the " + pick(r, words) + " since " + pick(r, weekdays) + ".",
		"There are " + pick(r, numberWords[1:]) + " " + pick(r, animals) + "s in the " + pick(r, words) + "!",
		"Why is the " + pick(r, words) + " " + pick(r, adjectives) + "?",
		"Give it back to " + pick(r, firstNames) + ".",
		"We shall " + pick(r, verbs) + " it " + pick(r, []string{"tomorrow", "tonight", "together", "before the war ends", "when the " + pick(r, words) + " is " + pick(r, adjectives)}) + ".",
		"You may " + pick(r, verbs) + " the " + pick(r, words) + " if you " + pick(r, verbs) + " the " + pick(r, words) + " first.",
		"It was " + pick(r, colours) + ", I am sure of it.",
	})
}

// stories hides passages and asks about their facts.
func (w *world) stories(n int) {
	for n > 0 {
		if chance(w.r, 0.35) {
			asked := w.transcript(n)
			if asked == 0 {
				return
			}
			n -= asked
			continue
		}
		s, ok := w.storySlots()
		if !ok {
			return
		}
		kind := &w.g.tables.stories[w.r.IntN(len(w.g.tables.stories))]
		text, at := w.tell(kind, &s)
		spans := make([]span, 26)
		copy(spans, at[:])
		for i := range spans {
			if spans[i].end == 0 {
				spans[i] = span{0, 1}
			}
		}
		block := w.add(text, spans, !strings.Contains(kind.join, "\n"))
		if block < 0 {
			return
		}
		for range min(n, between(w.r, 1, 3)) {
			w.askStory(kind, &s, at, block)
			n--
		}
	}
}

// tell writes a story's lines, each expanded on its own.
func (w *world) tell(kind *storyKind, s *slots) (text []byte, at [26]span) {
	for i, line := range kind.lines {
		if i > 0 {
			text = append(text, kind.join...)
		}
		f := expand(w.r, line, s)
		for k, sp := range f.at {
			if sp.end > 0 && at[k].end == 0 {
				at[k] = span{sp.start + len(text), sp.end + len(text)}
			}
		}
		text = append(text, f.text...)
	}
	return text, at
}

// askStory asks for a slot the story tells of, or of a person no story knows.
func (w *world) askStory(kind *storyKind, s *slots, at [26]span, block int) {
	r := w.r
	q := pick(r, kind.questions)
	if at[q.slot-'A'].end == 0 {
		return
	}
	frame := pick(r, q.frames)
	if chance(r, w.g.opts.AbsentShare) {
		other := *s
		fresh, ok := w.storySlots()
		if !ok {
			return
		}
		for _, slot := range []byte{'P', 'Q', 'O', 'C', 'W', 'S', 'R'} {
			other[slot-'A'] = fresh[slot-'A']
		}
		w.ask(TaskAbsent, w.phrase(expandString(r, frame, &other), &other))
		return
	}
	w.ask(TaskStory, w.phrase(expandString(r, frame, s), s), source{block: block, span: int(q.slot - 'A')})
}

// transcript writes labelled utterances: radio logs, chats, plays.
func (w *world) transcript(n int) int {
	r := w.r
	label := pick(r, []string{"{H} {P}: {S}", "{H} {P}\n{S}\n", "\\[{H}\\] {P}: {S}", "{H} - {P} - {S}", "{P} ({H}): {S}", "{P}: {S}", "<{P}> {S}", "{H} <{P}> {S}", "{H} {P} {S}"})
	stamp := r.IntN(4)
	seconds := r.IntN(200000)
	speakers := []string{}
	for range between(r, 2, 5) {
		speakers = append(speakers, pick(r, []func(*rand.Rand) string{
			func(r *rand.Rand) string { return pick(r, firstNames) },
			func(r *rand.Rand) string { return strings.ToUpper(pick(r, lastNames)) },
			func(r *rand.Rand) string { return pattern(r, pick(r, []string{"@@@", "@@", "@@-#"})) },
		})(r))
	}
	type line struct {
		s     slots
		at    [26]span
		start int
	}
	var lines []line
	var text []byte
	said := map[string]bool{}
	for range between(r, 3, 9) {
		var l line
		speech := w.speech()
		for chance(r, 0.25) && len(speech) < 200 {
			speech += " " + w.speech()
		}
		if w.names[speech] || said[speech] {
			continue
		}
		said[speech] = true
		seconds += between(r, 1, 90)
		l.s['P'-'A'], l.s['S'-'A'], l.s['H'-'A'] = pick(r, speakers), speech, timeLabel(stamp, seconds)
		f := expand(r, label, &l.s)
		for k, sp := range f.at {
			if sp.end > 0 {
				l.at[k] = span{sp.start + len(text), sp.end + len(text)}
			}
		}
		text = append(append(text, f.text...), '\n')
		lines = append(lines, l)
	}
	var spans []span
	for _, l := range lines {
		for _, slot := range []byte{'H', 'P', 'S'} {
			sp := l.at[slot-'A']
			if sp.end == 0 {
				sp = span{0, 1}
			}
			spans = append(spans, sp)
		}
	}
	block := w.add(text[:max(len(text)-1, 0)], spans, false)
	if block < 0 {
		return 0
	}
	for speech := range said {
		w.names[speech] = true
	}
	asked := min(n, between(r, 1, 4))
	for range asked {
		i := r.IntN(len(lines))
		l := &lines[i]
		timed := l.at['H'-'A'].end > 0
		frames, k := w.g.tables.whoSaid, 1
		switch x := r.IntN(3); {
		case x == 0 && timed:
			frames, k = w.g.tables.whenSaid, 0
		case x == 1 && timed && !w.names["at "+l.s['H'-'A']]:
			frames, k = w.g.tables.saidAt, 2
		case x == 1 && i > 0:
			frames, k = w.g.tables.saidAfter, 2
			l.s['Q'-'A'] = lines[i-1].s['S'-'A']
		}
		w.ask(TaskStory, w.phrase(expandString(r, pick(r, frames), &l.s), &l.s), source{block: block, span: 3*i + k})
	}
	for i := range lines {
		w.names["at "+lines[i].s['H'-'A']] = true
	}
	return asked
}

func report(r *rand.Rand) string {
	return pick(r, []string{
		"Roger. " + capitalise(pick(r, techWords)) + " reads " + integer(r, 3) + ".",
		"Copy that, " + pick(r, techWords) + " " + pick(r, techWords) + " " + pick(r, []string{"off", "on", "stable", "failing"}) + ".",
		"We have " + integer(r, 2) + " " + pick(r, []string{"degrees", "percent", "miles", "minutes"}) + " left on the " + pick(r, techWords) + ".",
		"Say again your " + pick(r, techWords) + " " + pick(r, techWords) + ".",
		"Go to " + pick(r, techWords) + " " + runOf(r, digits, 2) + ", please.",
		"Stand by for the " + pick(r, adjectives) + " " + pick(r, techWords) + ".",
	})
}

// timeLabel writes a time of day or of mission in one of four ways.
func timeLabel(style, seconds int) string {
	d, h, m, s := seconds/86400, seconds/3600, seconds/60%60, seconds%60
	switch style {
	case 0:
		return fmt.Sprintf("%02d %02d %02d %02d", d, h%24, m, s)
	case 1:
		return fmt.Sprintf("%02d:%02d:%02d", h, m, s)
	case 2:
		return fmt.Sprintf("%02d %02d %02d", h, m, s)
	}
	return fmt.Sprintf("T+%d:%02d:%02d", h, m, s)
}

var (
	whoSaid   = []string{"Who said \"{S}\"?", "Who says \"{S}\"?", "Which speaker said \"{S}\"?", "Who said: {S}", "\"{S}\" was said by whom?", "Whose words are \"{S}\"?", "Name the speaker of \"{S}\".", "Speaker of the line \"{S}\"?", "who said {S}", "By whom was \"{S}\" said?"}
	whenSaid  = []string{"When was \"{S}\" said?", "At what time did {P} say \"{S}\"?", "When did {P} say \"{S}\"?", "What is the time stamp of \"{S}\"?", "At what time was it said: {S}", "Give the time of the line \"{S}\".", "timestamp of \"{S}\"", "At which time does the log have \"{S}\"?", "When does {P} say {S}"}
	saidAt    = []string{"What was said at {H}?", "What did {P} say at {H}?", "What is the line at {H}?", "{H}?", "What does the [transcript|log|record] have at {H}?", "Quote the utterance at {H}.", "At {H}, what did {P} say?", "Which words were spoken at {H}?"}
	saidAfter = []string{"What was said right after \"{Q}\"?", "What came after \"{Q}\"?", "What is the reply to \"{Q}\"?", "What did {P} answer to \"{Q}\"?", "What did {P} say after \"{Q}\"?", "What followed \"{Q}\" in the conversation?", "Which line comes after \"{Q}\"?"}
)
