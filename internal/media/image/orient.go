package image

import (
	"encoding/binary"
	"io"

	"github.com/handscroll/handscroll/internal/media"
)

// turned orients a picture as the EXIF orientation o (1 to 8) says it is shown.
func turned(src *media.Image, o int) *media.Image {
	if o < 2 || o > 8 {
		return src
	}
	// Of a pixel (x, y) of the result, the place in the source is
	// (x, y) or (y, x), each counted from the other end if flipped.
	swap := o >= 5
	flipX := o == 2 || o == 3 || o == 7 || o == 8
	flipY := o == 3 || o == 4 || o == 6 || o == 7
	w, h := src.W, src.H
	if swap {
		w, h = h, w
	}
	dst := media.NewImage(w, h)
	for y := range h {
		for x := range w {
			sx, sy := x, y
			if swap {
				sx, sy = y, x
			}
			if flipX {
				sx = src.W - 1 - sx
			}
			if flipY {
				sy = src.H - 1 - sy
			}
			copy(dst.Pix[3*(y*w+x):][:3], src.Pix[3*(sy*src.W+sx):][:3])
		}
	}
	return dst
}

// orientation returns the EXIF orientation of a TIFF structure in the size bytes
// of r, and 1 if it has none or cannot be read: a picture with damaged EXIF is
// shown as it is.
func orientation(r io.ReaderAt, size int64) int {
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return 1
	}
	order := tiffOrder(head[:])
	if order == nil {
		return 1
	}
	entries, _, err := directory(r, order, int64(order.Uint32(head[4:])), size)
	if err != nil {
		return 1
	}
	const tag, short = 0x0112, 3
	for e := entries; len(e) > 0; e = e[12:] {
		if order.Uint16(e) == tag && order.Uint16(e[2:]) == short && order.Uint32(e[4:]) == 1 {
			if o := int(order.Uint16(e[8:])); o >= 1 && o <= 8 {
				return o
			}
		}
	}
	return 1
}

// exifSection is orientation for the n bytes of r from at on.
func exifSection(r io.ReaderAt, at, n int64) int {
	return orientation(io.NewSectionReader(r, at, n), n)
}

// jpegOrientation looks for EXIF among the segments before the first scan.
func jpegOrientation(r io.ReaderAt, size int64) int {
	var b [10]byte
	for at := int64(2); at+10 <= size; {
		if _, err := r.ReadAt(b[:], at); err != nil || b[0] != 0xff {
			return 1
		}
		n := int64(binary.BigEndian.Uint16(b[2:]))
		switch {
		case b[1] == 0xff: // padding
			at++
			continue
		case b[1] == 0xda || b[1] == 0xd9 || n < 2: // scan, end
			return 1
		case b[1] == 0xe1 && string(b[4:10]) == "Exif\x00\x00" && n >= 8:
			return exifSection(r, at+10, min(n-8, size-at-10))
		}
		at += 2 + n
	}
	return 1
}

// pngOrientation looks for a chunk eXIf, which may stand after the pixels.
func pngOrientation(r io.ReaderAt, size int64) int {
	var b [8]byte
	for at := int64(8); at+8 <= size; {
		if _, err := r.ReadAt(b[:], at); err != nil {
			return 1
		}
		n := int64(binary.BigEndian.Uint32(b[:]))
		switch string(b[4:]) {
		case "eXIf":
			return exifSection(r, at+8, min(n, size-at-8))
		case "IEND":
			return 1
		}
		at += 12 + n
	}
	return 1
}

// webpOrientation looks for a chunk EXIF, which only the extended format has.
func webpOrientation(r io.ReaderAt, size int64) int {
	var b [8]byte
	for at := int64(12); at+8 <= size; {
		if _, err := r.ReadAt(b[:], at); err != nil {
			return 1
		}
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		switch string(b[:4]) {
		case "EXIF":
			if n > 6 {
				var mark [6]byte // some writers put JPEG's mark before it
				if _, err := r.ReadAt(mark[:], at+8); err == nil && string(mark[:]) == "Exif\x00\x00" {
					return exifSection(r, at+14, min(n-6, size-at-14))
				}
			}
			return exifSection(r, at+8, min(n, size-at-8))
		case "VP8 ", "VP8L":
			if at == 12 {
				return 1
			}
		}
		at += 8 + n + n&1
	}
	return 1
}
