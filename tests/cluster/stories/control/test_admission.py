"""What `kubectl apply` answers."""

import json
import subprocess

import pytest
from support import (AGENTKUBE, KubectlError, ROOT, apply, get, kubectl, kubectl_process, namespace,
                     plain, versions)

pytestmark = pytest.mark.usefixtures("operator")

FIXTURES = ROOT / "tests/fixtures/manifests"


def test_five_mistakes_are_answered_at_once(capsys):
    done = kubectl_process("apply", "-f", str(FIXTURES / "five-mistakes.yaml"))
    with capsys.disabled():
        print("\n" + done.stderr)
    assert done.returncode == 1
    causes = [line[2:].split(": ")[0] for line in done.stderr.splitlines() if line.startswith("* ")]
    assert causes == [
        "spec.routing.defaultModel",
        "spec.routing.modelMap[0].to",
        "spec.routing.modelMap[1].upstream",
        "spec.upstreams[0].provider",
        "spec.upstreams[1].endpoint",
    ]
    assert 'did you mean "anthropic"?' in done.stderr


def test_an_unknown_field_is_named_with_the_one_that_was_meant():
    text = """
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {name: typo, namespace: default}
spec:
  upstreams: [{name: a, kind: http, endpont: "https://example.com/mcp"}]
"""
    with pytest.raises(KubectlError) as refused:
        apply(text, "--validate=false")
    assert "endpoint" in refused.value.stderr


def test_dry_run_writes_nothing():
    with namespace("dry") as name:
        before = versions()
        text = (FIXTURES / "seed.yaml").read_text()
        text = text.replace("namespace: team-a", f"namespace: {name}")
        text = text.replace("namespace: platform", f"namespace: {name}")
        _, printed = apply(text, "--dry-run=server")
        assert printed.count("(server dry run)") == 3
        assert versions() == before


def test_a_missing_secret_denies_where_the_namespace_is_strict():
    with namespace("strict", "agentkube.io/strict=true") as name:
        text = (FIXTURES / "seed.yaml").read_text().replace("namespace: platform", f"namespace: {name}")
        gateway = text.split("---\n")[2]
        with pytest.raises(KubectlError) as refused:
            apply(gateway)
        assert "spec.upstreams[0].credentialsRef" in refused.value.stderr


def test_a_policy_is_refused_until_it_is_enforced():
    with pytest.raises(KubectlError) as refused:
        apply("apiVersion: agentkube.io/v1alpha1\nkind: AgentPolicy\nmetadata: {name: p}\nspec: {}\n")
    assert "enforced" in refused.value.stderr


def test_explain_teaches():
    printed = kubectl("explain", "llmgw.spec.upstreams.provider")
    assert "DESCRIPTION" in printed and "openai" in printed


def offline_verdict(path):
    """Fields that `agentkube lint` finds errors at."""
    done = subprocess.run([AGENTKUBE, "lint", "-o", "json", path], capture_output=True, text=True)
    return [row["field"] for row in json.loads(done.stdout) if row["severity"] == "error"]


def manifests(folder):
    """The fixtures of one verdict."""
    found = sorted((FIXTURES / folder).glob("*.yaml"))
    assert found, f"no fixture in {folder}"
    return found


@pytest.mark.parametrize("path", manifests("accepted"), ids=lambda path: path.stem)
def test_what_lint_accepts_the_cluster_accepts(path):
    assert offline_verdict(path) == []
    done = kubectl_process("apply", "--dry-run=server", "-f", str(path))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", manifests("refused"), ids=lambda path: path.stem)
def test_what_lint_refuses_the_cluster_refuses(path):
    assert offline_verdict(path) != []
    done = kubectl_process("apply", "--dry-run=server", "--validate=false", "-f", str(path))
    assert done.returncode != 0, done.stdout


WIRED = """
apiVersion: v1
kind: ServiceAccount
metadata: {{name: reviewer, namespace: {ns}}}
---
apiVersion: v1
kind: Pod
metadata:
  name: reviewer
  namespace: {ns}
  labels: {{agentkube.io/wire: "true"}}
  annotations:
    agentkube.io/llm-gateway: gw
    agentkube.io/mcp: tools
spec:
  serviceAccountName: reviewer
  containers: [{{name: agent, image: agent, env: [{{name: MINE, value: kept}}]}}]
"""

TARGETS = """
apiVersion: agentkube.io/v1alpha1
kind: LLMGateway
metadata: {{name: gw, namespace: {ns}}}
spec:
  upstreams: [{{name: local, provider: ollama, endpoint: "http://ollama:11434", models: [m]}}]
  routing: {{defaultModel: m}}
---
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {{name: tools, namespace: {ns}}}
spec:
  upstreams: [{{name: up, kind: http, endpoint: "http://tools:8000/mcp"}}]
"""


def test_a_labelled_pod_is_wired():
    with namespace("wire") as name:
        apply(TARGETS.format(ns=name))
        apply(WIRED.format(ns=name))
        pod = get("pod", "reviewer", "-n", name)
        env = {row["name"]: row for row in pod["spec"]["containers"][0]["env"]}
        assert env["MINE"]["value"] == "kept"
        assert env["OPENAI_BASE_URL"]["value"].endswith("/v1")
        assert env["ANTHROPIC_BASE_URL"]["value"].startswith(f"http://gw-llm.{name}.svc")
        assert env["AGENTKUBE_MODEL"]["value"] == "m"
        assert env["OPENAI_API_KEY"]["valueFrom"]["secretKeyRef"]["name"].startswith("agentkube-key-")
        assert "AGENTKUBE_MCP_TOOLS_URL" in env
        config = json.loads(pod["metadata"]["annotations"]["agentkube.io/mcp.json"])
        assert config["mcpServers"]["tools"]["url"] == env["AGENTKUBE_MCP_TOOLS_URL"]["value"]
        mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]
        assert any(path.startswith("/etc/agentkube") for path in mounts)


def test_applying_twice_changes_nothing():
    with namespace("twice") as name:
        apply(TARGETS.format(ns=name))
        _, printed = apply(TARGETS.format(ns=name))
        assert printed.count("unchanged") == 2, printed


def test_a_wired_pod_without_its_target_is_refused():
    with namespace("lost") as name:
        kubectl("create", "serviceaccount", "reviewer", "-n", name)
        with pytest.raises(KubectlError) as refused:
            apply(WIRED.format(ns=name))
        assert "does not exist" in plain(refused.value.stderr)
