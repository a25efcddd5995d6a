package main

// The namespaces of level node. One process, the first of its process
// namespace, holds them; the cluster's parts enter them. Nothing of the
// machine's own mounts, ports or packet filter is touched, and when that
// process is killed the kernel ends all others and frees the rest: there is no
// way to leave something behind.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const namespacesReady = "ready"

// startNamespaces starts the process that holds the namespaces.
func (b *bringup) startNamespaces(ctx context.Context) error {
	return phase("namespaces", func() error {
		cmd, err := b.background("init", []string{selfPath(), "node-init", b.Dir})
		if err != nil {
			return err
		}
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET
		answer, say, err := os.Pipe()
		if err != nil {
			return err
		}
		defer answer.Close()
		cmd.Stdout = say
		err = cmd.Start()
		say.Close()
		if err != nil {
			return fmt.Errorf("new namespaces: %w", err)
		}
		b.Init = cmd.Process.Pid
		if err := b.save(); err != nil {
			return errors.Join(err, cmd.Process.Kill())
		}
		go func() { b.died <- death{"init", cmd.Wait()} }()
		if line, _ := bufio.NewReader(answer).ReadString('\n'); strings.TrimSpace(line) != namespacesReady {
			return fmt.Errorf("cannot set up the namespaces\n%s", b.logTail("init"))
		}
		return ctx.Err()
	})
}

// nodeInit is that process.
func nodeInit(args []string) error {
	if len(args) != 1 || os.Getpid() != 1 {
		return errUsage
	}
	if err := errors.Join(nodeMounts(args[0]), nodeNetwork()); err != nil {
		return err
	}
	fmt.Println(namespacesReady)
	if err := os.Stdout.Close(); err != nil {
		return err
	}
	// It ends by SIGKILL only. About SIGCHLD see pause.
	signal.Ignore(syscall.SIGCHLD, syscall.SIGHUP)
	politeRequests := make(chan os.Signal, 1)
	signal.Notify(politeRequests, syscall.SIGTERM, syscall.SIGINT)
	for range politeRequests {
	}
	return nil
}

// nodeMounts gives the node its own /proc, /run and what the kubelet and the
// network plugins write at fixed paths.
func nodeMounts(dir string) error {
	// First of all, so that nothing below reaches the machine.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount /run: %w", err)
	}
	for _, path := range nodePaths {
		own := filepath.Join(dir, "node", path)
		if err := errors.Join(os.MkdirAll(own, 0o755), os.MkdirAll(path, 0o755)); err != nil {
			return err
		}
		if err := syscall.Mount(own, path, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	// Last of all: the kubelet expects shared mounts, but ours above must not
	// repeat in each other what is mounted in them.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make the mounts shared: %w", err)
	}
	return nil
}

// nodeNetwork makes one interface with the node's address. A pair of virtual
// Ethernet devices, both ends here, because not every kernel has `dummy`.
func nodeNetwork() error {
	for _, command := range []string{
		"ip link set lo up",
		"ip link add node0 type veth peer name node0-peer",
		"ip address add " + nodeIP + "/24 dev node0",
		"ip link set node0 up",
		"ip link set node0-peer up",
		// Leads nowhere, but programs look for it to find "the" address.
		"ip route add default dev node0 src " + nodeIP,
	} {
		words := strings.Fields(command)
		if err := quietly(exec.Command(words[0], words[1:]...)); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644)
}
