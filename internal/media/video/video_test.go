package video

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// clips are made once; the directory is removed by TestMain.
var clips struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if clips.dir != "" {
		if err := os.RemoveAll(clips.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// grey is a film of 64 × 48 pixels whose n-th second is grey of level 40 · n + 20,
// to be cut to the seconds wanted.
const grey = "nullsrc=s=64x48:r=10,geq=lum='40*floor(T)+20':cb=128:cr=128"

// clip makes a film with ffmpeg and returns its path.
func clip(t testing.TB, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("no ffmpeg, which makes and decodes the clip")
	}
	clips.Lock()
	defer clips.Unlock()
	if clips.dir == "" {
		dir, err := os.MkdirTemp("", "handscroll-clips-")
		if err != nil {
			t.Fatal(err)
		}
		clips.dir = dir
	}
	path := filepath.Join(clips.dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	args = append(append([]string{"-v", "error", "-nostdin", "-y"}, args...), path)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// greyClip is 4 seconds of grey with a tone, a key frame every two seconds.
func greyClip(t testing.TB) string {
	return clip(t, "grey.mkv", "-f", "lavfi", "-i", grey, "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-t", "4", "-c:v", "mpeg4", "-q:v", "2", "-g", "20", "-sc_threshold", "1000000000", "-c:a", "pcm_s16le")
}

// open decodes a file from the disk.
func open(path string, l media.Limits) ([]media.Part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, min(st.Size(), media.SniffBytes))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, err
	}
	if !match(path, head) {
		return nil, errors.New("no match")
	}
	return decode(context.Background(), &media.File{Name: path, Path: path, Size: st.Size(), Head: head, ReaderAt: f}, l)
}

// seen is what a stream gave.
type seen struct {
	at      []time.Duration // of frames
	levels  []int           // their first bytes
	w, h    int
	samples []float32
}

// watch reads a part to its end, and checks that time goes on.
func watch(ctx context.Context, p media.Part) (got seen, err error) {
	s, err := p.Open(ctx)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, s.Close(), s.Close()) }()
	last := time.Duration(-1)
	for {
		c, err := s.Next()
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if c.At < last || c.Frame == nil && len(c.Sound) == 0 {
			return got, fmt.Errorf("chunk at %v after %v, of nothing or out of order", c.At, last)
		}
		last = c.At
		if c.Frame != nil {
			got.at = append(got.at, c.At)
			got.levels = append(got.levels, int(c.Frame.Pix[0]))
			got.w, got.h = c.Frame.W, c.Frame.H
		}
		got.samples = append(got.samples, c.Sound...)
	}
}

func film1(t *testing.T, path string, l media.Limits) (media.Part, seen, error) {
	t.Helper()
	ps, err := open(path, l)
	if err != nil {
		t.Fatal(err)
	}
	if len(ps) != 1 {
		t.Fatalf("%d parts", len(ps))
	}
	got, err := watch(context.Background(), ps[0])
	return ps[0], got, err
}

// shows checks the frames' times and levels, the latter within what YUV costs.
func (s seen) shows(times string, levels ...int) error {
	if got := fmt.Sprint(s.at); got != times {
		return fmt.Errorf("frames at %s, want %s", got, times)
	}
	for i, v := range s.levels {
		// 8-bit video's black is 16 and its white 235.
		want := (levels[i]*40 + 20 - 16) * 255 / 219
		if d := v - want; d < -6 || d > 6 {
			return fmt.Errorf("frame %d has level %d, want %d", i, v, want)
		}
	}
	return nil
}

func TestFramesAndSound(t *testing.T) {
	path := greyClip(t)
	p, got, err := film1(t, path, media.Limits{})
	if err == nil {
		err = got.shows("[0s 1s 2s 3s]", 0, 1, 2, 3)
	}
	if err != nil || p.Kind != media.Film || got.w != 64 || got.h != 48 || p.Duration.Round(100*time.Millisecond) != 4*time.Second {
		t.Errorf("%v × %v in %v, %v", got.w, got.h, p.Duration, err)
	}
	if n := len(got.samples); n < 63900 || n > 64100 {
		t.Errorf("%d samples", n)
	}
	_, got, err = film1(t, path, media.Limits{FPS: 4, Start: 1500 * time.Millisecond, End: 2600 * time.Millisecond})
	if err == nil {
		err = got.shows("[1.5s 1.75s 2s 2.25s 2.5s]", 1, 1, 2, 2, 2)
	}
	if n := len(got.samples); err != nil || n < 17500 || n > 17600 {
		t.Errorf("stretch: %d samples, %v", n, err)
	}
	// Every other second; what lies between is sound alone.
	_, got, err = film1(t, path, media.Limits{FPS: 0.5})
	if err == nil {
		err = got.shows("[0s 2s]", 0, 2)
	}
	if n := len(got.samples); err != nil || n < 63900 {
		t.Errorf("half a frame a second: %d samples, %v", n, err)
	}
}

