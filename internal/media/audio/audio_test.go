package audio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// parts decodes data, whose name says nothing.
func parts(data []byte, l media.Limits) ([]media.Part, error) {
	head := data[:min(len(data), media.SniffBytes)]
	f := Format()
	if !f.Match("sound", head) {
		return nil, errors.New("no match")
	}
	return f.Decode(context.Background(), &media.File{Name: "sound", Size: int64(len(data)), Head: head, ReaderAt: bytes.NewReader(data)}, l)
}

// samples reads sound to its end, and checks the times of its chunks.
func samples(data []byte, l media.Limits) ([]float32, media.Part, error) {
	ps, err := parts(data, l)
	if err != nil {
		return nil, media.Part{}, err
	}
	if len(ps) != 1 || ps[0].Kind != media.Sound {
		return nil, media.Part{}, fmt.Errorf("parts %+v", ps)
	}
	out, err := listen(context.Background(), ps[0], l.Start)
	return out, ps[0], err
}

func listen(ctx context.Context, p media.Part, start time.Duration) (out []float32, err error) {
	s, err := p.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for {
		c, err := s.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if at := start + time.Duration(len(out))*time.Second/media.SampleRate; c.At != at {
			return out, fmt.Errorf("chunk at %v, want %v", c.At, at)
		}
		if len(c.Sound) == 0 || len(c.Sound) > media.SampleRate || c.Frame != nil {
			return out, fmt.Errorf("chunk of %d samples", len(c.Sound))
		}
		out = append(out, c.Sound...)
	}
}

// format is a WAVEFORMATEX.
func format(tag, channels, rate, bits int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint16(le.AppendUint16(nil, uint16(tag)), uint16(channels))
	b = le.AppendUint32(le.AppendUint32(b, uint32(rate)), uint32(rate*channels*bits/8))
	return le.AppendUint16(le.AppendUint16(b, uint16(channels*bits/8)), uint16(bits))
}

func chunk(id string, body []byte) []byte {
	b := append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body))), body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func wavFile(format, data []byte) []byte {
	// An odd chunk before the samples must be passed over with its padding.
	return chunk("RIFF", bytes.Join([][]byte{[]byte("WAVE"), chunk("junk", []byte{1, 2, 3}), chunk("fmt ", format), chunk("data", data)}, nil))
}

// wave is n samples of a sine.
func wave(n, rate int, hz float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
	return out
}

func pcm16(x []float64) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(math.Round(v*32768))))
	}
	return b
}

func floats(x []float64) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
	}
	return b
}

func TestEncodings(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		format, data []byte
		want         []float32
	}{
		"8":          {format(1, 1, 16000, 8), []byte{0, 128, 192}, []float32{-1, 0, 0.5}},
		"16":         {format(1, 1, 16000, 16), []byte{0, 0x80, 0, 0, 0, 0x40}, []float32{-1, 0, 0.5}},
		"24":         {format(1, 1, 16000, 24), []byte{0, 0, 0x80, 0, 0, 0, 0, 0, 0x40}, []float32{-1, 0, 0.5}},
		"32":         {format(1, 1, 16000, 32), []byte{0, 0, 0, 0x80, 0, 0, 0, 0x40}, []float32{-1, 0.5}},
		"float":      {format(3, 1, 16000, 32), floats([]float64{-1, 0.25, math.NaN(), 7}), []float32{-1, 0.25, 0, 1}},
		"double":     {format(3, 1, 16000, 64), le.AppendUint64(nil, math.Float64bits(0.125)), []float32{0.125}},
		"A-law":      {format(6, 1, 16000, 8), []byte{0xd5, 0x55, 0xaa, 0x2a}, []float32{8. / 32768, -8. / 32768, 32256. / 32768, -32256. / 32768}},
		"µ-law":      {format(7, 1, 16000, 8), []byte{0xff, 0x80, 0x00, 0xef}, []float32{0, 32124. / 32768, -32124. / 32768, 132. / 32768}},
		"stereo":     {format(1, 2, 16000, 16), []byte{0, 0x40, 0, 0, 0, 0x40, 0, 0xc0}, []float32{0.25, 0}},
		"extensible": {append(format(0xfffe, 1, 16000, 16), 22, 0, 16, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0), []byte{0, 0x40}, []float32{0.5}},
	} {
		got, p, err := samples(wavFile(c.format, c.data), media.Limits{})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
		if want := time.Duration(len(c.want)) * time.Second / 16000; p.Duration != want {
			t.Errorf("%s: duration %v, want %v", name, p.Duration, want)
		}
	}
}

