package engine

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var globalMemoryStatusEx = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// memoryStatus is MEMORYSTATUSEX.
type memoryStatus struct {
	length, load                        uint32
	totalPhysical, availablePhysical    uint64
	totalPageFile, availablePageFile    uint64
	totalVirtual, availableVirtual, ext uint64
}

// available returns the bytes of memory that can be taken without swapping.
func available() int64 {
	var m memoryStatus
	m.length = uint32(unsafe.Sizeof(m))
	if ok, _, _ := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&m))); ok == 0 {
		return 0
	}
	return int64(m.availablePhysical)
}
