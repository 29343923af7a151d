package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// PCM is how samples that are not compressed are stored: WAV's and AVI's.
type PCM struct {
	Rate     int
	Channels int
	// Block is the bytes of one sample of all channels.
	Block int

	tag uint16
}

// Tags of WAVEFORMATEX.
const (
	tagPCM        = 1
	tagFloat      = 3
	tagALaw       = 6
	tagMuLaw      = 7
	tagExtensible = 0xfffe
)

// ParsePCM reads a WAVEFORMATEX. Compressed says that it is none this package
// decodes by itself.
func ParsePCM(b []byte) (p PCM, compressed bool, err error) {
	if len(b) < 16 {
		return p, false, fmt.Errorf("format chunk of %d bytes", len(b))
	}
	p.tag = binary.LittleEndian.Uint16(b)
	p.Channels = int(binary.LittleEndian.Uint16(b[2:]))
	p.Rate = int(binary.LittleEndian.Uint32(b[4:]))
	p.Block = int(binary.LittleEndian.Uint16(b[12:]))
	if p.tag == tagExtensible {
		if len(b) < 26 {
			return p, false, fmt.Errorf("extensible format chunk of %d bytes", len(b))
		}
		p.tag = binary.LittleEndian.Uint16(b[24:])
	}
	if p.Channels < 1 || p.Channels > 256 {
		return p, false, fmt.Errorf("%d channels", p.Channels)
	}
	if p.Rate < minRate || p.Rate > maxRate {
		return p, false, fmt.Errorf("%d samples a second", p.Rate)
	}
	switch p.tag {
	case tagPCM, tagFloat, tagALaw, tagMuLaw:
	default:
		return p, true, nil
	}
	if decoderOf(p.tag, p.Block, p.Channels) == nil {
		return p, false, fmt.Errorf("format %d with %d channels in %d bytes", p.tag, p.Channels, p.Block)
	}
	return p, false, nil
}

// decoderOf returns the decoder of a sample, or nil. Samples of fewer bits than
// their bytes have stand in the upper ones.
func decoderOf(tag uint16, block, channels int) func(b []byte) float32 {
	if block%channels != 0 {
		return nil
	}
	bytes := block / channels
	switch {
	case tag == tagPCM && bytes == 1:
		return func(b []byte) float32 { return float32(int(b[0])-128) / 128 }
	case tag == tagPCM && bytes == 2:
		return func(b []byte) float32 { return float32(int16(binary.LittleEndian.Uint16(b))) / 32768 }
	case tag == tagPCM && bytes == 3:
		return func(b []byte) float32 {
			return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
		}
	case tag == tagPCM && bytes == 4:
		return func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31) }
	case tag == tagFloat && bytes == 4:
		return func(b []byte) float32 { return finite(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
	case tag == tagFloat && bytes == 8:
		return func(b []byte) float32 {
			return finite(float32(math.Float64frombits(binary.LittleEndian.Uint64(b))))
		}
	case tag == tagALaw && bytes == 1:
		return func(b []byte) float32 { return aLaw(b[0]) }
	case tag == tagMuLaw && bytes == 1:
		return func(b []byte) float32 { return muLaw(b[0]) }
	}
	return nil
}

// finite holds floats to what is promised of sound.
func finite(v float32) float32 {
	if v != v {
		return 0
	}
	return min(max(v, -1), 1)
}

// aLaw and muLaw expand the codes of ITU-T G.711.
func aLaw(c byte) float32 {
	c ^= 0x55
	exp, mant := c>>4&7, int(c&15)
	v := mant<<4 + 8
	if exp > 0 {
		v = (v + 256) << (exp - 1)
	}
	if c&0x80 == 0 {
		v = -v
	}
	return float32(v) / 32768
}

func muLaw(c byte) float32 {
	c = ^c
	v := (int(c&15)<<3+132)<<(c>>4&7) - 132
	if c&0x80 != 0 {
		v = -v
	}
	return float32(v) / 32768
}

