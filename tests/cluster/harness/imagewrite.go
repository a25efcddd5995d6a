package main

// An image as one tar that both containerd and Docker load: the OCI image
// layout (OCI Image Format, "Image Layout") plus Docker's manifest.json, which
// points to the same blobs.

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

type imageSpec struct {
	name            string // with registry and tag
	user            string
	entrypoint, env []string
	files           []imageFile
}

// blob is an OCI content descriptor.
type blob struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (b blob) path() string { return "blobs/sha256/" + strings.TrimPrefix(b.Digest, "sha256:") }

type object = map[string]any

func (s imageSpec) write(output string) error {
	file, err := os.CreateTemp(filepath.Dir(output), ".image-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if err := s.writeTo(file); err != nil {
		return err
	}
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	return os.Rename(file.Name(), output)
}

func (s imageSpec) writeTo(to io.Writer) error {
	out := tar.NewWriter(to)
	content := &bytes.Buffer{}
	if err := writeLayer(content, s.files); err != nil {
		return err
	}
	layer, err := addBlob(out, "application/vnd.oci.image.layer.v1.tar", content.Bytes())
	if err != nil {
		return err
	}
	config, err := addJSON(out, "application/vnd.oci.image.config.v1+json", object{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config": object{
			"User":       s.user,
			"Entrypoint": s.entrypoint,
			"Env":        append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, s.env...),
			"WorkingDir": "/",
		},
		// The layer is not compressed, so its diff id is its digest.
		"rootfs": object{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	if err != nil {
		return err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := addJSON(out, manifestType, object{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []blob{layer},
	})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{
		"io.containerd.image.name":          s.name,
		"org.opencontainers.image.ref.name": s.name[strings.LastIndex(s.name, ":")+1:],
	}
	for _, index := range []struct {
		name    string
		content any
	}{
		{"oci-layout", object{"imageLayoutVersion": "1.0.0"}},
		{"index.json", object{"schemaVersion": 2, "manifests": []blob{manifest}}},
		{"manifest.json", []object{{"Config": config.path(), "RepoTags": []string{s.name}, "Layers": []string{layer.path()}}}},
	} {
		raw, err := json.Marshal(index.content)
		if err != nil {
			return err
		}
		if err := addFile(out, index.name, raw); err != nil {
			return err
		}
	}
	return out.Close()
}

func addJSON(out *tar.Writer, mediaType string, content any) (blob, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return blob{}, err
	}
	return addBlob(out, mediaType, raw)
}

func addBlob(out *tar.Writer, mediaType string, content []byte) (blob, error) {
	sum := sha256.Sum256(content)
	b := blob{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(content))}
	return b, addFile(out, b.path(), content)
}

func addFile(out *tar.Writer, name string, content []byte) error {
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := out.Write(content)
	return err
}
