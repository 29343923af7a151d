package speech

import "strings"

// Pause is the phone of silence, the first of the inventory.
const Pause = "_"

// Inventory are the phones of the English accents by the synthesiser's names. A
// phone's place is its id, in models and files: never reorder, only append.
var Inventory = strings.Fields(`
	_ 0 3 3: ? @ @- @2 @5 @L A: A@ A~ D E I I# I2 IR N O2 O: O@ OI S T U U@ V VR Z a a# aI aI2
	aI3 aI@ aU aa b d dZ e@ eI f g h i i: i@ i@3 j k l m n n- o@ oU p r r- s t t# t2 tS t[ u: v
	w w# x z`)

var phoneIDs = func() map[string]uint8 {
	ids := make(map[string]uint8, len(Inventory))
	for i, name := range Inventory {
		ids[name] = uint8(i)
	}
	return ids
}()

// versions says what to do about a phone that is not in the inventory.
const versions = "espeak-ng 1.51 is known to fit"

// PhoneID returns a phone's place in the inventory. A variant that is not there,
// such as a rare l#, is its phone: l.
func PhoneID(name string) (id uint8, ok bool) {
	for ; name != ""; name = name[:len(name)-1] {
		if id, ok = phoneIDs[name]; ok || !strings.HasSuffix(name, "#") && !strings.HasSuffix(name, "-") {
			return id, ok
		}
	}
	return 0, false
}

// clean takes stress, length of pauses and word boundaries from a synthesiser's
// name; ok is false if nothing is left.
func clean(name string) (string, bool) {
	bare := strings.TrimLeft(name, "',%=|_:;!")
	if bare == "" {
		return Pause, strings.Contains(name, "_")
	}
	return strings.TrimRight(bare, "|_"), true
}
