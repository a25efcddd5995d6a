package main

// The Kubernetes binary: built once for each content of its sources.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// kubernetesBinary returns the path of the binary, building it when it is not
// in the cache. Calls at the same time build once.
func kubernetesBinary(ctx context.Context) (string, error) {
	source := os.Getenv("AGENTKUBE_CLUSTER_SOURCE")
	if source == "" {
		return "", errors.New("AGENTKUBE_CLUSTER_SOURCE is not set: call the script `cluster`")
	}
	build, err := kubernetesBuild(source)
	if err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	key, err := contentKey(source, build)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, key)
	binary := filepath.Join(dir, "kubernetes")
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	say("building Kubernetes from source: 4 minutes on 2 idle cores, once")
	return binary, phase("build", func() error {
		cmd := exec.CommandContext(ctx, "go", append(build, "-o", binary+".next", "./kubernetes")...)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return errors.Join(err, os.RemoveAll(binary+".next"))
		}
		return os.Rename(binary+".next", binary)
	})
}

// kubernetesBuild is the go command's arguments. Upstream's build scripts set
// the version in the same way; without it the server says v0.0.0.
func kubernetesBuild(source string) ([]string, error) {
	modules, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return nil, err
	}
	_, rest, _ := strings.Cut(string(modules), "\tk8s.io/kubernetes ")
	version, _, _ := strings.Cut(rest, "\n")
	numbers := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(numbers) != 3 {
		return nil, errors.New("go.mod names no version of k8s.io/kubernetes")
	}
	const variable = " -X k8s.io/component-base/version.git"
	flags := "-s -w" + variable + "Version=" + version + variable + "Major=" + numbers[0] + variable + "Minor=" + numbers[1]
	return []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", flags}, nil
}

// contentKey names a folder of the cache after all that decides what the
// binary is.
func contentKey(source string, build []string) (string, error) {
	paths, err := filepath.Glob(filepath.Join(source, "kubernetes", "*.go"))
	if err != nil {
		return "", err
	}
	paths = append(paths, filepath.Join(source, "go.mod"), filepath.Join(source, "go.sum"))
	slices.Sort(paths)
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.GOOS, runtime.GOARCH, build)
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, filepath.Base(path), len(content))
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// lock waits until no other process holds the file.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { file.Close() }, nil
}

func printBinary() error {
	binary, err := kubernetesBinary(context.Background())
	if err == nil {
		fmt.Println(binary)
	}
	return err
}
