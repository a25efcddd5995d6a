// Command harness brings up a real Kubernetes for tests and takes it away
// again. It is called through the script `cluster` beside this folder; the
// README there is its manual.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

const usage = `usage: cluster [--state DIR] COMMAND

  up [--node] [--timeout 3m] [--keep]  start a cluster and wait until it is ready
  down [--keep]                        stop it and remove every trace of it
  kubectl ARGUMENT…                    the real kubectl, as the cluster's admin
  exec -- COMMAND…                     run a command where the cluster's addresses and names are known
  env                                  print KUBECONFIG and the like, to be eval'ed by a shell
  image build NAME:TAG --bin FILE …    make an image of files; prints the path of the tar
  image load TAR…                      give images to the cluster's node
  binary                               build Kubernetes when it is not in the cache; prints its path

--state (or AGENTKUBE_CLUSTER_STATE) tells clusters apart; each has a folder of its own.
`

// errUsage is answered with the usage text and exit code 2.
var errUsage = errors.New("usage")

func main() {
	// Not every shell has the folders of the administrators' tools (ip, iptables).
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	err := dispatch(os.Args[1:])
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	state, args, err := takeState(args)
	if err != nil || len(args) == 0 {
		return errors.Join(err, errUsage)
	}
	name, args := args[0], args[1:]
	switch name {
	case "up":
		return up(state, args)
	case "down":
		return down(state, args)
	case "kubectl":
		return runKubectl(state, args)
	case "exec":
		return runInside(state, args)
	case "env":
		return printEnv(state)
	case "image":
		return image(state, args)
	case "binary":
		return printBinary()
	case "-h", "--help", "help":
		fmt.Print(usage)
		return nil

	// The rest is called by the harness itself.
	case "node-init":
		return nodeInit(args)
	case "probe":
		return probe(args)
	case "pause":
		return pause()
	}
	return errUsage
}

// takeState takes a leading --state off the arguments. Commands that hand
// their arguments on (kubectl, exec) know it in no other place.
func takeState(args []string) (string, []string, error) {
	if len(args) > 0 {
		if dir, found := strings.CutPrefix(args[0], "--state="); found {
			return dir, args[1:], nil
		}
	}
	if len(args) > 1 && args[0] == "--state" {
		return args[1], args[2:], nil
	}
	dir, err := defaultState()
	return dir, args, err
}

// parse accepts flags only.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return errors.Join(err, errUsage)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
