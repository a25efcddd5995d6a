package main

// What level node needs of the machine.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// debianPackages are those which hold nodeTools and the network plugins.
var debianPackages = []string{
	"conntrack", "containerd", "containernetworking-plugins", "iproute2", "iptables", "mount", "runc", "util-linux",
}

var (
	nodeTools = []string{
		"conntrack", "containerd", "containerd-shim-runc-v2", "ctr", "ip", "iptables", "mount", "nsenter", "runc", "unshare",
	}
	networkPlugins    = []string{"host-local", "loopback", "portmap", "ptp"}
	networkPluginDirs = []string{"/usr/lib/cni", "/opt/cni/bin"} // Debian's, upstream's
)

// ensureNodeTools installs what is missing where that is possible, and says
// exactly what is missing where it is not.
func ensureNodeTools() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("level node needs Linux, this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("level node needs root: it makes namespaces and runs containers")
	}
	missing := missingNodeTools()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("level node lacks %s; Debian has them in %s", strings.Join(missing, ", "), strings.Join(debianPackages, " "))
	}
	return phase("install "+strings.Join(missing, ", "), installNodeTools)
}

func installNodeTools() error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(cache, "packages.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if len(missingNodeTools()) == 0 {
		return nil // another `up` was first
	}
	install := append([]string{"install", "--yes", "--no-install-recommends", "--option=DPkg::Lock::Timeout=300"}, debianPackages...)
	for _, args := range [][]string{{"update"}, install} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := quietly(cmd); err != nil {
			return fmt.Errorf("apt-get %s: %w", args[0], err)
		}
	}
	if missing := missingNodeTools(); len(missing) > 0 {
		return fmt.Errorf("%s are still missing after apt-get install %s", strings.Join(missing, ", "), strings.Join(debianPackages, " "))
	}
	return nil
}

func missingNodeTools() []string {
	var missing []string
	for _, tool := range nodeTools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if networkPluginDir() == "" {
		missing = append(missing, "the network plugins "+strings.Join(networkPlugins, " "))
	}
	return missing
}

// networkPluginDir is the first folder that holds all plugins we use, or "".
func networkPluginDir() string {
	for _, dir := range networkPluginDirs {
		found := 0
		for _, plugin := range networkPlugins {
			if _, err := os.Stat(filepath.Join(dir, plugin)); err == nil {
				found++
			}
		}
		if found == len(networkPlugins) {
			return dir
		}
	}
	return ""
}