// Between key frames the film shows the last one, which is not repeated.
func TestKeyFrames(t *testing.T) {
	_, got, err := film1(t, greyClip(t), media.Limits{KeyFrames: true, FPS: 2})
	if err == nil {
		err = got.shows("[0s 2s]", 0, 2)
	}
	if err != nil || len(got.samples) < 63900 {
		t.Errorf("%d samples, %v", len(got.samples), err)
	}
}

func TestSizes(t *testing.T) {
	const two = "color=gray:s=320x240:r=5:d=0.6"
	for _, c := range []struct {
		name string
		args []string
		side int
		w, h int
	}{
		{"plain.mkv", []string{"-i", two}, 60, 80, 60},
		{"small.mkv", []string{"-i", two}, 500, 320, 240},
		{"wide.mkv", []string{"-i", two, "-vf", "setsar=2"}, 60, 106, 40},
		{"odd.mkv", []string{"-i", "color=gray:s=99x301:r=5:d=0.6"}, 45, 15, 45},
	} {
		path := clip(t, c.name, append(append([]string{"-f", "lavfi"}, c.args...), "-c:v", "mpeg4")...)
		p, got, err := film1(t, path, media.Limits{MaxSide: c.side})
		if err != nil || got.w != c.w || got.h != c.h || p.Kind != media.Film || len(got.at) != 1 {
			t.Errorf("%s: %d frames of %d × %d, %v; want %d × %d", c.name, len(got.at), got.w, got.h, err, c.w, c.h)
		}
	}
}

