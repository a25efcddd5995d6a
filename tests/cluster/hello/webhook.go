package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
)

// registration makes the API server ask us about every new ConfigMap that is
// labelled for it.
const registration = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: { name: hello }
webhooks:
  - name: hello.agentkube.test
    clientConfig: { url: "%s/", caBundle: "%s" }
    objectSelector: { matchLabels: { hello: webhook } }
    rules: [{ apiGroups: [""], apiVersions: [v1], resources: [configmaps], operations: [CREATE] }]
    sideEffects: None
    admissionReviewVersions: [v1]
`

// webhook denies all it is asked about. It writes its registration to a file
// when it serves, and ends when its standard input does.
func webhook(file string) error {
	server := httptest.NewTLSServer(http.HandlerFunc(deny))
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	text := fmt.Sprintf(registration, server.URL, base64.StdEncoding.EncodeToString(ca))
	if err := os.WriteFile(file+".next", []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".next", file); err != nil {
		return err
	}
	_, err := new(bytes.Buffer).ReadFrom(os.Stdin)
	return err
}

func deny(answer http.ResponseWriter, request *http.Request) {
	var review struct {
		Request struct{ UID string }
	}
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(answer, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{
		"uid":%q,"allowed":false,"status":{"message":"denied over loopback"}}}`, review.Request.UID)
}
