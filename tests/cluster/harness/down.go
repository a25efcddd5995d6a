package main

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"slices"
)

// down takes a cluster away. Doing it twice is no error.
func down(state string, args []string) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	flags.StringVar(&state, "state", state, "the cluster's folder")
	keep := flags.Bool("keep", false, "leave the folder with its logs")
	if err := parse(flags, args); err != nil {
		return err
	}
	c, err := load(state)
	if errors.Is(err, fs.ErrNotExist) {
		say("nothing is up in %s", state)
		return nil
	}
	if err != nil {
		return err
	}
	return phase("down", func() error { return c.remove(*keep) })
}

// remove ends the cluster's processes and removes what is left of it. At level
// node the end of the init process is the end of all its namespaces: of every
// process, mount and network interface in them.
func (c *cluster) remove(keep bool) error {
	problems := []error{c.kill(c.Init)}
	for _, pid := range slices.Backward(c.Processes) {
		problems = append(problems, c.kill(pid))
	}
	if c.Level == levelNode {
		problems = append(problems, removeCgroups(c.id()))
	}
	if err := errors.Join(problems...); err != nil {
		return err // the folder stays, so that another `down` can go on
	}
	if keep {
		say("kept %s", c.Dir)
		return nil
	}
	return os.RemoveAll(c.Dir)
}
