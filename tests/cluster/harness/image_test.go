package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestShortImageNamesBecomeFull(t *testing.T) {
	for short, full := range map[string]string{
		"agentkube":              "docker.io/library/agentkube:latest",
		"agentkube:dev":          "docker.io/library/agentkube:dev",
		"team/agentkube:dev":     "docker.io/team/agentkube:dev",
		"example.com/agentkube":  "example.com/agentkube:latest",
		"localhost:5000/a/b:dev": "localhost:5000/a/b:dev",
		"localhost/agentkube:v1": "localhost/agentkube:v1",
	} {
		if got := fullImageName(short); got != full {
			t.Errorf("%s became %s, want %s", short, got, full)
		}
	}
}

// names lists a tar's entries; links with their target.
func names(t *testing.T, raw []byte) []string {
	t.Helper()
	var names []string
	for in := tar.NewReader(bytes.NewReader(raw)); ; {
		header, err := in.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || !header.ModTime.IsZero() && header.ModTime.Unix() != 0 {
			t.Errorf("%s carries an owner or a time of this machine", header.Name)
		}
		names = append(names, header.Name+header.Linkname)
	}
}

func TestLayerHoldsFoldersBeforeTheirFiles(t *testing.T) {
	src := t.TempDir()
	if err := os.WriteFile(filepath.Join(src, "file"), []byte("content"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	if err := writeLayer(&layer, []imageFile{{src, "/opt/all"}, {filepath.Join(src, "link"), "/one"}}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"tmp/", "etc/", "etc/passwd", "etc/group",
		"opt/", "opt/all/", "opt/all/file", "opt/all/linkfile",
		"one", // the file behind the link that was named
	}
	if got := names(t, layer.Bytes()); !slices.Equal(got, want) {
		t.Errorf("layer holds %q, want %q", got, want)
	}
}

func TestSameFilesGiveTheSameImage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := imageSpec{name: "agentkube.test/x:1", files: []imageFile{{file, "/file"}}}
	var first, second bytes.Buffer
	if err := spec.writeTo(&first); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, fileTime, fileTime); err != nil {
		t.Fatal(err)
	}
	if err := spec.writeTo(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the image depends on more than its files' content")
	}
}

func TestMissingFileIsAnError(t *testing.T) {
	if err := writeLayer(io.Discard, []imageFile{{"/no/such/file", "/file"}}); err == nil {
		t.Error("an image was made without a file it should hold")
	}
}
