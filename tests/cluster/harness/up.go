package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// up starts a cluster. When anything fails, or the user interrupts, what was
// started is taken away again.
func up(state string, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.StringVar(&state, "state", state, "the cluster's folder")
	node := flags.Bool("node", false, "with a node that runs Pods (root on Linux)")
	timeout := flags.Duration("timeout", 3*time.Minute, "for all of it, except the build of Kubernetes")
	keep := flags.Bool("keep", false, "after a failure, leave the folder with its logs")
	if err := parse(flags, args); err != nil {
		return err
	}
	began, l := time.Now(), levelControl
	if *node {
		l = levelNode
		if err := ensureNodeTools(); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	binary, err := kubernetesBinary(ctx)
	if err != nil {
		return err
	}
	c, err := create(state, l)
	if err != nil {
		return err
	}
	c.Binary = binary
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("gave up after %s", *timeout))
	defer cancel()
	if err := bringUp(ctx, c); err != nil {
		return errors.Join(err, c.remove(*keep))
	}
	say("level %s is up after %.1f s; next: eval \"$(cluster env)\"", l, time.Since(began).Seconds())
	return nil
}

func bringUp(ctx context.Context, c *cluster) (err error) {
	b := &bringup{cluster: c, died: make(chan death, 16)}
	c.Ports = nodePorts
	if c.Level == levelControl {
		if c.Ports, err = freePorts(); err != nil {
			return err
		}
	}
	if err := c.save(); err != nil {
		return err
	}
	if err := phase("certificates and keys", c.writeCredentials); err != nil {
		return err
	}
	if err := c.linkPrograms(); err != nil {
		return err
	}
	if c.Level == levelNode {
		if err := b.prepareNode(ctx); err != nil {
			return err
		}
	}
	if err := c.writeKubectl(); err != nil {
		return err
	}
	if err := b.startControlPlane(ctx); err != nil {
		return err
	}
	if c.Level == levelNode {
		return b.startNode(ctx)
	}
	return nil
}

// linkPrograms fills programs/. The binary looks at the name it is called by,
// so each program has its own name in a list of processes, too.
func (c *cluster) linkPrograms() error {
	for _, name := range []string{
		"coredns", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet",
	} {
		if err := os.Symlink(c.Binary, c.program(name)); err != nil {
			return err
		}
	}
	return nil
}

// writeKubectl makes bin/kubectl, which works from anywhere on the machine.
func (c *cluster) writeKubectl() error {
	argv := c.onNetwork([]string{c.Binary, "kubectl"})
	for i, argument := range argv {
		argv[i] = quote(argument)
	}
	script := "#!/bin/sh\nexec " + strings.Join(argv, " ") + " \"$@\"\n"
	return os.WriteFile(c.path("bin", "kubectl"), []byte(script), 0o755)
}
