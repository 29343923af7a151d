package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/handscroll/handscroll/internal/speech/frame"
)

// Values of espeak-ng's speak_lib.h.
const (
	outputSynchronous = 2
	phonemeEvents     = 0x0001
	dontExit          = 0x8000
	charsUTF8         = 1
	positionCharacter = 1
	normalVolume      = 100

	parameterRate   = 1
	parameterVolume = 2
	parameterPitch  = 3
	parameterRange  = 4

	eventEnd     = 0
	eventWord    = 1
	eventPhoneme = 7
)

// event is espeak_EVENT.
type event struct {
	kind          int32
	_             uint32 // unique_identifier
	textPosition  int32  // characters, from 1
	length        int32  // characters
	audioPosition int32  // milliseconds
	_             int32  // sample
	_             uintptr
	name          [8]byte
}

// espeak is the library, which there is once in a process.
type espeak struct {
	rate int    // samples a second
	data string // the folder espeak-ng-data

	setVoice     func(name string) int32
	setParameter func(parameter, value, relative int32) int32
	synth        func(text *byte, size uintptr, position uint32, positionType int32, end, flags uint32, id, userData unsafe.Pointer) int32
	phonemes     func(text **byte, textMode, phonemeMode int32) string

	voice string // the one that is set

	// What the callback collects of the request at hand.
	pcm    []int16
	events []event
}

func open() (*espeak, error) {
	lib, err := library()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"espeak_Initialize", "espeak_SetSynthCallback", "espeak_SetVoiceByName", "espeak_SetParameter", "espeak_Synth", "espeak_TextToPhonemes", "espeak_Info"} {
		if err := has(lib, name); err != nil {
			return nil, fmt.Errorf("%s: no %s: install espeak-ng 1.50 or later: %w", libraries[0], name, err)
		}
	}
	e := &espeak{}
	var initialize func(output, bufferLength int32, path unsafe.Pointer, options int32) int32
	var setCallback func(uintptr)
	var info func(data **byte) string
	purego.RegisterLibFunc(&initialize, lib, "espeak_Initialize")
	purego.RegisterLibFunc(&info, lib, "espeak_Info")
	purego.RegisterLibFunc(&setCallback, lib, "espeak_SetSynthCallback")
	purego.RegisterLibFunc(&e.setVoice, lib, "espeak_SetVoiceByName")
	purego.RegisterLibFunc(&e.setParameter, lib, "espeak_SetParameter")
	purego.RegisterLibFunc(&e.synth, lib, "espeak_Synth")
	purego.RegisterLibFunc(&e.phonemes, lib, "espeak_TextToPhonemes")
	rate := initialize(outputSynchronous, 0, nil, phonemeEvents|dontExit)
	if rate <= 0 {
		return nil, fmt.Errorf("espeak_Initialize: status %d: espeak-ng-data is missing: install espeak-ng", rate)
	}
	e.rate = int(rate)
	var data *byte
	info(&data)
	e.data = goString(data)
	setCallback(purego.NewCallback(e.collect))
	return e, nil
}

// collect is called by the library while it synthesises. Zero means go on.
func (e *espeak) collect(wave *int16, samples int32, events *event) uintptr {
	if wave != nil && samples > 0 {
		e.pcm = append(e.pcm, unsafe.Slice(wave, samples)...)
	}
	for events != nil && events.kind != eventEnd {
		e.events = append(e.events, *events)
		events = (*event)(unsafe.Add(unsafe.Pointer(events), unsafe.Sizeof(*events)))
	}
	return 0
}

// use sets the voice and checks the text.
func (e *espeak) use(r frame.Request) (text []byte, err error) {
	if i := strings.IndexByte(r.Text, 0); i >= 0 {
		return nil, fmt.Errorf("text: byte %d is zero", i)
	}
	if strings.IndexByte(r.Voice, 0) >= 0 {
		return nil, fmt.Errorf("voice %q: zero byte", r.Voice)
	}
	if r.Voice != e.voice {
		e.voice = ""
		if status := e.setVoice(r.Voice); status != 0 || !e.hasVariant(r.Voice) {
			return nil, fmt.Errorf("voice %q: espeak-ng does not know it", r.Voice)
		}
		e.voice = r.Voice
	}
	return append([]byte(r.Text), 0), nil
}

