//go:build unix

package ffmpeg

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process into a group of its own, with what it may start.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends the group. Where that is refused because the process itself has
// ended, Kill says so.
func killGroup(cmd *exec.Cmd) error {
	if syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil {
		return nil
	}
	return cmd.Process.Kill()
}
