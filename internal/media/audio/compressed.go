package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
	"github.com/mewkiz/flac"
)

// openFLAC decodes FLAC.
func openFLAC(r *io.SectionReader) (source, error) {
	s, err := flac.New(bufio.NewReaderSize(r, 1<<16))
	if err != nil {
		return source{}, fmt.Errorf("FLAC header: %w", noEOF(err))
	}
	rate := int(s.Info.SampleRate)
	if rate < minRate || rate > maxRate || s.Info.NChannels == 0 {
		return source{}, fmt.Errorf("FLAC: %d channels of %d samples a second", s.Info.NChannels, rate)
	}
	var ready []float32
	read := func(dst []float32) (int, error) {
		for len(ready) == 0 {
			f, err := s.ParseNext()
			if err == io.EOF {
				return 0, io.EOF
			}
			if err != nil {
				return 0, fmt.Errorf("FLAC: %w", noEOF(err))
			}
			ready = make([]float32, f.BlockSize)
			bits := f.BitsPerSample
			if bits == 0 {
				bits = s.Info.BitsPerSample
			}
			scale := 1 / (float32(uint64(1)<<(bits-1)) * float32(len(f.Subframes)))
			for _, sub := range f.Subframes {
				for i, v := range sub.Samples[:len(ready)] {
					ready[i] += float32(v) * scale
				}
			}
		}
		n := copy(dst, ready)
		ready = ready[n:]
		return n, nil
	}
	return source{rate: rate, announced: int64(s.Info.NSamples), read: read}, nil
}

// openMP3 decodes MPEG layer III, which begins at r's first byte.
func openMP3(r *io.SectionReader) (source, error) {
	announced, err := mp3Samples(r)
	if err != nil {
		return source{}, err
	}
	// A reader that cannot seek keeps the decoder from going through the whole file.
	d, err := mp3.NewDecoder(bufio.NewReaderSize(struct{ io.Reader }{r}, 1<<16))
	if err != nil {
		return source{}, fmt.Errorf("MP3: %w", noEOF(err))
	}
	if d.SampleRate() < minRate {
		return source{}, fmt.Errorf("MP3: %d samples a second", d.SampleRate())
	}
	var buf [1 << 14]byte // of 16-bit samples left and right
	read := func(dst []float32) (int, error) {
		n, err := io.ReadFull(d, buf[:min(len(buf), 4*len(dst))])
		for i := range n / 4 {
			b := buf[4*i:]
			sum := int(int16(binary.LittleEndian.Uint16(b))) + int(int16(binary.LittleEndian.Uint16(b[2:])))
			dst[i] = float32(sum) / 65536
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		if err != nil && err != io.EOF {
			err = fmt.Errorf("MP3: %w", err)
		}
		return n / 4, err
	}
	// Encoders count their delay or do not.
	return source{rate: d.SampleRate(), announced: announced, slack: 3 * 1152, read: read}, nil
}

// Fields of the header of an MPEG frame.
const (
	mpegSync     = 0xffe00000
	mpegVersion  = 3 << 19 // 3 is MPEG-1, 2 MPEG-2, 0 MPEG-2.5
	mpegLayer    = 3 << 17 // 1 is layer III
	mpegBitrate  = 15 << 12
	mpegRate     = 3 << 10
	mpegMono     = 3 << 6
	mpegEmphasis = 3
)

func isFrame(b []byte) (h uint32, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	h = binary.BigEndian.Uint32(b)
	return h, h&mpegSync == mpegSync && h&mpegVersion != 1<<19 && h&mpegLayer != 0 &&
		h&mpegBitrate != mpegBitrate && h&mpegRate != mpegRate && h&mpegEmphasis != 2
}

// isLayer3 matches what the MP3 decoder can do: layer III at a stated bit rate,
// but neither MPEG-2.5 nor MPEG-2 at 22,050 Hz: it drops the byte by which frames
// of those differ in length, and what follows is noise.
func isLayer3(b []byte) bool {
	h, ok := isFrame(b)
	return ok && h&mpegLayer == 1<<17 && h&mpegBitrate != 0 &&
		(h&mpegVersion == mpegVersion || h&mpegVersion == 2<<19 && h&mpegRate != 0)
}

// layer3Bytes is the length of a layer III frame, 0 if it has none stated.
func layer3Bytes(h uint32) int {
	rates, samples := [15]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}, 144
	rate := [3]int{44100, 48000, 32000}[h&mpegRate>>10]
	switch h & mpegVersion >> 19 {
	case 2:
		rates, samples, rate = [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}, 72, rate/2
	case 0:
		rates, samples, rate = [15]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}, 72, rate/4
	}
	kbits := rates[h&mpegBitrate>>12]
	if kbits == 0 {
		return 0
	}
	return samples*1000*kbits/rate + int(h>>9&1)
}

// isMPEG matches MP3 by two frames one after the other, since UTF-16 text begins
// like a frame, and AAC by two of its frames.
func isMPEG(head []byte) bool {
	if len(head) >= 7 && head[0] == 0xff && head[1]&0xf6 == 0xf0 {
		n := int(head[3]&3)<<11 | int(head[4])<<3 | int(head[5])>>5
		return n >= 7 && n+2 <= len(head) && head[n] == 0xff && head[n+1]&0xf6 == 0xf0
	}
	h, ok := isFrame(head)
	if !ok || h&mpegLayer != 1<<17 {
		return false
	}
	n := layer3Bytes(h)
	if n == 0 || n > len(head) {
		return false
	}
	if n == len(head) {
		return true // a file of one frame
	}
	_, ok = isFrame(head[n:])
	return ok
}

func isID3(head []byte) bool { return id3Size(head) > 0 }

// id3Size is the length of the ID3v2 tag that head begins with.
func id3Size(head []byte) int64 {
	if len(head) < 10 || string(head[:3]) != "ID3" || head[3] > 4 || head[5]&0x0f != 0 {
		return 0
	}
	n := int64(10)
	for i, b := range head[6:10] {
		if b > 127 {
			return 0
		}
		n += int64(b) << (7 * (3 - i))
	}
	if head[5]&0x10 != 0 {
		n += 10 // a footer
	}
	return n
}

// mp3Samples is the number of samples that a Xing header announces, 0 without.
func mp3Samples(r io.ReaderAt) (int64, error) {
	var b [48]byte
	n, err := r.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return 0, err
	}
	h, ok := isFrame(b[:n])
	if !ok {
		return 0, errors.New("MP3: no frame at its beginning")
	}
	// The header stands after the frame's side information.
	at, samples := 4+32, int64(1152)
	mono := h&mpegMono == mpegMono
	switch {
	case h&mpegVersion != mpegVersion && mono:
		at, samples = 4+9, 576
	case h&mpegVersion != mpegVersion:
		at, samples = 4+17, 576
	case mono:
		at = 4 + 17
	}
	tag := b[at : at+12]
	if s := string(tag[:4]); s != "Xing" && s != "Info" || tag[7]&1 == 0 {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint32(tag[8:])) * samples, nil
}

// noEOF says of a file that ends too early what is the matter.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file breaks off")
	}
	return err
}