// hasVariant reports whether there is what a voice names after the plus sign; the
// library does not mind if there is not.
func (e *espeak) hasVariant(voice string) bool {
	_, variant, ok := strings.Cut(voice, "+")
	if !ok {
		return true
	}
	if variant != filepath.Base(variant) {
		return false
	}
	info, err := os.Stat(filepath.Join(e.data, "voices", "!v", variant))
	return err == nil && info.Mode().IsRegular()
}

func (e *espeak) say(r frame.Request) (*frame.Answer, error) {
	for _, p := range []struct {
		name           string
		id             int32
		value, low, up int
	}{
		{"rate", parameterRate, r.Rate, 80, 450},
		{"volume", parameterVolume, normalVolume, 0, 200},
		{"pitch", parameterPitch, r.Pitch, 0, 99},
		{"range", parameterRange, r.Range, 0, 99},
	} {
		if p.value < p.low || p.value > p.up {
			return nil, fmt.Errorf("%s %d: want %d to %d", p.name, p.value, p.low, p.up)
		}
	}
	text, err := e.use(r)
	if err != nil {
		return nil, err
	}
	e.setParameter(parameterRate, int32(r.Rate), 0)
	e.setParameter(parameterVolume, normalVolume, 0)
	e.setParameter(parameterPitch, int32(r.Pitch), 0)
	e.setParameter(parameterRange, int32(r.Range), 0)

	e.pcm, e.events = nil, nil
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&text[0])
	if status := e.synth(&text[0], uintptr(len(text)), 0, positionCharacter, 0, charsUTF8, nil, nil); status != 0 {
		return nil, fmt.Errorf("espeak_Synth: status %d", status)
	}
	a := &frame.Answer{Rate: e.rate, PCM: e.pcm}
	offsets := characters(r.Text)
	for _, ev := range e.events {
		switch ev.kind {
		case eventWord:
			from := offsets[clamp(int(ev.textPosition)-1, len(offsets))]
			to := offsets[clamp(int(ev.textPosition)-1+int(ev.length), len(offsets))]
			// Its time is no use: a liquid or nasal that ends the word before it is
			// spoken along with its first vowel. The order of events is right.
			a.Words = append(a.Words, frame.Word{Phone: len(a.Phones), Offset: from, Length: to - from})
		case eventPhoneme:
			name, _, _ := strings.Cut(string(ev.name[:]), "\x00")
			a.Phones = append(a.Phones, frame.Phone{Start: int(max(0, ev.audioPosition)), Name: name})
		}
	}
	return a, nil
}

// goString copies a C string.
func goString(c *byte) string {
	if c == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(c), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(c, n))
}

// characters returns the byte at which each character begins, and the length.
func characters(text string) []int {
	offsets := make([]int, 0, utf8.RuneCountInString(text)+1)
	for i := range text {
		offsets = append(offsets, i)
	}
	return append(offsets, len(text))
}

func clamp(i, n int) int { return min(max(i, 0), n-1) }

// separator stands between phonemes; no phoneme has it in its name.
const separator = '\t'

// pronounce returns phones without sound or times.
func (e *espeak) pronounce(r frame.Request) (*frame.Answer, error) {
	text, err := e.use(r)
	if err != nil {
		return nil, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&text[0])
	at := &text[0]
	pin.Pin(&at)
	a := &frame.Answer{Rate: e.rate}
	// One call does a clause; the library sets at to nil after the last.
	for at != nil {
		for name := range strings.FieldsFuncSeq(e.phonemes(&at, charsUTF8, separator<<8), func(c rune) bool { return c == separator || c == ' ' }) {
			a.Phones = append(a.Phones, frame.Phone{Name: name})
		}
	}
	return a, nil
}

// library opens the first of libraries that is there.
func library() (uintptr, error) {
	for _, name := range libraries {
		if lib, err := openLibrary(name); err == nil {
			return lib, nil
		}
	}
	return 0, fmt.Errorf("none of %s found: install espeak-ng", strings.Join(libraries, ", "))
}
