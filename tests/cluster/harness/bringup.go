package main

// One `up` at work: starts components, waits for each, and notices at once
// when one of them dies.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

type bringup struct {
	*cluster
	died chan death
}

type death struct {
	component string
	err       error
}

// start runs one of the cluster's programs in the background, with its output
// in logs/NAME.log.
func (b *bringup) start(component string, argv ...string) error {
	cmd, err := b.background(component, b.inside(argv))
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", component, err)
	}
	b.Processes = append(b.Processes, cmd.Process.Pid)
	if err := b.save(); err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	go func() { b.died <- death{component, cmd.Wait()} }()
	return nil
}

// background prepares a command that has nothing in common with the terminal
// it was started from: no session, no descriptors, no environment.
func (b *bringup) background(component string, argv []string) (*exec.Cmd, error) {
	log, err := os.OpenFile(b.logFile(component), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = b.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.Dir}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// await repeats a check until it succeeds. It fails when a component dies or
// the time of the whole `up` is over, with the end of the log that explains it.
func (b *bringup) await(ctx context.Context, component, what string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case gone := <-b.died:
			return fmt.Errorf("%s died (%v) while waiting until %s\n%s", gone.component, gone.err, what, b.logTail(gone.component))
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) { // by the user: no riddle
				return context.Cause(ctx)
			}
			return fmt.Errorf("%w while waiting until %s: %w\n%s", context.Cause(ctx), what, err, b.logTail(component))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// awaitURL waits until a URL answers 200.
func (b *bringup) awaitURL(ctx context.Context, component, url string) error {
	argv := b.onNetwork([]string{selfPath(), "probe", url})
	return b.await(ctx, component, component+" answers 200 at "+url, func(ctx context.Context) error {
		return quietly(exec.CommandContext(ctx, argv[0], argv[1:]...))
	})
}

// quietly runs a command; what it printed becomes part of the error.
func quietly(cmd *exec.Cmd) error {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(output.String()))
	}
	return nil
}

func (c *cluster) logFile(component string) string {
	return c.path("logs", component+".log")
}

func (c *cluster) logTail(component string) string {
	const most = 25
	raw, _ := os.ReadFile(c.logFile(component))
	lines := strings.Split(strings.TrimRight(string(raw), "\n"), "\n")
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return fmt.Sprintf("--- the end of %s\n%s\n---", c.logFile(component), strings.Join(lines, "\n"))
}
