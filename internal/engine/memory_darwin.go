package engine

import "golang.org/x/sys/unix"

// available returns three quarters of the machine's memory: the system gives
// no cheap figure of what is free.
func available() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 0
	}
	return int64(n / 4 * 3)
}
