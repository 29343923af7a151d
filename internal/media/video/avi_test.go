package video

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/media"
)

// level is a JPEG of one grey.
func level(t testing.TB, w, h, n int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	v := byte((n*40 + 20 - 16) * 255 / 219) // as the clips of ffmpeg have it
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{v, v, v, 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withoutTables is what cameras write.
func withoutTables(t testing.TB, data []byte) []byte {
	t.Helper()
	out := []byte{0xff, 0xd8}
	scan := segments(data, func(marker byte, segment []byte) bool {
		if marker != 0xc4 {
			out = append(out, segment...)
		}
		return true
	})
	if scan < 0 {
		t.Fatal("no scan")
	}
	return append(out, data[scan:]...)
}

func riffChunk(id string, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	b := append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(body))), body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func riffList(kind string, parts ...[]byte) []byte {
	return riffChunk("LIST", append([][]byte{[]byte(kind)}, parts...)...)
}

// streamHeader is a strh for so many units at rate a second.
func streamHeader(kind, codec string, rate, length int) []byte {
	b := make([]byte, 56)
	copy(b, kind)
	copy(b[4:], codec)
	binary.LittleEndian.PutUint32(b[20:], 1)
	binary.LittleEndian.PutUint32(b[24:], uint32(rate))
	binary.LittleEndian.PutUint32(b[32:], uint32(length))
	return riffChunk("strh", b)
}

func pictureFormat(w, h int) []byte {
	b := make([]byte, 40)
	le := binary.LittleEndian
	le.PutUint32(b, 40)
	le.PutUint32(b[4:], uint32(w))
	le.PutUint32(b[8:], uint32(h))
	copy(b[16:], "MJPG")
	return riffChunk("strf", b)
}

// motionJPEG is a film of 32 × 24 pixels at 2 frames a second, which announces 5
// frames and has 2; with stereo at 8,000 Hz, left ½ and right 0.
func motionJPEG(t testing.TB) []byte {
	le := binary.LittleEndian
	wave := le.AppendUint16(le.AppendUint16(nil, 1), 2)
	wave = le.AppendUint32(le.AppendUint32(wave, 8000), 32000)
	wave = le.AppendUint16(le.AppendUint16(wave, 4), 16)
	// Chunks of sound need not end where a sample does.
	sound := bytes.Repeat([]byte{0, 0x40, 0, 0}, 10000)
	first, second := riffChunk("01wb", sound[:16001]), riffChunk("01wb", sound[16001:32002])
	return riffChunk("RIFF", []byte("AVI "),
		riffList("hdrl", riffChunk("avih", make([]byte, 56)),
			riffList("strl", streamHeader("vids", "MJPG", 2, 5), pictureFormat(32, 24)),
			riffList("strl", streamHeader("auds", "", 8000, 20000), riffChunk("strf", wave))),
		riffList("INFO", riffChunk("ISFT", []byte("odd"))),
		riffList("movi",
			riffList("rec ", riffChunk("00dc", level(t, 32, 24, 0)), riffChunk("ix00", []byte{1})), first,
			riffChunk("00dc", withoutTables(t, level(t, 32, 24, 1))), second))
}

// opened is motionJPEG with the rest, as OpenDML has it, in a second RIFF: levels
// 2, an empty chunk for the same again, and 4 in another size.
func opened(t testing.TB) []byte {
	whole := motionJPEG(t)
	frame, sound := withoutTables(t, level(t, 32, 24, 2)), bytes.Repeat([]byte{0, 0x40, 0, 0}, 3)
	return append(whole, riffChunk("RIFF", []byte("AVIX"), riffList("movi",
		riffChunk("00dc", frame), riffChunk("00dc"), riffChunk("00dc", level(t, 64, 48, 4)), riffChunk("01wb", sound)))...)
}

func memory(data []byte, l media.Limits) (media.Part, error) {
	ps, err := decode(context.Background(), &media.File{Name: "cam.avi", Size: int64(len(data)), Head: data[:min(len(data), media.SniffBytes)], ReaderAt: bytes.NewReader(data)}, l)
	if err != nil {
		return media.Part{}, err
	}
	return ps[0], nil
}

func TestMotionJPEG(t *testing.T) {
	t.Setenv("PATH", "")
	data := opened(t)
	path := filepath.Join(t.TempDir(), "cam.txt")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	p, got, err := film1(t, path, media.Limits{FPS: 2})
	if err == nil {
		err = got.shows("[0s 500ms 1s 1.5s 2s]", 0, 1, 2, 2, 4)
	}
	if err != nil || p.Duration != 2500*time.Millisecond || got.w != 32 || got.h != 24 {
		t.Errorf("%d × %d in %v, %v", got.w, got.h, p.Duration, err)
	}
	// The sound is two chunks of 16,001 bytes and one of 12.
	if n := len(got.samples); n != 2*((2*16001+12)/4) {
		t.Errorf("%d samples", n)
	}
	for i, v := range got.samples[200 : len(got.samples)-200] {
		if v < 0.249 || v > 0.251 {
			t.Fatalf("sample %d is %v", i+200, v)
		}
	}
	_, got, err = film1(t, path, media.Limits{FPS: 4, Start: 750 * time.Millisecond, End: 1100 * time.Millisecond, MaxSide: 12})
	if err == nil {
		err = got.shows("[750ms 1s]", 1, 2)
	}
	if err != nil || got.w != 16 || got.h != 12 || len(got.samples) != 16006-12000 {
		t.Errorf("stretch: %d samples, %d × %d, %v", len(got.samples), got.w, got.h, err)
	}
}

func TestTruncatedAVI(t *testing.T) {
	data := opened(t)
	p, err := memory(data[:len(data)-500], media.Limits{FPS: 2})
	if err != nil {
		t.Fatal(err)
	}
	got, err := watch(context.Background(), p)
	if e := got.shows("[0s 500ms 1s 1.5s]", 0, 1, 2, 2); e != nil {
		t.Error(e)
	}
	var broken *media.BrokenError
	if !errors.As(err, &broken) || broken.At != 2*time.Second || !strings.Contains(err.Error(), "cam.avi: breaks off at 2s") {
		t.Errorf("error %v", err)
	}
	for n := 12; n < bytes.Index(data, []byte("movi")); n++ {
		if p, err := memory(data[:n], media.Limits{}); err == nil {
			t.Fatalf("%d bytes are %+v", n, p)
		}
	}
}

func TestDamagedFrame(t *testing.T) {
	data := motionJPEG(t)
	second := bytes.LastIndex(data, []byte("00dc"))
	copy(data[second+8:], "no picture")
	p, err := memory(data, media.Limits{FPS: 2})
	if err != nil {
		t.Fatal(err)
	}
	var broken *media.BrokenError
	if got, err := watch(context.Background(), p); len(got.at) != 1 || !errors.As(err, &broken) || !strings.Contains(err.Error(), fmt.Sprintf("offset %d", second+8)) {
		t.Errorf("%d frames, %v", len(got.at), err)
	}
}

func TestAVIBeyondLimits(t *testing.T) {
	if _, err := memory(motionJPEG(t), media.Limits{Pixels: 100}); err == nil || !strings.Contains(err.Error(), "32 × 24 pixels") {
		t.Errorf("error %v", err)
	}
	// A frame larger than the header says.
	p, err := memory(opened(t), media.Limits{Pixels: 1000, FPS: 2})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch(context.Background(), p); err == nil || !strings.Contains(err.Error(), "64 × 48 pixels") {
		t.Errorf("error %v", err)
	}
}

func FuzzAVI(f *testing.F) {
	f.Add(opened(f))
	f.Add(motionJPEG(f)[:700])
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := readAVI(bytes.NewReader(data), int64(len(data)))
		if err != nil || !a.own() {
			return
		}
		if a.duration < 0 {
			t.Fatalf("duration %v", a.duration)
		}
		p, err := memory(data, media.Limits{Pixels: 1 << 12, FPS: 2, End: 10 * time.Second})
		if err != nil {
			return
		}
		if got, err := watch(context.Background(), p); err != nil && strings.Contains(err.Error(), "chunk at") {
			t.Errorf("%d frames, %v", len(got.at), err)
		}
	})
}
