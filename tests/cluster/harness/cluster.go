package main

// What is known about one cluster, kept in its state folder so that a later
// call (kubectl, down) finds what an earlier one (up) started.

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// stateFile marks a folder as ours: nothing without it is ever removed.
const stateFile = "cluster.json"

type level string

const (
	levelControl level = "control" // API server and controllers, no node
	levelNode    level = "node"    // and a node that runs Pods
)

type cluster struct {
	Dir    string `json:"dir"`
	Level  level  `json:"level"`
	Binary string `json:"binary"`
	Ports  ports  `json:"ports"`
	// Init is the process that holds the namespaces of level node; ending it
	// ends everything in them. Zero at level control.
	Init int `json:"init,omitempty"`
	// Processes are the components in order of their start; at level node,
	// what entered the namespaces with them and waits for them.
	Processes []int `json:"processes,omitempty"`
}

// create claims a folder for a new cluster. What a dead cluster left there
// makes room; a live one, or a folder that is not ours, is refused.
func create(dir string, l level) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	old, err := load(dir)
	switch {
	case err == nil && old.running():
		return nil, fmt.Errorf("a cluster of level %s is up in %s: take it down, or choose another --state", old.Level, dir)
	case err == nil:
		if err := old.remove(false); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty and holds no cluster: choose another --state", dir)
	}
	c := &cluster{Dir: dir, Level: l}
	for _, sub := range []string{"bin", "config", "logs", "pki", "programs"} {
		if err := os.MkdirAll(c.path(sub), 0o755); err != nil {
			return nil, err
		}
	}
	return c, c.save()
}

// load fails with fs.ErrNotExist where there is no cluster.
func load(dir string) (*cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
	}
	c.Dir = dir
	return c, nil
}

// loadRunning is load for the commands that need a live cluster.
func loadRunning(dir string) (*cluster, error) {
	c, err := load(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !c.running() {
		return nil, fmt.Errorf("no cluster is up in %s: start one with `cluster up`", dir)
	}
	return c, err
}

func (c *cluster) save() error {
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	next := c.path(stateFile + ".next")
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.path(stateFile))
}

func (c *cluster) running() bool {
	if c.Level == levelNode {
		return c.owns(c.Init)
	}
	for _, pid := range c.Processes {
		if c.owns(pid) {
			return true
		}
	}
	return false
}

func (c *cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.Dir}, parts...)...)
}

func (c *cluster) kubeconfig(user string) string {
	return c.path("config", user+".kubeconfig")
}

// id names what cannot live in the state folder, such as cgroups.
func (c *cluster) id() string {
	sum := sha256.Sum256([]byte(c.Dir))
	return "agentkube-" + hex.EncodeToString(sum[:4])
}

func cacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "agentkube", "cluster"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".cache", "agentkube", "cluster"), err
}

func defaultState() (string, error) {
	if dir := os.Getenv("AGENTKUBE_CLUSTER_STATE"); dir != "" {
		return dir, nil
	}
	cache, err := cacheDir()
	return filepath.Join(cache, "state"), err
}
