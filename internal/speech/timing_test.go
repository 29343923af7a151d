package speech

import (
	"reflect"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

const ms = time.Millisecond

func TestPhones(t *testing.T) {
	got, places := phones([]frame.Phone{
		{Start: 10, Name: "'w"}, {Start: 100, Name: "E"}, {Start: 300, Name: "l"}, {Start: 300, Name: "_:"},
		{Start: 400, Name: "_"}, {Start: 450, Name: ""}, {Start: 440, Name: "s"},
	}, 500*ms)
	want := []Phone{
		{"w", 10 * ms, 100 * ms}, {"E", 100 * ms, 240 * ms}, {"l", 240 * ms, 300 * ms},
		{Pause, 300 * ms, 440 * ms}, {"s", 440 * ms, 500 * ms},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if want := []int{0, 1, 2, 3, 4, 4, 4, 5}; !reflect.DeepEqual(places, want) {
		t.Errorf("places %v, want %v", places, want)
	}
}

func TestWords(t *testing.T) {
	// Phone i lasts from i to i+1 seconds; pauses are at 3 and 8.
	list := make([]Phone, 10)
	places := make([]int, 11)
	for i := range list {
		list[i] = Phone{"s", time.Duration(i) * time.Second, time.Duration(i+1) * time.Second}
		places[i+1] = i + 1
	}
	list[3].Name, list[8].Name = Pause, Pause
	for name, c := range map[string]struct {
		text string
		said []frame.Word
		want []Word
	}{
		"pauses are no part of words": {
			"one - (two)",
			[]frame.Word{{Phone: 0, Offset: 0}, {Phone: 3, Offset: 7}},
			[]Word{{"one", 0, 0, 3 * time.Second}, {"two", 7, 4 * time.Second, 10 * time.Second}},
		},
		"said in one breath": {
			"out of the way",
			[]frame.Word{{Phone: 0, Offset: 0}, {Phone: 1, Offset: 4}, {Phone: 7, Offset: 11}},
			[]Word{{"out", 0, 0, time.Second}, {"of the", 4, time.Second, 7 * time.Second}, {"way", 11, 7 * time.Second, 10 * time.Second}},
		},
		"a number is several": {
			"at 421.",
			[]frame.Word{{Phone: 0, Offset: 0}, {Phone: 2, Offset: 3}, {Phone: 5, Offset: 4}, {Phone: 6, Offset: 6}},
			[]Word{{"at", 0, 0, 2 * time.Second}, {"421", 3, 2 * time.Second, 10 * time.Second}},
		},
		"a place off by one": {
			"a “naïve” b",
			[]frame.Word{{Phone: 0, Offset: 0}, {Phone: 2, Offset: 1}, {Phone: 9, Offset: 14}},
			[]Word{{"a", 0, 0, 2 * time.Second}, {"naïve", 5, 2 * time.Second, 8 * time.Second}, {"b", 15, 9 * time.Second, 10 * time.Second}},
		},
		"nothing": {"", nil, nil},
	} {
		if got := words(c.text, c.said, list, places); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