// Sound at the right rate is not touched.
func TestRightRate(t *testing.T) {
	x := wave(40000, 16000, 440)
	got, _, err := samples(wavFile(format(3, 1, 16000, 32), floats(x)), media.Limits{})
	if err != nil || len(got) != len(x) {
		t.Fatalf("%d samples, %v", len(got), err)
	}
	for i, v := range got {
		if v != float32(x[i]) {
			t.Fatalf("sample %d: %v, want %v", i, v, x[i])
		}
	}
}

func db(x float64) float64 { return 20 * math.Log10(x) }

// away from the ends, where there is silence before and after, a sine must come
// out as the sine of the new rate, and what is beyond its band not at all.
func TestResampling(t *testing.T) {
	for _, rate := range []int{8000, 11025, 22050, 32000, 44100, 44099, 48000, 96000, 192000} {
		band := float64(min(rate, media.SampleRate)) / 2
		for _, hz := range []float64{50, 0.3 * band, 0.86 * band, 1.001 * band, 1.2 * band, 2.1 * band} {
			if hz >= float64(rate)/2 {
				continue
			}
			n := rate / 2
			var r Reader
			src := wave(n, rate, hz)
			at := 0
			r = *NewReader(rate, func(dst []float32) (int, error) {
				k := 0
				for ; k < min(len(dst), 777) && at < n; k++ {
					dst[k] = float32(src[at])
					at++
				}
				if at == n {
					return k, io.EOF
				}
				return k, nil
			})
			out := make([]float32, media.SampleRate)
			k, err := r.Read(out)
			if want := (n*media.SampleRate + rate - 1) / rate; err != io.EOF || k != want {
				t.Errorf("%d Hz: %d samples, %v; want %d", rate, k, err, want)
				continue
			}
			want := wave(k, media.SampleRate, hz)
			var sum float64
			const edge = 1000
			for i := edge; i < k-edge; i++ {
				d := float64(out[i])
				if hz < band {
					d -= want[i]
				}
				sum += d * d
			}
			// The sine's root mean square is 0.5/√2.
			if level := db(math.Sqrt(sum/float64(k-2*edge)) / (0.5 / math.Sqrt2)); level > -80 {
				t.Errorf("%d Hz, sine of %.0f Hz: error %.1f dB", rate, hz, level)
			}
		}
	}
}

func TestStretch(t *testing.T) {
	x := wave(3*44100, 44100, 440)
	data := wavFile(format(1, 1, 44100, 16), pcm16(x))
	got, p, err := samples(data, media.Limits{Start: 500 * time.Millisecond, End: 1700 * time.Millisecond})
	if err != nil || len(got) != 1.2*16000 || p.Duration != 1200*time.Millisecond {
		t.Fatalf("%d samples of %v, %v", len(got), p.Duration, err)
	}
	want := wave(2*16000, 16000, 440)[8000:]
	for i := 500; i < len(got); i++ {
		if d := math.Abs(float64(got[i]) - want[i]); d > 1e-3 {
			t.Fatalf("sample %d is %v, not %v", i, got[i], want[i])
		}
	}
	if _, _, err := samples(data, media.Limits{Start: 3 * time.Second}); err == nil || !strings.Contains(err.Error(), "lasts 3s") {
		t.Errorf("from its end on: %v", err)
	}
	_, whole, err := samples(data, media.Limits{})
	if err != nil || whole.Hash == p.Hash {
		t.Errorf("hash of a stretch, %v", err)
	}
}

