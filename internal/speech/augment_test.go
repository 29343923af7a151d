package speech

import (
	"math"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

func sine(hertz float64, n, rate int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	return out
}

func tonal(hertz float64) *Speech {
	return &Speech{
		PCM:    sine(hertz, media.SampleRate, media.SampleRate),
		Words:  []Word{{"la", 0, 200 * ms, 800 * ms}},
		Phones: []Phone{{"l", 200 * ms, 400 * ms}, {"A:", 400 * ms, 800 * ms}},
	}
}

// middle leaves out the edges, where filters ring.
func middle(pcm []float32) []float32 { return pcm[len(pcm)/4 : 3*len(pcm)/4] }

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestWarp(t *testing.T) {
	for _, factor := range []float64{0.87, 1, 1.15} {
		s := tonal(1000)
		s.Warp(factor)
		if want := int(media.SampleRate / factor); len(s.PCM) != want {
			t.Errorf("%v: %d samples, want %d", factor, len(s.PCM), want)
		}
		if got, want := s.Words[0].End.Seconds(), 0.8/factor; !near(got, want, 1e-6) {
			t.Errorf("%v: the word ends at %v s, want %v", factor, got, want)
		}
		if got, want := s.Phones[1].Start.Seconds(), 0.4/factor; !near(got, want, 1e-6) {
			t.Errorf("%v: a phone begins at %v s, want %v", factor, got, want)
		}
		want := sine(1000*factor, len(s.PCM), media.SampleRate)
		for i := len(want) / 4; i < len(want)/2; i++ {
			if !near(float64(s.PCM[i]), float64(want[i]), 0.005) {
				t.Errorf("%v: sample %d is %v, want %v", factor, i, s.PCM[i], want[i])
				break
			}
		}
	}
}

func TestLead(t *testing.T) {
	s := tonal(1000)
	s.Lead(media.SampleRate / 2)
	if len(s.PCM) != media.SampleRate*3/2 || power(s.PCM[:media.SampleRate/2]) != 0 || s.Words[0].Start != 700*ms || s.Phones[1].End != 1300*ms {
		t.Errorf("%d samples, %v, %v", len(s.PCM), s.Words, s.Phones)
	}
}

func TestAddNoise(t *testing.T) {
	r := rng()
	other := [][]float32{sine(300, 5000, media.SampleRate), {}, White(r, 3000)}
	for name, noise := range map[string][]float32{
		"white":  White(r, media.SampleRate),
		"pink":   Pink(r, media.SampleRate),
		"babble": Babble(r, media.SampleRate, other),
		"music":  Music(r, media.SampleRate),
	} {
		clean, s := tonal(1000), tonal(1000)
		s.AddNoise(noise, 10)
		rest := make([]float32, len(s.PCM))
		for i := range rest {
			rest[i] = s.PCM[i] - clean.PCM[i]
		}
		if db := 10 * math.Log10(power(clean.PCM)/power(rest)); !near(db, 10, 0.01) {
			t.Errorf("%s: %v dB, want 10", name, db)
		}
	}
	s := &Speech{PCM: make([]float32, 100)}
	s.AddNoise(White(r, 100), 10)
	if power(s.PCM) != 0 {
		t.Error("silence has no power to compare with, but there is noise")
	}
}

// band is the share of a tone's amplitude that a filter leaves.
func band(hertz float64) float64 {
	s := tonal(hertz)
	s.BandLimit(300, 3400)
	return math.Sqrt(power(middle(s.PCM)) / power(middle(tonal(hertz).PCM)))
}

func TestBandLimit(t *testing.T) {
	for hertz, want := range map[float64]float64{50: 0, 1000: 1, 3000: 1, 4000: 0, 7000: 0} {
		if got := band(hertz); !near(got, want, 0.02) {
			t.Errorf("%v Hz: %v is left, want %v", hertz, got, want)
		}
	}
	s, before := tonal(1000), tonal(1000)
	s.BandLimit(300, 3400)
	for i, v := range s.PCM[4000:12000] { // no delay either
		if !near(float64(v), float64(before.PCM[4000+i]), 0.01) {
			t.Fatalf("sample %d is %v", 4000+i, v)
		}
	}
}

func TestPinkFalls(t *testing.T) {
	s := &Speech{PCM: Pink(rng(), 1<<16)}
	low := &Speech{PCM: append([]float32(nil), s.PCM...)}
	low.BandLimit(250, 500)
	s.BandLimit(2000, 4000)
	// The same power in each octave.
	if db := 10 * math.Log10(power(low.PCM)/power(s.PCM)); !near(db, 0, 3) {
		t.Errorf("250 Hz to 500 Hz has %v dB over 2 kHz to 4 kHz, want 0 ± 3", db)
	}
}

func TestReverberate(t *testing.T) {
	s := &Speech{PCM: make([]float32, 8000)}
	s.PCM[100] = 1
	s.Reverberate(rng(), 300*time.Millisecond, 0.2)
	if len(s.PCM) != 8000 || !near(float64(s.PCM[100]), 1, 1e-5) || power(s.PCM[:100]) > 1e-12 {
		t.Errorf("%d samples, direct sound %v", len(s.PCM), s.PCM[100])
	}
	tail := power(s.PCM[101:]) * float64(len(s.PCM)-101)
	if !near(tail, 0.2, 0.001) {
		t.Errorf("the room has energy %v, want 0.2", tail)
	}
	if late := power(s.PCM[100+4800:]); late > 1e-12 {
		t.Errorf("power %v after the room's decay", late)
	}
}

func TestConvolve(t *testing.T) {
	r := rng()
	for _, n := range [][2]int{{1, 1}, {2, 1}, {5, 3}, {64, 64}, {100, 33}} {
		a, b := White(r, n[0]), White(r, n[1])
		got := convolve(a, b)
		if len(got) != n[0]+n[1]-1 {
			t.Fatalf("%v: %d samples", n, len(got))
		}
		for i := range got {
			var want float64
			for j := range a {
				if k := i - j; k >= 0 && k < len(b) {
					want += float64(a[j]) * float64(b[k])
				}
			}
			if !near(float64(got[i]), want, 1e-4) {
				t.Errorf("%v: sample %d is %v, want %v", n, i, got[i], want)
			}
		}
	}
	if convolve(nil, []float32{1}) != nil {
		t.Error("something out of nothing")
	}
}

func TestLevelClipQuantise(t *testing.T) {
	s := tonal(1000)
	s.Level(0.8)
	s.Clip(0.5)
	var most float32
	for _, v := range s.PCM {
		most = max(most, v)
	}
	if !near(float64(most), 0.4, 1e-4) {
		t.Errorf("peak %v, want 0.4", most)
	}
	s = tonal(1000)
	s.Quantise(5)
	seen := map[float32]bool{}
	for i, want := range tonal(1000).PCM {
		seen[s.PCM[i]] = true
		if !near(float64(s.PCM[i]), float64(want), 0.1) {
			t.Fatalf("sample %d is %v, was %v", i, s.PCM[i], want)
		}
	}
	if len(seen) > 31 {
		t.Errorf("%d levels of 5 bits", len(seen))
	}
}

func TestAugmentKeepsTimes(t *testing.T) {
	r := rng()
	other := [][]float32{sine(200, 9000, media.SampleRate)}
	for range 60 {
		s := tonal(500)
		Augment(s, r, other)
		length := time.Duration(len(s.PCM)) * time.Second / media.SampleRate
		if got := float64(s.Words[0].End) / float64(length); !near(got, 0.8, 0.001) {
			t.Errorf("the word ends at %v of the length, want 0.8", got)
		}
		for i, v := range s.PCM {
			if !(v >= -1 && v <= 1) {
				t.Fatalf("sample %d is %v", i, v)
			}
		}
	}
	Augment(&Speech{}, r, nil)
}
