package main

// The kubelet's cgroups. They are the one thing of a node that no namespace
// holds. Each cluster has a subtree of its own: a kubelet removes the cgroups
// of Pods it does not know, also those of the cluster beside it.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupHierarchies are the mount points of cgroup v1's controllers, or the
// one of v2.
func cgroupHierarchies() ([]string, error) {
	candidates, err := filepath.Glob(cgroupRoot + "/*")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(append(candidates, cgroupRoot), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "cgroup.procs"))
		// Below v2's root every folder is a cgroup; only the root is a hierarchy.
		return err != nil || dir != cgroupRoot && unified()
	}), nil
}

// unified tells cgroup v2.
func unified() bool {
	_, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers"))
	return err == nil
}

func makeCgroups(name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	if unified() {
		// v2 hands controllers down only where it is told to.
		const controllers = "+cpu +cpuset +memory +pids +io"
		if err := os.WriteFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), []byte(controllers), 0o644); err != nil {
			return err
		}
	}
	for _, hierarchy := range hierarchies {
		if err := os.Mkdir(filepath.Join(hierarchy, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// removeCgroups needs patience: a cgroup whose last process was killed is busy
// until the kernel has put that process away.
func removeCgroups(name string) error {
	hierarchies, err := cgroupHierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range hierarchies {
		top := filepath.Join(hierarchy, name)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := removeCgroup(top)
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("remove the cgroup %s: %w", top, err)
			}
		}
	}
	return nil
}

func removeCgroup(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