func TestZeroSamples(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty":  wavFile(format(1, 1, 16000, 16), nil),
		"half":   wavFile(format(1, 1, 16000, 16), []byte{1}),
		"header": wavFile(format(1, 1, 16000, 16), nil)[:50],
	} {
		if _, _, err := samples(data, media.Limits{}); !errors.Is(err, errNoSamples) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTruncatedWAV(t *testing.T) {
	data := wavFile(format(1, 1, 8000, 16), pcm16(wave(16000, 8000, 440)))
	got, p, err := samples(data[:len(data)-8000], media.Limits{})
	var broken *media.BrokenError
	if len(got) != 24000 || p.Duration != 2*time.Second || !errors.As(err, &broken) || broken.At != 1500*time.Millisecond ||
		!strings.Contains(err.Error(), "sound: breaks off at 1.5s") {
		t.Errorf("%d samples of %v, %v", len(got), p.Duration, err)
	}
	if got, _, err := samples(data[:len(data)-8000], media.Limits{End: time.Second}); err != nil || len(got) != 16000 {
		t.Errorf("the first second: %d samples, %v", len(got), err)
	}
}

// A writer to a pipe cannot go back and fill in the size.
func TestOpenSize(t *testing.T) {
	data := wavFile(format(1, 1, 16000, 16), pcm16(wave(100, 16000, 440)))
	at := bytes.Index(data, []byte("data")) + 4
	binary.LittleEndian.PutUint32(data[at:], 1<<32-1)
	if got, _, err := samples(data, media.Limits{}); err != nil || len(got) != 100 {
		t.Errorf("%d samples, %v", len(got), err)
	}
	// RF64 has the size elsewhere.
	long := bytes.Replace(data, chunk("junk", []byte{1, 2, 3}), chunk("ds64", append(make([]byte, 8), 180, 0, 0, 0, 0, 0, 0, 0)), 1)
	copy(long, "RF64")
	if got, _, err := samples(long, media.Limits{}); err != nil || len(got) != 90 {
		t.Errorf("RF64: %d samples, %v", len(got), err)
	}
}

func TestBrokenWAV(t *testing.T) {
	for name, data := range map[string][]byte{
		"no format":       chunk("RIFF", append([]byte("WAVE"), chunk("data", []byte{1, 2})...)),
		"nothing":         chunk("RIFF", []byte("WAVE")),
		"short format":    wavFile([]byte{1, 0, 1, 0}, []byte{1, 2}),
		"no channels":     wavFile(format(1, 0, 16000, 16), []byte{1, 2}),
		"rate of 0":       wavFile(format(1, 1, 0, 16), []byte{1, 2}),
		"5 bytes":         wavFile(format(1, 1, 16000, 40), make([]byte, 10)),
		"rate of 4e9":     wavFile(format(1, 1, 4e9, 16), []byte{1, 2}),
		"odd float":       wavFile(format(3, 1, 16000, 16), []byte{1, 2}),
		"a third channel": wavFile(append(format(1, 3, 16000, 16)[:12], 4, 0, 16, 0), []byte{1, 2, 3, 4}),
	} {
		if got, _, err := samples(data, media.Limits{}); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Each file of testdata holds half a second of 440 Hz at an eighth of full scale.
func TestFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		ffmpeg bool
		length float64 // seconds, 0 for half of one
	}{{"tone.flac", false, 0}, {"tone.mp3", false, 0}, {"22k.mp3", true, 0}, {"tone.ogg", true, 0}, {"tone.opus", true, 0}, {"tone.m4a", true, 0}, {"tone.aiff", true, 0.1}} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath("ffmpeg"); c.ffmpeg && err != nil {
				t.Skip("no ffmpeg, which decodes this")
			}
			if !c.ffmpeg {
				t.Setenv("PATH", "") // these need none
			}
			if c.length == 0 {
				c.length = 0.5
			}
			got, p, err := samples(read(t, c.name), media.Limits{})
			seconds := float64(len(got)) / media.SampleRate
			// Compression adds up to two frames.
			if err != nil || seconds < c.length-0.001 || seconds > c.length+0.12 {
				t.Fatalf("%v s, %v", seconds, err)
			}
			if p.Duration != 0 && math.Abs(p.Duration.Seconds()-c.length) > 0.12 {
				t.Errorf("duration %v", p.Duration)
			}
			// The power at 440 Hz against all there is, in the middle.
			mid := got[len(got)/4 : len(got)*3/4]
			var re, im, all float64
			for i, v := range mid {
				s, co := math.Sincos(2 * math.Pi * 440 * float64(i) / media.SampleRate)
				re, im, all = re+float64(v)*co, im+float64(v)*s, all+float64(v)*float64(v)
			}
			n := float64(len(mid))
			amplitude := 2 * math.Hypot(re, im) / n
			if math.Abs(amplitude-0.125) > 0.01 || amplitude*amplitude/2 < 0.95*all/n {
				t.Errorf("amplitude %v at 440 Hz of a power of %v", amplitude, all/n)
			}
		})
	}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTruncatedFLAC(t *testing.T) {
	data := read(t, "tone.flac")
	got, _, err := samples(data[:len(data)*2/3], media.Limits{})
	var broken *media.BrokenError
	if len(got) < 1000 || !errors.As(err, &broken) || broken.At <= 0 {
		t.Errorf("%d samples, %v", len(got), err)
	}
	// A cut between two frames is told by the header alone. A frame has its number
	// in its fifth byte.
	last := 0
	for i, n := 0, 0; i+5 < len(data); i++ {
		if data[i] == 0xff && data[i+1] == 0xf8 && int(data[i+4]) == n {
			last, n = i, n+1
		}
	}
	if got, _, err := samples(data[:last], media.Limits{}); len(got) == 0 || !errors.As(err, &broken) || !strings.Contains(err.Error(), "announces 500ms") {
		t.Errorf("without the last frame: %d samples, %v", len(got), err)
	}
}

