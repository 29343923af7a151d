package kernel

import "unsafe"

// Memory returns n zero bytes on a 64-byte boundary, for weights: where the
// system has them, in huge pages, so that reading them all costs few look-ups of
// addresses.
func Memory(n int) []byte {
	s := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & 63)
	s = s[off : off+n : off+n]
	adviseHuge(s)
	return s
}
