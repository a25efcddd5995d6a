"""From objects to children and conditions."""

import signal
import time

import pytest
from support import (ROOT, apply, condition, get, kubectl, kubectl_process, namespace, objects,
                     until, until_condition, versions_of)

pytestmark = pytest.mark.usefixtures("operator")

SEED = (ROOT / "tests/fixtures/manifests/seed.yaml").read_text()


def owned(kind, name, ns):
    """The object, when its first owner is one of ours."""
    found = get(kind, name, "-n", ns)
    owners = found["metadata"].get("ownerReferences", [])
    return found if owners and owners[0]["apiVersion"].startswith("agentkube.io/") else None


@pytest.fixture(scope="module")
def seed(operator):
    """Both seed manifests, exactly as they stand."""
    for name in ("team-a", "platform"):
        kubectl("create", "namespace", name)
    warnings, printed = apply(SEED)
    yield warnings, printed
    for name in ("team-a", "platform"):
        kubectl_process("delete", "namespace", name, "--wait=false")


def test_the_seed_manifests_apply_unchanged(seed, capsys):
    warnings, printed = seed
    with capsys.disabled():
        print("\n" + warnings + printed)
    assert "mcp.agentkube.io/github-tools created" in printed
    assert "llmgateway.agentkube.io/shared-gateway created" in printed
    assert "anthropic-key" in warnings and "not enforced yet" in warnings


@pytest.mark.parametrize("kind", ["configmap", "serviceaccount", "deployment", "service"])
def test_children_appear(seed, kind):
    until(f"{kind} of the gateway", lambda: owned(kind, "shared-gateway-llm", "platform"))
    until(f"{kind} of the MCP", lambda: owned(kind, "github-tools-mcp", "team-a"))


def test_a_missing_secret_is_a_condition_and_its_arrival_mends_it(seed):
    reason, message = until_condition(
        "llmgw", "platform", "shared-gateway", "ResolvedRefs", "False")
    assert "anthropic-key" in message
    generation = get("llmgw", "shared-gateway", "-n", "platform")["metadata"]["generation"]
    kubectl("create", "secret", "generic", "anthropic-key", "-n", "platform",
            "--from-literal=api-key=sk-ant-placeholder")
    until_condition("llmgw", "platform", "shared-gateway", "ResolvedRefs", "True")
    after = get("llmgw", "shared-gateway", "-n", "platform")
    assert after["metadata"]["generation"] == generation, "the gateway itself was not touched"
    plan = get("cm", "shared-gateway-llm", "-n", "platform")["data"]["plan.json"]
    assert "sk-ant" not in plan


def test_programmed_is_not_claimed_without_a_replica(seed):
    until_condition("llmgw", "platform", "shared-gateway", "Accepted", "True")
    status, reason, message = until(
        "Programmed is said",
        lambda: condition("llmgw", "platform", "shared-gateway", "Programmed"))
    assert status == "False" and reason and message


def test_what_is_not_enforced_is_a_condition(seed):
    def rows():
        found = get("llmgw", "shared-gateway", "-n", "platform")["status"]["conditions"]
        return [row for row in found if "not enforced" in row["message"]]

    assert until("a condition that says so", rows)


def test_kubectl_get_prints_what_matters(seed, capsys):
    printed = kubectl("get", "mcp,llmgw,ag", "-A")
    with capsys.disabled():
        print("\n" + printed)
    for column in ("READY", "UPSTREAMS", "AGE"):
        assert column in printed


def test_a_foreign_object_is_never_taken_over():
    with namespace("taken") as name:
        kubectl("create", "service", "clusterip", "gw-llm", "-n", name, "--tcp=80:80")
        apply(f"""
apiVersion: agentkube.io/v1alpha1
kind: LLMGateway
metadata: {{name: gw, namespace: {name}}}
spec:
  upstreams: [{{name: local, provider: ollama, endpoint: "http://ollama:11434", models: [m]}}]
""")

        def taken():
            found = condition("llmgw", name, "gw", "Programmed")
            return found if found and found[1] == "NameTaken" else None

        _, _, message = until("Programmed=False, NameTaken", taken)
        assert "gw-llm" in message
        assert get("svc", "gw-llm", "-n", name)["spec"]["ports"][0]["port"] == 80


