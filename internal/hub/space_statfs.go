//go:build linux || darwin

package hub

import "golang.org/x/sys/unix"

// freeSpace is how many bytes may still be written below dir.
func freeSpace(dir string) (bytes uint64, known bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}
