package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var fileTime = time.Unix(1_000_000_000, 0)

func TestForeignFolderIsNeverClaimed(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := create(dir, levelControl); err == nil {
		t.Error("a folder with somebody's files was claimed")
	}
	if err := down(dir, nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestForeignProcessIsNeverEnded(t *testing.T) {
	sleep := exec.Command("sleep", "60")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Wait()
	defer sleep.Process.Kill()
	c := &cluster{Dir: t.TempDir(), Level: levelControl, Processes: []int{sleep.Process.Pid}}
	if c.running() {
		t.Error("a process without the folder in its arguments counts as ours")
	}
	if err := c.kill(sleep.Process.Pid); err != nil {
		t.Error(err)
	}
	if !alive(sleep.Process.Pid) {
		t.Error("a process that is not ours was ended")
	}
}

func TestOwnProcessIsEnded(t *testing.T) {
	c := &cluster{Dir: t.TempDir(), Level: levelControl}
	own := exec.Command("sh", "-c", "read line", c.Dir)
	if _, err := own.StdinPipe(); err != nil { // so that it waits
		t.Fatal(err)
	}
	if err := own.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- own.Wait() }()
	for deadline := time.Now().Add(10 * time.Second); !c.owns(own.Process.Pid); {
		if time.Now().After(deadline) {
			t.Fatal("our own process is not known as ours")
		}
	}
	if err := c.kill(own.Process.Pid); err != nil {
		t.Error(err)
	}
	<-ended
}

func TestQuotedWordIsOneWordOfAShell(t *testing.T) {
	const word = `it's $HOME "here"`
	output, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
	if err != nil || string(output) != word {
		t.Errorf("the shell read %q, %v", output, err)
	}
}