func TestTruncatedMP3(t *testing.T) {
	data := read(t, "tone.mp3")
	got, _, err := samples(data[:len(data)/2], media.Limits{})
	var broken *media.BrokenError
	if len(got) == 0 || !errors.As(err, &broken) {
		t.Errorf("%d samples, %v", len(got), err)
	}
}

func TestNamesSayNothing(t *testing.T) {
	for _, s := range []string{"", "RIFF of text, which goes on", "ID3 is a tag", "\xff\xfeT\x00e\x00x\x00t\x00, in UTF-16", "OggS", "fLaC", "MAC addresses"} {
		if Format().Match("song.mp3", []byte(s)) {
			t.Errorf("%q matches", s)
		}
	}
}

func TestWithoutFFmpeg(t *testing.T) {
	t.Setenv("PATH", "")
	if _, err := parts(read(t, "tone.opus"), media.Limits{}); err == nil || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ps, err := parts(wavFile(format(1, 1, 8000, 16), pcm16(wave(80000, 8000, 440))), media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := ps[0].Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancelling: %v", err)
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wavFile(format(1, 2, 44100, 24), make([]byte, 600)))
	f.Add(wavFile(format(3, 1, 16000, 32), make([]byte, 64)))
	f.Add(wavFile(append(format(0xfffe, 1, 8000, 8), 22, 0, 16, 0, 4, 0, 0, 0, 7, 0), make([]byte, 64)))
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := openWAV(bytes.NewReader(data), int64(len(data)), 1)
		if err != nil {
			return
		}
		buf, n := make([]float32, 100), int64(0)
		for err == nil {
			var k int
			k, err = src.read(buf)
			n += int64(k)
			for _, v := range buf[:k] {
				if !(v >= -1 && v <= 1) {
					t.Fatalf("sample %v", v)
				}
			}
		}
		if err != io.EOF || src.begins+n > src.announced {
			t.Errorf("%d samples after %d of %d, %v", n, src.begins, src.announced, err)
		}
	})
}

// FuzzCompressed sees that the decoders of others are contained.
func FuzzCompressed(f *testing.F) {
	f.Add(read(f, "tone.flac"))
	f.Add(read(f, "tone.mp3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		open := own(&media.File{Size: int64(len(data)), Head: data, ReaderAt: bytes.NewReader(data)})
		if open == nil {
			return
		}
		src, err := guarded(open, bytes.NewReader(data), int64(len(data)), 0)
		if err != nil {
			return
		}
		next := src.whole(context.Background(), 0)
		for buf := make([]float32, 4096); err == nil; {
			_, err = next(buf)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"tone.flac", "tone.mp3"} {
		b.Run(name, func(b *testing.B) {
			data := read(b, name)
			var n int
			for b.Loop() {
				got, _, err := samples(data, media.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				n += len(got)
			}
			b.ReportMetric(float64(n)/media.SampleRate/b.Elapsed().Seconds(), "s/s")
		})
	}
}