// Phones turn no pixels but say in the track's header how the film is held.
func TestTurned(t *testing.T) {
	data, err := os.ReadFile(clip(t, "held.mp4", "-f", "lavfi", "-i", "nullsrc=s=320x240:r=5:d=0.6,geq=lum='if(lt(X,160),16,235)':cb=128:cr=128", "-c:v", "mpeg4", "-q:v", "2"))
	if err != nil {
		t.Fatal(err)
	}
	matrix := bytes.Index(data, []byte("tkhd")) + 4 + 40
	for _, c := range []struct {
		a, b, c, d  int32 // of the matrix, in units of 2⁻¹⁶
		w, h        int
		first, last byte
	}{{0, 1, -1, 0, 45, 60, 0, 255}, {-1, 0, 0, -1, 80, 60, 255, 0}, {0, -1, 1, 0, 45, 60, 255, 0}} {
		for i, v := range []int32{c.a, c.b, 0, c.c, c.d} {
			binary.BigEndian.PutUint32(data[matrix+4*i:], uint32(v<<16))
		}
		path := filepath.Join(t.TempDir(), "held.mp4")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		ps, err := open(path, media.Limits{MaxSide: 60})
		if err != nil {
			t.Fatal(err)
		}
		s, err := ps[0].Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Next()
		if err != nil || got.Frame.W != c.w || got.Frame.H != c.h {
			t.Errorf("%+v: %v", c, err)
		} else if p := got.Frame.Pix; int(p[0])-int(c.first) > 8 || int(c.first)-int(p[0]) > 8 || int(p[len(p)-1])-int(c.last) > 8 || int(c.last)-int(p[len(p)-1]) > 8 {
			t.Errorf("%+v: from %d to %d", c, p[0], p[len(p)-1])
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestTooManyPixels(t *testing.T) {
	if _, err := open(greyClip(t), media.Limits{Pixels: 1000}); err == nil || !strings.Contains(err.Error(), "64 × 48 pixels; 1000 pixels are allowed") {
		t.Errorf("error %v", err)
	}
}

func TestWithoutFrames(t *testing.T) {
	path := clip(t, "tone.webm", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1.5", "-c:a", "libopus")
	p, got, err := film1(t, path, media.Limits{})
	if err != nil || p.Kind != media.Sound || len(got.at) != 0 || len(got.samples) < 23900 {
		t.Errorf("%v of %d frames and %d samples, %v", p.Kind, len(got.at), len(got.samples), err)
	}
}

func TestTruncated(t *testing.T) {
	for _, name := range []string{"grey.mkv", "first.mp4"} {
		path := greyClip(t)
		if name == "first.mp4" {
			path = clip(t, name, "-i", path, "-c:v", "copy", "-c:a", "aac", "-movflags", "faststart")
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(half, data[:len(data)*6/10], 0o666); err != nil {
			t.Fatal(err)
		}
		_, got, err := film1(t, half, media.Limits{})
		var broken *media.BrokenError
		if !errors.As(err, &broken) || broken.At < 2*time.Second || broken.At > 3*time.Second || !strings.Contains(err.Error(), name+": breaks off at ") {
			t.Errorf("%s: error %v", name, err)
		}
		if n := len(got.at); n < 2 || n > 3 || len(got.samples) < 30000 {
			t.Errorf("%s: %d frames and %d samples before it", name, n, len(got.samples))
		}
		// What lies behind the end that was asked for is nobody's concern.
		if _, got, err := film1(t, half, media.Limits{End: time.Second}); err != nil || len(got.at) != 1 {
			t.Errorf("%s: the first second: %d frames, %v", name, len(got.at), err)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("no ffprobe to be asked")
	}
	path := filepath.Join(t.TempDir(), "noise.mkv")
	if err := os.WriteFile(path, append([]byte("\x1a\x45\xdf\xa3"), bytes.Repeat([]byte("noise"), 100)...), 0o666); err != nil {
		t.Fatal(err)
	}
	if ps, err := open(path, media.Limits{}); err == nil || !strings.HasPrefix(err.Error(), "ffprobe: ") {
		t.Errorf("%v, %v", ps, err)
	}
}

// Neither options nor URLs: a name is a file's.
func TestNames(t *testing.T) {
	data, err := os.ReadFile(greyClip(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, name := range []string{"-i.mkv", "http:x.mkv", "a b'%03d.avi", "concat:x|y"} {
		if err := os.WriteFile(name, data, 0o666); err != nil {
			t.Log(err) // not every system allows such names
			continue
		}
		_, got, err := film1(t, name, media.Limits{FPS: 0.25})
		if err != nil || len(got.at) != 1 {
			t.Errorf("%s: %d frames, %v", name, len(got.at), err)
		}
	}
}

// Members of archives have no path.
func TestFromMemory(t *testing.T) {
	data, err := os.ReadFile(greyClip(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	ps, err := decode(context.Background(), &media.File{Name: "a.zip/b.mkv", Size: int64(len(data)), Head: data[:media.SniffBytes], ReaderAt: bytes.NewReader(data)}, media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := watch(context.Background(), ps[0])
		if err == nil {
			err = got.shows("[0s 1s 2s 3s]", 0, 1, 2, 3)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWithoutFFmpeg(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film.flv")
	if err := os.WriteFile(path, []byte("FLV\x01\x05\x00\x00\x00\x09"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "")
	if _, err := open(path, media.Limits{}); err == nil || !strings.Contains(err.Error(), "install ffmpeg (") {
		t.Errorf("error %v", err)
	}
}

func TestMatch(t *testing.T) {
	packets := func(first, step int) string {
		b := make([]byte, 2000)
		for i := first; i < len(b); i += step {
			b[i] = 'G'
		}
		return string(b)
	}
	for _, s := range []string{packets(0, 188), packets(4, 192), "\x00\x00\x00\x14ftypisom\x00\x00\x00\x00", "\x00\x00\x00\x08wide\x00\x00\x10\x00mdat",
		"OggS\x00\x02\x00\x00\x00\x80theora", "\x00\x00\x01\xba\x44"} {
		if !match("x.txt", []byte(s)) {
			t.Errorf("%.20q does not match", s)
		}
	}
	for _, s := range []string{"", "GGGG", strings.Repeat("G", 187), "the ftyp of a file", "FLV", "OggS\x00\x02\x01vorbis", "RIFF\x00\x00\x00\x00WAVE", "RIFF"} {
		if match("film.mp4", []byte(s)) {
			t.Errorf("%.20q matches", s)
		}
	}
}
