package main

import (
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// image is `image build` and `image load`.
func image(state string, args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	switch args[0] {
	case "build":
		return imageBuild(args[1], args[2:])
	case "load":
		return imageLoad(state, args[1:])
	}
	return errUsage
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// imageBuild prints the path of the tar that it made.
func imageBuild(name string, args []string) error {
	var spec imageSpec
	var files list
	var output, binary string
	flags := flag.NewFlagSet("image build", flag.ContinueOnError)
	flags.StringVar(&output, "output", "", "the tar to write (default: in the cache)")
	flags.StringVar(&binary, "bin", "", "a static binary: becomes /usr/local/bin/NAME and the entrypoint")
	flags.Var(&files, "file", "SRC=DEST, a file or a folder (repeatable)")
	flags.Var((*list)(&spec.entrypoint), "entrypoint", "one word of it (repeatable)")
	flags.Var((*list)(&spec.env), "env", "NAME=VALUE (repeatable)")
	flags.StringVar(&spec.user, "user", "65532:65532", "who runs in it")
	if err := parse(flags, args); err != nil {
		return err
	}
	spec.name = fullImageName(name)
	for _, file := range files {
		src, dest, found := strings.Cut(file, "=")
		if !found || !filepath.IsAbs(dest) {
			return fmt.Errorf("--file %s: want SRC=/DEST", file)
		}
		spec.files = append(spec.files, imageFile{src, dest})
	}
	if binary != "" {
		warnUnlessStatic(binary)
		dest := "/usr/local/bin/" + filepath.Base(binary)
		spec.files = append(spec.files, imageFile{binary, dest})
		if len(spec.entrypoint) == 0 {
			spec.entrypoint = []string{dest}
		}
	}
	if len(spec.files) == 0 {
		return errors.New("image build: nothing to put in: give --bin or --file")
	}
	if output == "" {
		cache, err := cacheDir()
		if err != nil {
			return err
		}
		output = filepath.Join(cache, "images", strings.NewReplacer("/", "_", ":", "_").Replace(spec.name)+".tar")
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	if err := phase("image "+spec.name, func() error { return spec.write(output) }); err != nil {
		return err
	}
	fmt.Println(output)
	return nil
}

// warnUnlessStatic says what would otherwise come out of a container as "no
// such file or directory", about a file that is there.
func warnUnlessStatic(binary string) {
	program, err := elf.Open(binary)
	if err != nil {
		return // a script, say
	}
	defer program.Close()
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			say("warning: %s is linked dynamically and runs only in an image that holds its loader and libraries", binary)
		}
	}
}

// fullImageName adds what clients leave out. The kubelet looks images up by
// their full name.
func fullImageName(name string) string {
	first, _, nested := strings.Cut(name, "/")
	switch {
	case !nested:
		name = "docker.io/library/" + name
	case !strings.ContainsAny(first, ".:") && first != "localhost":
		name = "docker.io/" + name
	}
	if !strings.Contains(name[strings.LastIndex(name, "/"):], ":") {
		name += ":latest"
	}
	return name
}

func imageLoad(state string, tars []string) error {
	c, err := loadRunning(state)
	if err != nil {
		return err
	}
	if c.Level != levelNode {
		return errors.New("image load: a cluster without a node runs no images: start it with `cluster up --node`")
	}
	for _, tar := range tars {
		if err := phase("load "+filepath.Base(tar), func() error { return c.loadImage(context.Background(), tar) }); err != nil {
			return err
		}
	}
	return nil
}

// loadImage hands the tar over on standard input: its path may not exist
// among the node's mounts.
func (c *cluster) loadImage(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	argv := c.inside([]string{"ctr", "--namespace=k8s.io", "images", "import", "-"})
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = file
	return quietly(cmd)
}

// pauseImage holds the harness itself, which is static and knows `pause`.
const pauseImage = "agentkube.test/pause:1"

func (b *bringup) loadPauseImage(ctx context.Context) error {
	spec := imageSpec{
		name:       pauseImage,
		user:       "65532:65532",
		entrypoint: []string{"/pause", "pause"},
		files:      []imageFile{{selfPath(), "/pause"}},
	}
	tar := b.path("pause.tar")
	if err := spec.write(tar); err != nil {
		return err
	}
	return errors.Join(b.loadImage(ctx, tar), os.Remove(tar))
}
