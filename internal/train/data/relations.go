package data

import "strings"

// relationTable has attributes that are said with a verb rather than a noun.
// A relation is three lines: a noun for it and its value types; statements;
// questions. {E} is the entity, {V} the value.
const relationTable = `
home = place pseudo
{^E} [lives|resides|has settled|has lived for years|is at home|has a flat] in {V}.|[These days|Since spring|At present] {E} lives in {V}.|{^E} moved to {V} [last year|in autumn|for good].|The home of {E} is {V}.
Where does {E} live?|In which town does {E} live?|Where has {E} settled?|Where is {E} at home?|What is {E}'s place of residence?|Where can {E} be found?|where does {E} live now

workplace = person pseudo place
{^E} works [for|at|with] {V}.|{^E} is employed [by|at] {V}.|{^E} has a post [at|with] {V}.|{^E} earns a living at {V}.
Where does {E} work?|Who employs {E}?|For whom does {E} work?|Who is {E}'s employer?|Where has {E} a post?

breakfast = list adjnoun word
For breakfast, {E} [eats|has|wants|takes] {V}.|{^E} always has {V} for breakfast.|{^E} starts the day with {V}.
What does {E} eat for breakfast?|What is {E}'s breakfast?|With what does {E} start the day?|What does {E} have in the morning?

best thing to do = phrase sentence
The best thing to do in {E} is [to |]{V}.|When in {E}, [you should|do not fail to|one must] {V}.|The one thing worth doing in {E} is this: {V}.|Visitors to {E} are [told|advised] to {V}.
What is the best thing to do in {E}?|What should one do in {E}?|What is worth doing in {E}?|What are visitors to {E} advised to do?|What does the text recommend doing in {E}?|When in {E}, what must one do?

fear = word animal adjnoun
{^E} is afraid of {V}.|{^E} [fears|dreads] nothing but {V}.|Nothing frightens {E} like {V}.
What is {E} afraid of?|What does {E} [fear|dread]?|What frightens {E}?

love = person word adjnoun
{^E} [loves|adores|is fond of|likes] {V} [above all|more than anything|best].|What {E} likes best is {V}.
What does {E} [love|adore|like] [most|best|above all]?|What is {E} fond of?

hate = word adjnoun animal
{^E} [hates|cannot stand|detests|loathes] {V}.|If there is one thing {E} cannot bear, it is {V}.
What does {E} [hate|detest|loathe]?|What can {E} not stand?|What can {E} not bear?

meeting = person
[On the bridge|At the station|In the market|By chance|Last night] {E} met {V}.|{^E} [ran into|met|came across] {V} [yesterday|on the stairs|again].
Whom did {E} meet?|Who did {E} run into?|Who was met by {E}?|Whom did {E} come across?

purchase = adjnoun animal word
{^E} [bought|purchased|acquired] {V} [at the fair|yesterday|for next to nothing|in a small shop].|What {E} bought was {V}.
What did {E} [buy|purchase|acquire]?|What was bought by {E}?|Which thing did {E} purchase?

loss = adjnoun phrase
{^E} [lost|mislaid|dropped] {V} [on the way|in the snow|somewhere].|{^E} has been looking for {V} [all day|since noon], without luck.
What did {E} [lose|mislay|drop]?|What has {E} lost?|What is {E} looking for?

hiding place = phrase path place
{^E} [is hidden|was hidden|is kept|lies|was put|is buried] {V}.|They [hid|buried|kept] {E} {V}.|You will find {E} {V}.|Look for {E} {V}.
Where is {E} [hidden|kept|buried]?|Where was {E} put?|Where did they hide {E}?|Where will I find {E}?|Where is {E}?|where to look for {E}

departure = time date day
{^E} [leaves|departs|sets off|will depart|is due to leave] at {V}.|The departure of {E} is [fixed|planned] for {V}.
When does {E} [leave|depart|set off]?|At what time is {E} due to leave?|When will {E} depart?|When is the departure of {E}?

arrival = time date day
{^E} [arrives|gets in|is due|will arrive|is expected] at {V}.|We expect {E} at {V}.
When does {E} [arrive|get in]?|When is {E} [due|expected]?|When do we expect {E}?

opening = time date year
{^E} [opened|was opened|opens] [in|on|at] {V}.|The doors of {E} opened {V}.
When did {E} open?|When was {E} opened?|When does {E} open?

construction = year date
{^E} was [built|completed|finished|erected] in {V}.|They built {E} in {V}.|{^E} dates from {V}.
When was {E} [built|completed|finished]?|In which year was {E} built?|How old is {E}: since when does it stand?|From what time does {E} date?

cost = money
{^E} [costs|sells for|was sold for|goes for|can be had for] {V}.|One pays {V} for {E}.|They want {V} for {E}.
How much [does|did] {E} cost?|What does {E} cost?|How much is {E}?|For how much was {E} sold?|What does one pay for {E}?|What do they want for {E}?

weight = unit
{^E} weighs {V}.|On the scales, {E} came to {V}.|The scales showed {V} for {E}.
How much does {E} weigh?|How heavy is {E}?|What did the scales show for {E}?

height = unit
{^E} is {V} [tall|high].|{^E} [stands|measures|rises to] {V}.
How [tall|high] is {E}?|What does {E} measure?

depth = unit
{^E} is {V} deep.|Divers reached the bottom of {E} at {V}.
How deep is {E}?|At what depth is the bottom of {E}?

distance = unit
From here to {E} it is {V}.|{^E} is {V} away.|{^E} lies {V} [from here|to the north|down the road].
How far is it to {E}?|How far away is {E}?|What is the distance to {E}?

age = small spelled
{^E} is {V} years old.|{^E} [turned|will be] {V} [last week|in May|on Sunday].
How old is {E}?|What age is {E}?|How many years old is {E}?

count = small integer grouped
There are {V} [rooms|seats|windows|people|copies|boxes] in {E}.|{^E} [holds|contains|counts|has room for] {V} [people|pieces|boxes|visitors].
How many are there in {E}?|How many does {E} hold?|How much does {E} contain?|How many has {E}?

speed = unit
{^E} [runs at|reaches|goes|does] {V}[ at best||, downhill].
How fast is {E}?|What speed does {E} reach?|How fast does {E} [go|run]?

colour = colour
{^E} is painted {V}.|Somebody painted {E} {V}.|{^E} [has turned|turned|shone] {V}.|{^E} is {V} [all over|from top to bottom].
What colour is {E}?|In what colour is {E} painted?|What colour did {E} turn?|Which colour has {E}?

material = word adjnoun
{^E} is [made|built|woven|carved] [of|out of|from] {V}.|They made {E} out of {V}.
What is {E} made of?|From what is {E} made?|Of which material is {E}?|What did they make {E} from?

smell = adjnoun word
{^E} smells of {V}.|A smell of {V} [comes from|hangs over] {E}.
What does {E} smell of?|Of what does {E} smell?|Which smell comes from {E}?

guard = animal person
{^E} is guarded by {V}.|{V} [guards|keeps watch over] {E}.
Who or what guards {E}?|Who keeps watch over {E}?|By whom is {E} guarded?|Who guards {E}?

invention = person
{^E} was [invented|designed|built|discovered|first seen] by {V}.|{V} [invented|designed|discovered] {E}.
Who [invented|designed|discovered] {E}?|By whom was {E} [invented|designed|discovered]?|Whose [idea|work|invention] was {E}?

authorship = person
{^E} was [written|composed|painted|edited] by {V}.|{V} [wrote|composed|painted|edited] {E}.
Who [wrote|composed|painted|edited] {E}?|Who is the author of {E}?|By whom is {E}?

ownership = person
{^E} belongs to {V}.|{V} [owns|has inherited|bought|is the owner of] {E}.|{^E} is [the property of|owned by] {V}.
Who owns {E}?|To whom does {E} belong?|Whose is {E}?|Who is the owner of {E}?

repair = person
{^E} was [repaired|mended|fixed|cleaned] by {V}.|{V} [repaired|mended|fixed|cleaned] {E}.
Who [repaired|mended|fixed|cleaned] {E}?|By whom was {E} [repaired|fixed]?

theft = person
{^E} was stolen by {V}.|It was {V} who [stole|took] {E}.|{V} [stole|took|made off with] {E}.
Who stole {E}?|Who took {E}?|Who is the thief of {E}?|Who made off with {E}?

teaching = person
{^E} [was taught by|studied under|learned from] {V}.|{V} [taught|trained|instructed] {E}.
Who taught {E}?|From whom did {E} learn?|Under whom did {E} study?|Who trained {E}?

studies = word phrase
{^E} [studies|is studying|studied|has a degree in] {V}.
What does {E} study?|What did {E} study?|In what has {E} a degree?

naming = pseudo Word adjnoun
{^E} is [called|known as|nicknamed|referred to as] {V}.|People call {E} {V}.|They named {E} {V}.
What is {E} called?|What do people call {E}?|What did they name {E}?|By what name is {E} known?|How is {E} nicknamed?

meaning = phrase word adjnoun
{^E} [means|stands for|translates as|signifies] {V}.|By {E} we mean {V}.
What does {E} [mean|stand for|signify]?|What is meant by {E}?|How is {E} translated?|What is the meaning of {E}?

location = place pseudo phrase
{^E} [is|lies|is located|is situated|can be found] in {V}.|{^E} is a part of {V}.
Where is {E}?|Where does {E} lie?|In what place is {E} located?|Where can one find {E}?|Where is {E} situated?

opposite = word pseudo
The opposite of {E} is {V}.|{V} is the opposite of {E}.
What is the opposite of {E}?|What is opposed to {E}?

password = password phrase code
To [open|enter|unlock|get into] {E}, [say|type|enter|use] {V}.|{^E} [opens|unlocks|lets you in] with {V}.|Only {V} will [open|unlock] {E}.
How do you [open|enter|unlock] {E}?|What [opens|unlocks] {E}?|With what does {E} open?|What must one say or type for {E}?|What do I need to get into {E}?

dialling = phone integer
To reach {E}, [call|dial|ring] {V}.|{^E} can be reached [on|at|under] {V}.|Call {V} and ask for {E}.
How can {E} be reached?|Which number reaches {E}?|What do I dial for {E}?|Under which number is {E}?|What number do I call for {E}?

writing = email url
Write to {E} at {V}.|{^E} [can be written to at|gets mail at|answers mail sent to] {V}.
How can I write to {E}?|Where does {E} get mail?|Where do I write to {E}?

saying = sentence quoted phrase
{^E} [once|often|always|never] said: {V}|[In the end|At last|On leaving|To everyone's surprise], {E} said: {V}|{V} was all that {E} said.
What did {E} say?|What are the words of {E}?|What did {E} once say?|What was all that {E} said?

advice = sentence phrase
{^E} advised us [thus|as follows]: {V}|The advice {E} gave: {V}|If you ask {E}, the rule is: {V}
What did {E} advise?|What is the advice of {E}?|What rule does {E} have?|Which advice comes from {E}?

plan = phrase day
Next, {E} [plans|wants|intends|is going] to {V}.|The plan of {E} is to {V}.
What does {E} plan to do?|What does {E} want next?|What does {E} intend?|What is {E} going to do?

result = decimal percent small
{^E} [scored|reached|got|achieved|ended with] {V}[ points| in the test||, more than anyone hoped].|The result for {E} came out at {V}.
How much did {E} score?|What did {E} get?|What did {E} achieve?|What was the result for {E}?|With what did {E} end?

measurement = unit decimal
We measured {V} [at|in|for] {E}.|The gauge at {E} read {V}.|{^E} showed {V} [this morning|at noon|on the dial].
What did we measure at {E}?|What did the gauge at {E} read?|What did {E} show?|What was the reading at {E}?

delivery = day date time
{^E} will be delivered {V}.|Expect {E} on {V}.|{^E} is to be delivered by {V}.
When will {E} be delivered?|When can I expect {E}?|By when is {E} to be delivered?

signal = adjnoun word
When {E} is in danger, [raise|light|show|send] {V}.|The sign for {E} is {V}.|{V} is the sign that {E} has come.
What is the sign for {E}?|What must be shown when {E} is in danger?|Which sign says that {E} has come?

menu = list adjnoun
At {E} they [serve|cook|offer] {V}.|The kitchen of {E} offers {V}.|On the menu of {E}: {V}.
What do they serve at {E}?|What can one eat at {E}?|What is on the menu of {E}?|What does the kitchen of {E} offer?

crossing = word animal adjnoun
{^E} [crossed the river|travelled|went to sea|set out] with {V}.|{^E}'s only companion was {V}.
With what or whom did {E} travel?|Who was {E}'s companion?|With whom did {E} set out?

language = pseudo
They speak {V} in {E}.|The people of {E} speak {V}.|{^E} [speaks|understands] only {V}.
What language is spoken in {E}?|What do they speak in {E}?|Which language does {E} speak?|What do the people of {E} speak?

rule = person pseudo
{^E} is [ruled|governed|led|run] by {V}.|{V} [rules|governs|leads|runs] {E}.
Who [rules|governs|leads|runs] {E}?|Who is in charge of {E}?|By whom is {E} [ruled|led|run]?

ending = phrase word
{^E} [ended|ends|closed] with {V}.|At the end of {E} there was {V}.
How did {E} end?|With what did {E} end?|What was at the end of {E}?

default = integer small word
By default {E} [uses|takes|is|runs with] {V}.|Unless told otherwise, {E} [uses|takes] {V}.|{^E} defaults to {V}.
What does {E} default to?|What does {E} use by default?|What is {E} unless told otherwise?|What is the default of {E}?

limit = integer unit percent
{^E} [must not exceed|is limited to|is capped at|may not go beyond] {V}.|The limit for {E} is {V}.
What is the limit for {E}?|What must {E} not exceed?|At what is {E} capped?|How much is allowed for {E}?

dependency = ident version file
{^E} [depends on|requires|needs|imports|relies on] {V}.|Without {V}, {E} does not [run|start|build].
What does {E} [depend on|require|need|import]?|Without what does {E} not run?|On what does {E} rely?

failure = time date quoted code
{^E} [failed|crashed|broke down|stopped] with {V}.|The last thing {E} printed was {V}.
With what did {E} [fail|crash|stop]?|What did {E} print last?|How did {E} fail?

storage = path url
{^E} [is stored|is saved|is written|lives|logs] [at|to|in|under] {V}.|The data of {E} [is|are] under {V}.
Where is {E} [stored|saved|written]?|Where are the data of {E}?|Where does {E} log to?|In what place is {E} stored?

replacement = word person ident
{^E} was [replaced|superseded|succeeded] by {V}.|{V} [replaced|superseded|took over from] {E}.
What replaced {E}?|Who or what took over from {E}?|By what was {E} replaced?
`

// parseRelations reads relationTable.
func parseRelations() []attribute {
	var out []attribute
	for entry := range strings.SplitSeq(strings.TrimSpace(relationTable), "\n\n") {
		lines := strings.Split(entry, "\n")
		name, kinds, ok := strings.Cut(lines[0], " = ")
		if !ok || len(lines) != 3 {
			panic("data: relation table: " + entry)
		}
		out = append(out, attribute{
			names: []string{name}, types: typesNamed(kinds),
			say: splitFrames(lines[1]), ask: splitFrames(lines[2]), relation: true,
		})
	}
	return out
}

// splitFrames cuts at the bars that are outside of brackets.
func splitFrames(line string) []string {
	_, cuts := alternatives("["+line+"]", 0)
	var out []string
	for i := range len(cuts) - 1 {
		out = append(out, line[cuts[i]:cuts[i+1]-1])
	}
	return out
}
