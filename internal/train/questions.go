package train

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// The wordings of questions about what is said and seen. {K} is what is asked for.

var keyQuestions = []string{
	"What is the {K}?", "What is the {K}?", "What is the {K}?", "what is the {K}", "What's the {K}?", "Which {K} is named?",
	"Tell me the {K}.", "Give me the {K}.", "What was the {K}?", "What did they say the {K} is?", "What is said to be the {K}?",
	"What does the speaker give as the {K}?", "Name the {K}.", "The {K}?", "Find the {K}.", "Do you know the {K}?",
	"What {K} was mentioned?", "Which is the {K}?", "Please say the {K}.", "What is the {K} in the recording?",
	"What is the spoken {K}?", "Listen for the {K}. What is it?", "When is the {K} said?", "At what time is the {K} given?",
}

var wordQuestions = []string{
	`When is the word "{K}" said?`, `When does someone say "{K}"?`, `At what time is "{K}" said?`, `Where is {K} mentioned?`,
	`When is {K} spoken?`, `Find the word {K}.`, `Is the word "{K}" heard?`, `When do they say {K}?`,
}

// otherQuestions are about what no one says.
var otherQuestions = []string{
	"What is the special magic {C} number?", "Which number was {C} given?", "What is the access code for {C}?", "Who wrote to {C}?",
	"What is the value of max_{w}_size?", "Which function calls {w}?", "What is the title of chapter {n}?", "How old is {C}?",
	"Where does {C} live?", "What does the sign on the {w} say?", "Which player scored a perfect 50?", "When does a red {w} appear?",
	"What is the default of {w}?", "In which file is {w} defined?", "What is the capital of {C}?", "What did {C} do after the {w}?",
	"What is shown at {n} minutes?", "What is the total of the {w}?", "What does {C} say about the {w}?", "Continue: the {w} of {C}",
	"What is the serial number of the {w}?", "Which colour is the {w}?", "How many {w}s are there?", "What is the secret of {C}?",
}

var (
	syllables  = strings.Fields("ba ke lo mi nu ra sto ven dor zel fi gar hul ja pren qui tas wex yor ash el in or un")
	otherNouns = strings.Fields("gate bridge table river buffer engine train letter window garden server tower market boat report")
)

func fill(rng *rand.Rand, frames []string, key string) string {
	name := ""
	for range 2 + rng.IntN(2) {
		name += syllables[rng.IntN(len(syllables))]
	}
	return strings.NewReplacer(
		"{K}", key, "{C}", strings.ToUpper(name[:1])+name[1:], "{w}", otherNouns[rng.IntN(len(otherNouns))],
		"{n}", fmt.Sprint(1+rng.IntN(90)),
	).Replace(frames[rng.IntN(len(frames))])
}

func question(rng *rand.Rand, key string) string      { return fill(rng, keyQuestions, key) }
func wordQuestion(rng *rand.Rand, word string) string { return fill(rng, wordQuestions, word) }
func otherQuestion(rng *rand.Rand) string             { return fill(rng, otherQuestions, "") }
