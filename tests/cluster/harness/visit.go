package main

// The commands by which tests and people use a cluster that is up.

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// runKubectl becomes kubectl.
func runKubectl(state string, args []string) error {
	c, err := loadRunning(state)
	if err != nil {
		return err
	}
	return c.become(c.onNetwork(append([]string{c.Binary, "kubectl"}, args...)))
}

// runInside becomes a command that sees the cluster's network and, at level
// node, resolves names as its Pods do. It stays a process of the machine: its
// files, its working directory and its signals are as usual.
func runInside(state string, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errUsage
	}
	c, err := loadRunning(state)
	if err != nil {
		return err
	}
	if c.Level == levelNode {
		// A mount namespace of its own, for one file.
		const script = `mount --bind "$0" /etc/resolv.conf && exec "$@"`
		args = append([]string{"unshare", "--mount", "--", "sh", "-c", script, c.path("config", "resolv.conf")}, args...)
	}
	return c.become(c.onNetwork(args))
}

// become replaces this process, so that signals and the exit code are the
// command's own.
func (c *cluster) become(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, argv, c.environ()))
}

// environ is this process' environment with what `env` prints.
func (c *cluster) environ() []string {
	env := os.Environ()
	for _, variable := range c.variables() {
		env = append(env, variable[0]+"="+variable[1])
	}
	if c.Level == levelNode { // where no proxy can be reached
		env = append(env, "NO_PROXY=*", "no_proxy=*")
	}
	return append(env, "PATH="+c.path("bin")+":"+os.Getenv("PATH"))
}

func printEnv(state string) error {
	c, err := loadRunning(state)
	if err != nil {
		return err
	}
	for _, variable := range c.variables() {
		fmt.Printf("export %s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Printf("export PATH=%s:\"$PATH\"\n", quote(c.path("bin")))
	return nil
}

func (c *cluster) variables() [][2]string {
	variables := [][2]string{
		{"KUBECONFIG", c.kubeconfig("admin")},
		// Not the user's: it would fill with clusters that are gone, and
		// a user's kuberc changes what kubectl does.
		{"KUBECACHEDIR", c.path("kubectl-cache")},
		{"KUBERC", "off"},
		{"KUBECTL", c.path("bin", "kubectl")},
		{"AGENTKUBE_CLUSTER_LEVEL", string(c.Level)},
		{"AGENTKUBE_CLUSTER_STATE", c.Dir},
	}
	if c.Level == levelNode {
		variables = append(variables,
			[2]string{"AGENTKUBE_CLUSTER_HOST_IP", nodeIP},
			[2]string{"AGENTKUBE_CLUSTER_HOSTS", c.path("config", "hosts")},
		)
	}
	return variables
}

// quote makes one word of a shell of it.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
