"""Nobody gets a Pod or a Secret through an object of ours that they may not have themselves."""

import re

import pytest
from support import KubectlError, apply, kubectl, namespace

pytestmark = pytest.mark.usefixtures("operator")

ROLE = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: kim}
rules:
  - {apiGroups: [agentkube.io], resources: [mcps], verbs: [get, create, patch]}
%s
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: kim}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: kim}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: kim}]
"""
PODS = "  - {apiGroups: [''], resources: [pods], verbs: [create]}"
SECRET = "  - {apiGroups: [''], resources: [secrets], resourceNames: [pat], verbs: [get]}"
MCP = """
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {name: tools}
spec:
  replicas: %d
  upstreams:
    - name: program
      kind: stdio
      stdio:
        image: example.com/server:1
        command: [server]
        env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: pat, key: token}}}]
"""
IMAGE = "spec.upstreams[0].stdio.image"
TOKEN = "spec.upstreams[0].stdio.env[0].valueFrom.secretKeyRef"


def refused(name, text):
    """The fields for which kim is refused."""
    with pytest.raises(KubectlError) as error:
        apply(text, "-n", name, "--as", "kim")
    return re.findall(r'(spec\.\S+): "kim" may not', error.value.stderr)


def may(name, *rules):
    apply(ROLE % "\n".join(rules), "-n", name)


def test_a_program_is_for_those_who_may_create_pods_and_read_its_secrets():
    with namespace("rights") as name:
        may(name)
        assert refused(name, MCP % 1) == [IMAGE, TOKEN]
        may(name, PODS)
        assert refused(name, MCP % 1) == [TOKEN]
        may(name, PODS, SECRET)
        apply(MCP % 1, "-n", name, "--as", "kim")
        # Whoever has lost these rights may still change what they do not concern.
        may(name)
        apply(MCP % 2, "-n", name, "--as", "kim")
        changed = (MCP % 2).replace("command: [server]", "command: [server, --to, me]")
        assert refused(name, changed) == [IMAGE, TOKEN]
        kubectl("delete", "mcp", "tools", "-n", name)


def test_a_secret_is_not_sent_where_its_reader_did_not_want_it():
    text = """
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {name: tools}
spec:
  upstreams:
    - name: a
      kind: http
      endpoint: https://%s/mcp
      auth: {mode: bearer, secretRef: {name: pat, key: token}}
"""
    with namespace("rights") as name:
        may(name)
        apply(text % "good.example", "-n", name)
        assert refused(name, text % "evil.example") == ["spec.upstreams[0].auth.secretRef"]
