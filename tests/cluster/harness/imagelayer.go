package main

// The one layer of an image, made of files of this machine.

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// imageFile is a file or a folder and where it goes.
type imageFile struct{ src, dest string }

// layer writes a layer's tar. The same content gives the same bytes: no
// times, no owners of this machine.
type layer struct {
	*tar.Writer
	known map[string]bool // folders that are in already
}

func writeLayer(to io.Writer, files []imageFile) error {
	l := layer{tar.NewWriter(to), map[string]bool{}}
	if err := l.base(); err != nil {
		return err
	}
	for _, file := range files {
		if err := l.add(file); err != nil {
			return fmt.Errorf("%s: %w", file.src, err)
		}
	}
	return l.Close()
}

// base is what programs expect of any Unix: a writable /tmp and a user
// database that knows who they are.
func (l layer) base() error {
	if err := l.folder("tmp", 0o1777); err != nil {
		return err
	}
	for _, file := range [][2]string{
		{"etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n"},
		{"etc/group", "root:x:0:\nnonroot:x:65532:\n"},
	} {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file[0], Mode: 0o644, Size: int64(len(file[1]))}
		if err := l.entry(header, strings.NewReader(file[1])); err != nil {
			return err
		}
	}
	return nil
}

func (l layer) add(file imageFile) error {
	return filepath.WalkDir(file.src, func(src string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(file.src, src)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Join(file.dest, filepath.ToSlash(below)), "/")
		if src == file.src {
			// A link that was named means the file behind it; links
			// inside a folder stay links.
			if src, err = filepath.EvalSymlinks(src); err != nil {
				return err
			}
		}
		return l.copy(src, name)
	})
}

func (l layer) copy(src, name string) error {
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return l.folder(name, int64(info.Mode().Perm()))
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(src)
		if err != nil {
			return err
		}
		return l.entry(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, nil)
	case info.Mode().IsRegular():
		content, err := os.Open(src)
		if err != nil {
			return err
		}
		defer content.Close()
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}
		return l.entry(header, content)
	}
	return nil // sockets and devices are not for images
}

// entry writes one entry after the folders that lead to it.
func (l layer) entry(header *tar.Header, content io.Reader) error {
	if err := l.folder(path.Dir(path.Clean(header.Name)), 0o755); err != nil {
		return err
	}
	if err := l.WriteHeader(header); err != nil || content == nil {
		return err
	}
	_, err := io.Copy(l, content)
	return err
}

func (l layer) folder(name string, mode int64) error {
	if name == "." || name == "" || l.known[name] {
		return nil
	}
	l.known[name] = true
	return l.entry(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}, nil)
}