def test_children_go_with_their_object():
    with namespace("gone") as name:
        apply(f"""
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {{name: tools, namespace: {name}}}
spec:
  upstreams: [{{name: up, kind: http, endpoint: "http://tools:8000/mcp"}}]
""")
        until("the Deployment", lambda: owned("deployment", "tools-mcp", name))
        kubectl("delete", "mcp", "tools", "-n", name)
        until("nothing is left", lambda: not get("deploy,svc,cm", "-n", name, "-l",
                                                "agentkube.io/mcp=tools")["items"])


AGENT = """
apiVersion: agentkube.io/v1alpha1
kind: LLMGateway
metadata: {{name: gw, namespace: {ns}}}
spec:
  upstreams: [{{name: local, provider: ollama, endpoint: "http://ollama:11434", models: [m]}}]
  routing: {{defaultModel: m}}
---
apiVersion: agentkube.io/v1alpha1
kind: Agent
metadata: {{name: reviewer, namespace: {ns}}}
spec:
  runtime: Custom
  image: example.com/agent:1
  mode: system
  paused: false
  llmGatewayRef: {{name: gw}}
"""


def test_an_agent_becomes_one_wired_pod_with_a_key_of_its_own():
    with namespace("agent") as name:
        apply(AGENT.format(ns=name))
        found = until("the StatefulSet", lambda: owned("statefulset", "reviewer", name))
        container = found["spec"]["template"]["spec"]["containers"][0]
        env = {row["name"]: row for row in container["env"]}
        reference = env["OPENAI_API_KEY"]["valueFrom"]["secretKeyRef"]
        assert found["spec"]["replicas"] == 1
        key = until("the client key", lambda: get("secret", reference["name"], "-n", name))
        assert reference["key"] in key["data"]
        table = until("the client table", lambda: get("secret", "gw-llm-clients", "-n", name))
        assert key["data"][reference["key"]] not in str(table), "hashes, never keys"
        kubectl("patch", "ag", "reviewer", "-n", name, "--type=merge", "-p", '{"spec":{"paused":true}}')
        until("it is scaled to 0",
              lambda: get("sts", "reviewer", "-n", name)["spec"]["replicas"] == 0)


def test_a_restart_writes_nothing_to_an_unchanged_cluster(operator, seed):
    with namespace("quiet") as name:
        apply(AGENT.format(ns=name))
        until("the StatefulSet", lambda: owned("statefulset", "reviewer", name))
        until_condition("llmgw", name, "gw", "Accepted", "True")
        mine = (name, "team-a", "platform", "agentkube-system", "")
        before = until("the cluster is at rest", lambda: settled(mine))
        operator.stop(signal.SIGKILL)
        operator.start()
        until("it has looked at everything", lambda: looked_at_everything(operator))
        after = objects(mine)
        assert {key: after.get(key) for key in before if after.get(key) != before[key]} == {}


def settled(namespaces):
    """Everything in these namespaces, once several looks agree."""
    first = objects(namespaces)
    for _ in range(5):
        time.sleep(0.5)  # what is at rest stays so
        if versions_of(objects(namespaces)) != versions_of(first):
            return None
    return first


def looked_at_everything(operator):
    """True when every object of ours was reconciled since the start."""
    objects = len(get("mcp,llmgw,ag", "-A")["items"])
    lines = operator.metrics().splitlines()
    done = sum(float(line.rsplit(" ", 1)[1]) for line in lines
               if line.startswith("agentkube_operator_reconciles_total") and "ok" in line)
    return done >= objects