// Mono averages the channels of the blocks in src into dst, one sample a block.
func (p PCM) Mono(dst []float32, src []byte) {
	if p.tag == tagPCM && p.Block == 2*p.Channels { // nearly all files
		scale := 1 / (32768 * float32(p.Channels))
		for i := range dst {
			sum := 0
			for range p.Channels {
				sum += int(int16(binary.LittleEndian.Uint16(src)))
				src = src[2:]
			}
			dst[i] = float32(sum) * scale
		}
		return
	}
	value := decoderOf(p.tag, p.Block, p.Channels)
	width, scale := p.Block/p.Channels, 1/float32(p.Channels)
	for i := range dst {
		var sum float32
		for range p.Channels {
			sum += value(src)
			src = src[width:]
		}
		dst[i] = sum * scale
	}
}

// wav is the outline of a WAV file.
type wav struct {
	pcm    PCM
	at     int64 // of the samples
	blocks int64 // that are there
	missed int64 // that the header announces beyond those
}

// readWAV finds format and samples. The result is errCompressed if ffmpeg must
// decode it.
func readWAV(r io.ReaderAt, size int64) (*wav, error) {
	var w wav
	haveFormat := false
	var long int64 // the size of the samples in an RF64 file
	var b [8]byte
	for at := int64(12); at+8 <= size; {
		if _, err := r.ReadAt(b[:], at); err != nil {
			return nil, err
		}
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		body := at + 8
		switch string(b[:4]) {
		case "ds64":
			var d [16]byte
			if _, err := r.ReadAt(d[:], body); err != nil {
				return nil, fmt.Errorf("WAV: offset %d: the file breaks off", body)
			}
			long = int64(binary.LittleEndian.Uint64(d[8:]))
		case "fmt ":
			f := make([]byte, max(0, min(n, 40, size-body)))
			if _, err := r.ReadAt(f, body); err != nil && err != io.EOF {
				return nil, err
			}
			pcm, compressed, err := ParsePCM(f)
			if err != nil {
				return nil, fmt.Errorf("WAV: offset %d: %w", body, err)
			}
			if compressed {
				return nil, errCompressed
			}
			w.pcm, haveFormat = pcm, true
		case "data":
			if !haveFormat {
				return nil, fmt.Errorf("WAV: offset %d: samples before their format", at)
			}
			// Writers that cannot go back leave the size open.
			open := n == 1<<32-1 && long <= 0
			if n == 1<<32-1 && long > 0 {
				n = long
			}
			have := size - body
			if open || n > have {
				w.blocks = have / int64(w.pcm.Block)
				if !open {
					w.missed = n/int64(w.pcm.Block) - w.blocks
				}
			} else {
				w.blocks = n / int64(w.pcm.Block)
			}
			w.at = body
			if w.blocks == 0 {
				return nil, errNoSamples
			}
			return &w, nil
		}
		at = body + n + n&1
	}
	if !haveFormat {
		return nil, errors.New("WAV: no format chunk")
	}
	return nil, errNoSamples
}

// openWAV decodes WAV from sample skip on.
func openWAV(r io.ReaderAt, size, skip int64) (source, error) {
	w, err := readWAV(r, size)
	if err != nil {
		return source{}, err
	}
	skip = min(skip, w.blocks)
	in := io.NewSectionReader(r, w.at+skip*int64(w.pcm.Block), (w.blocks-skip)*int64(w.pcm.Block))
	buf := make([]byte, max(1, 1<<16/w.pcm.Block)*w.pcm.Block)
	s := source{rate: w.pcm.Rate, announced: w.blocks + w.missed, begins: skip}
	s.read = func(dst []float32) (int, error) {
		n, err := io.ReadFull(in, buf[:min(len(buf), len(dst)*w.pcm.Block)])
		n /= w.pcm.Block
		w.pcm.Mono(dst[:n], buf)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return n, err
	}
	return s, nil
}
