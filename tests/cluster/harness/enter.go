package main

// Where a command runs: at level control simply here, at level node in some of
// the namespaces that the init process holds.

import (
	"os"
	"path/filepath"
	"strconv"
)

// inside is for the cluster's own parts: they see its network, mounts and
// processes, and end with them.
func (c *cluster) inside(argv []string) []string {
	return c.enter(argv, "--net", "--mount", "--pid")
}

// onNetwork is for visitors: they reach the cluster's addresses and are
// otherwise ordinary processes of the machine.
func (c *cluster) onNetwork(argv []string) []string {
	return c.enter(argv, "--net")
}

func (c *cluster) enter(argv []string, namespaces ...string) []string {
	if c.Level != levelNode {
		return argv
	}
	prefix := append([]string{"nsenter", "--target", strconv.Itoa(c.Init)}, namespaces...)
	return append(append(prefix, "--"), argv...)
}

// program is the path of one of the cluster's components.
func (c *cluster) program(name string) string {
	return c.path("programs", name)
}

// selfPath is the harness' own binary.
func selfPath() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return path
}
