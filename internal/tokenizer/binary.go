package tokenizer

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The binary form of a vocabulary, integers as unsigned varints:
//
//	"HSVOCAB" 1 | special | special × (length, name) | merges | merges × (left, right) | CRC-32 (IEEE, little-endian) of all before
//
// Pieces follow from the merges.
const vocabMagic = "HSVOCAB\x01"

// FormatError says where a vocabulary's bytes are malformed.
type FormatError struct {
	Offset int // of the byte in question
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("tokenizer: vocabulary: offset %d: %s", e.Offset, e.Reason)
}

// MarshalBinary returns the compact form that UnmarshalBinary reads.
func (v Vocab) MarshalBinary() ([]byte, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	b := []byte(vocabMagic)
	b = binary.AppendUvarint(b, uint64(v.Special))
	for _, name := range v.Pieces[:v.Special] {
		b = binary.AppendUvarint(b, uint64(len(name)))
		b = append(b, name...)
	}
	b = binary.AppendUvarint(b, uint64(len(v.Merges)))
	for _, m := range v.Merges {
		b = binary.AppendUvarint(b, uint64(m[0]))
		b = binary.AppendUvarint(b, uint64(m[1]))
	}
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), nil
}

// UnmarshalBinary replaces v with the vocabulary in data, or returns a
// [*FormatError] and leaves v as it was.
func (v *Vocab) UnmarshalBinary(data []byte) error {
	n := len(data) - 4
	if n < len(vocabMagic) || string(data[:len(vocabMagic)]) != vocabMagic {
		return &FormatError{0, "not a vocabulary of version 1"}
	}
	if crc32.ChecksumIEEE(data[:n]) != binary.LittleEndian.Uint32(data[n:]) {
		return &FormatError{n, "checksum does not match"}
	}
	r := vocabReader{data: data[:n], off: len(vocabMagic)}
	var names []string
	for range r.uint(maxVocab, "number of special tokens") {
		names = append(names, string(r.bytes(int(r.uint(maxPiece, "length of a name")))))
		if r.err != nil {
			return r.err
		}
	}
	w := newVocab(names)
	for range r.uint(maxVocab, "number of merges") {
		at := r.off
		a, b := int32(r.uint(maxVocab, "left of a merge")), int32(r.uint(maxVocab, "right of a merge"))
		if r.err != nil {
			return r.err
		}
		if n := int32(len(w.Pieces)); min(a, b) < int32(w.Special) || max(a, b) >= n {
			return &FormatError{at, fmt.Sprintf("merge of ids %d and %d into %d", a, b, n)}
		}
		if len(w.Pieces[a])+len(w.Pieces[b]) > maxPiece {
			return &FormatError{at, fmt.Sprintf("a piece of over %d bytes", maxPiece)}
		}
		w.Merges = append(w.Merges, [2]int32{a, b})
		w.Pieces = append(w.Pieces, join(w.Pieces[a], w.Pieces[b]))
	}
	if r.err == nil && r.off != n {
		r.fail(r.off, "bytes after the last merge")
	}
	if r.err != nil {
		return r.err
	}
	if err := w.check(); err != nil {
		return &FormatError{n, err.Error()}
	}
	*v = w
	return nil
}

func join(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}

// vocabReader reads varints and strings; after the first error it returns
// zeros.
type vocabReader struct {
	data []byte
	off  int
	err  error
}

func (r *vocabReader) fail(off int, reason string) {
	if r.err == nil {
		r.err = &FormatError{off, reason}
	}
}

func (r *vocabReader) uint(limit uint64, what string) uint64 {
	if r.err != nil {
		return 0
	}
	x, n := binary.Uvarint(r.data[r.off:])
	if n <= 0 || x > limit {
		r.fail(r.off, what+" is cut off or too large")
		return 0
	}
	r.off += n
	return x
}

func (r *vocabReader) bytes(n int) []byte {
	if r.err != nil || n > len(r.data)-r.off {
		r.fail(r.off, "a name is cut off")
		return nil
	}
	r.off += n
	return r.data[r.off-n : r.off]
}
