package speech

import (
	"hash/crc32"
	"slices"
	"strings"
)

// Accents are the English accents that the synthesiser has, by its names ("en" is
// British). The last is held out.
var Accents = []string{"en-us", "en", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc", "en-gb-scotland", "en-gb-x-gbclan"}

const heldOutAccent = "en-gb-x-gbclan"

// variants change an accent's voice. Left out is "fast", which cannot be heard.
var variants = append(strings.Fields(`
	Alex Alicia Andrea Andy Annie AnxiousAndy Demonic Denis Diogo Gene Gene2 Henrique Hugo Jacky
	Lee Marco Mario Michael Mike Nguyen RicishayMax RicishayMax2 RicishayMax3 Tweaky UniRobot
	adam anika anikaRobot announcer antonio aunty belinda benjamin boris caleb croak david ed
	edward edward2 f1 f2 f3 f4 f5 grandma grandpa gustave iven iven2 iven3 iven4 john kaukovalta
	klatt klatt2 klatt3 klatt4 klatt5 klatt6 linda m1 m2 m3 m4 m5 m6 m7 m8 marcelo max michel
	miguel norbert pablo paul pedro quincy rob robert robosoft robosoft2 robosoft3 robosoft4
	robosoft5 robosoft6 robosoft7 robosoft8 sandro shelby steph steph2 steph3 Storm travis
	victor whisper whisperf zac`), "Mr serious")

var heldOutVariants = strings.Fields("f4 m5 linda klatt3 steph2 grandpa robosoft3 travis Mario Annie zac m2 Andy edward")

// Voices returns the voices to train on and those held out from training: some
// variants in every accent, and every variant in one accent.
func Voices() (training, heldOut []string) {
	for _, accent := range Accents {
		for _, variant := range variants {
			voice := accent + "+" + variant
			if accent == heldOutAccent || slices.Contains(heldOutVariants, variant) {
				heldOut = append(heldOut, voice)
			} else {
				training = append(training, voice)
			}
		}
	}
	return training, heldOut
}

// HeldOut reports whether a word, in lower case, is held out from training: one in
// 33 of those with four letters and more. "five" would be one; without it there
// would be no numbers.
func HeldOut(word string) bool {
	return len(word) >= 4 && crc32.ChecksumIEEE([]byte(word))%33 == 0 && word != "five"
}
