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
	if limit, used := cgroup(); limit > 0 {
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

// cgroup returns how much memory this process's control group may use and how
// much it does, 0 if there is no limit. It knows version 2 and version 1.
func cgroup() (limit, used int64) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(data)) {
		// hierarchy:controllers:group, with no controllers in version 2
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		root, names := "/sys/fs/cgroup", [2]string{"memory.max", "memory.current"}
		switch controllers {
		case "memory":
			root, names = "/sys/fs/cgroup/memory", [2]string{"memory.limit_in_bytes", "memory.usage_in_bytes"}
		case "":
		default:
			continue
		}
		// In a container the group's own directory can be the root.
		for _, dir := range []string{filepath.Join(root, group), root} {
			if limit = readInt(filepath.Join(dir, names[0])); limit > 0 {
				return limit, readInt(filepath.Join(dir, names[1]))
			}
		}
	}
	return 0, 0
}

// readInt reads a file that holds a number; 0 for anything else, such as "max".
func readInt(path string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n
}
