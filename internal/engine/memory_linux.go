package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// available returns the bytes of memory that can be taken without swapping,
// inside the control group as well.
func available() int64 {
	n := meminfo("MemAvailable:")
	if limit, used := cgroup("memory.max"), cgroup("memory.current"); limit > 0 {
		// What the group holds of the page cache can be given up; without
		// knowing how much, only the limit and this process's size are certain.
		n = min(n, max(limit-used, limit/4))
	}
	return n
}

func meminfo(field string) int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == field {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// cgroup reads a number of this process's version-2 control group; 0 if there
// is none.
func cgroup(file string) int64 {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	group, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "0::")
	if !ok {
		return 0
	}
	data, err = os.ReadFile(filepath.Join("/sys/fs/cgroup", group, file))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n
}
