package main

// Processes that outlive the call that started them, known by their id.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// owns tells whether pid is a live process of this cluster. All of them carry
// the state folder in their arguments, which an unrelated process that got a
// reused id does not.
func (c *cluster) owns(pid int) bool {
	return pid > 0 && alive(pid) && bytes.Contains(commandLine(pid), []byte(c.Dir))
}

// alive counts a zombie as dead, once all of its threads are: whoever adopted
// it reaps it or does not.
func alive(pid int) bool {
	if runtime.GOOS != "linux" {
		return syscall.Kill(pid, 0) == nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// proc(5): the state follows the command's closing parenthesis.
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	if zombie := len(rest) > 0 && (rest[0] == 'Z' || rest[0] == 'X'); !zombie {
		return true
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return err == nil && len(threads) > 1
}

func commandLine(pid int) []byte {
	if runtime.GOOS != "linux" {
		line, _ := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
		return line
	}
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return line
}

// kill ends a process of this cluster and waits until it is gone. There is
// nothing in a test cluster that deserves a slower end.
func (c *cluster) kill(pid int) error {
	if !c.owns(pid) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end process %d: %w", pid, err)
	}
	for deadline := time.Now().Add(30 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d does not end", pid)
		}
	}
	return nil
}
