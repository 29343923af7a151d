package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func adviseHuge(s []byte) {
	const huge = 2 << 20
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s))) & (huge - 1))
	if n := (len(s) - skip) &^ (huge - 1); n > 0 {
		_ = unix.Madvise(s[skip:skip+n], unix.MADV_HUGEPAGE) // only advice: without it, the same at lower speed
	}
}
