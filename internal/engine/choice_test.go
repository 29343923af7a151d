package engine

import "testing"

func TestChoice(t *testing.T) {
	for question, want := range map[string][2]string{
		"Does a red circle or a blue square appear?":                      {"a red circle", "a blue square"},
		"Which appears, an orange star or the black ring?":                {"an orange star", "the black ring"},
		"Is it a star moving left or a star moving right, to be seen?":    {},
		"Which of the two is there: a heart growing or a heart shrinking": {"a heart growing", "a heart shrinking"},
		"When does a red circle appear?":                                  {},
	} {
		m := choice.FindStringSubmatch(question)
		var got [2]string
		if m != nil {
			got = [2]string{m[1], m[2]}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", question, got, want)
		}
	}
}
