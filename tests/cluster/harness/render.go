package main

import (
	"embed"
	"os"
	"strings"
	"text/template"
)

// files are the components' configurations, as templates.
//
//go:embed files
var files embed.FS

// render fills a template of files/ and writes it to path.
func render(name, path string, view any) error {
	text, err := template.New(name).Option("missingkey=error").ParseFS(files, "files/"+name)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := text.Execute(&out, view); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(out.String()), 0o600)
}
