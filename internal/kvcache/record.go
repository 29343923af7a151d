package kvcache

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The log's records: docs/formats.md, "Stored context".
const (
	formatVersion = 1
	recordMagic   = "HSCR"
	headerBytes   = 64

	kindHead    = 1
	kindSegment = 2
	kindBlock   = 3
	kindDrop    = 4

	// maxBlock bounds a block's tokens and maxSource a name's bytes, so that a
	// damaged count is refused before anything is computed from it.
	maxBlock  = 1 << 20
	maxSource = 1 << 16
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record is a header's fields; those that a kind does not use are zero.
type record struct {
	kind    uint32
	payload int64
	segment uint32
	count   uint32 // block: tokens. head: format version
	first   int64  // block: first token. head: DK and DV
	offset  int64  // block: byte offset of the first token. segment: bytes of text
	line    int64  // block: newlines before offset
	last    bool   // block: the segment ends here
	sum     uint32 // CRC-32C of the payload
}

// put writes the header to b[:headerBytes].
func (r *record) put(b []byte) {
	le := binary.LittleEndian
	clear(b[:headerBytes])
	copy(b, recordMagic)
	le.PutUint32(b[4:], r.kind)
	le.PutUint64(b[8:], uint64(r.payload))
	le.PutUint32(b[16:], r.segment)
	le.PutUint32(b[20:], r.count)
	le.PutUint64(b[24:], uint64(r.first))
	le.PutUint64(b[32:], uint64(r.offset))
	le.PutUint64(b[40:], uint64(r.line))
	if r.last {
		b[48] = 1
	}
	le.PutUint32(b[56:], r.sum)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
}

// readRecord parses the header at data[at:] and checks that its payload fits.
func readRecord(data []byte, at int64) (record, error) {
	if int64(len(data))-at < headerBytes {
		return record{}, fmt.Errorf("%d bytes where a record header of %d should be", int64(len(data))-at, headerBytes)
	}
	b := data[at : at+headerBytes]
	le := binary.LittleEndian
	if string(b[:4]) != recordMagic {
		return record{}, fmt.Errorf("record starts with %q, not %q", b[:4], recordMagic)
	}
	if got, want := crc32.Checksum(b[:60], castagnoli), le.Uint32(b[60:]); got != want {
		return record{}, fmt.Errorf("record header has checksum %08x, its bytes give %08x", want, got)
	}
	r := record{
		kind:    le.Uint32(b[4:]),
		payload: int64(le.Uint64(b[8:])),
		segment: le.Uint32(b[16:]),
		count:   le.Uint32(b[20:]),
		first:   int64(le.Uint64(b[24:])),
		offset:  int64(le.Uint64(b[32:])),
		line:    int64(le.Uint64(b[40:])),
		last:    b[48] == 1,
		sum:     le.Uint32(b[56:]),
	}
	left := int64(len(data)) - at - headerBytes
	if r.payload < 0 || r.payload > left || padLong(r.payload) > left {
		return record{}, fmt.Errorf("record of %d bytes with %d left in the file", uint64(r.payload), left)
	}
	return r, nil
}

// size is the record's length in the file.
func (r *record) size() int64 { return headerBytes + padLong(r.payload) }

func padLong(n int64) int64 { return (n + align - 1) &^ (align - 1) }

// seal lays out a record: the header, payload as fill writes it, zeros up to a
// multiple of 64. It reuses buf where it is large enough.
func seal(buf []byte, r record, fill func(payload []byte)) []byte {
	n := int(r.size())
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	clear(buf[headerBytes+r.payload:])
	payload := buf[headerBytes : headerBytes+r.payload]
	fill(payload)
	r.sum = crc32.Checksum(payload, castagnoli)
	r.put(buf)
	return buf
}

// putRun writes r to payload in [Bind]'s layout.
func putRun(payload []byte, r Run) {
	clear(payload)
	at := copy(payload, r.K)
	at = pad(at)
	for i, v := range r.V {
		payload[at+i] = byte(v)
	}
	at += pad(len(r.V))
	le := binary.LittleEndian
	for _, scales := range [][]float32{r.KScale, r.VScale} {
		for i, v := range scales {
			le.PutUint32(payload[at+4*i:], math.Float32bits(v))
		}
		at += pad(4 * len(scales))
	}
	for i, v := range r.ID {
		le.PutUint32(payload[at+4*i:], v)
	}
}
