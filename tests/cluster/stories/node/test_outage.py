"""The operator goes away and comes back."""

import pytest
from pods import is_ready, metric
from support import apply, get, http_get, kubectl, objects, until, versions_of, written_by_us

SYSTEM = "agentkube-system"
OPERATORS = ("-n", SYSTEM, "-l", "app.kubernetes.io/component=operator")
# Where the operator writes; "" holds the webhook configurations.
WATCHED = ("", "crew", "rig")
MESSAGES = [{"role": "user", "content": "Hello?"}]
POD = """
apiVersion: v1
kind: Pod
metadata: {name: meanwhile, namespace: crew, labels: {agentkube.io/wire: "true"}}
spec: {containers: [{name: any, image: any}]}
"""


@pytest.fixture(scope="module")
def before(wiring):
    """Everything, as it was when nothing moved any more."""

    def settled():
        first = objects(WATCHED)
        return first if versions_of(objects(WATCHED)) == versions_of(first) else None

    return until("the cluster is at rest", settled)


@pytest.fixture(scope="module")
def stream(before, connect, upstream):
    """A stream that has begun, before the operator goes."""
    with connect() as client:
        stream = iter(client.chat.completions.create(
            model="gated-openai-outage", messages=MESSAGES, stream=True))
        next(stream)
        upstream.await_gate("gated-openai-outage")
        yield stream


@pytest.fixture(scope="module")
def gone(stream):
    """No operator is left."""
    addresses = [pod["status"]["podIP"] for pod in get("pod", *OPERATORS)["items"]]
    kubectl("scale", "deployment/agentkube-operator", "-n", SYSTEM, "--replicas=0")
    kubectl("delete", "pod", *OPERATORS, "--force", "--grace-period=0")
    until("nobody answers", lambda: all(
        http_get(f"http://{address}:9090/livez")[0] == 0 for address in addresses))


def test_new_requests_are_answered(gone, client):
    assert client.chat.completions.create(model="gpt-5.1", messages=MESSAGES).choices


def test_a_running_stream_goes_on(gone, stream, upstream):
    upstream.open_gate("gated-openai-outage")
    assert list(stream)[-1].choices[0].finish_reason == "stop"


def test_nobody_is_locked_out(gone):
    apply(POD, "--dry-run=server")
    kubectl("annotate", "mcp", "tools", "-n", "rig", "note=x", "--dry-run=server")


def test_it_comes_back_and_writes_nothing(gone, before):
    kubectl("scale", "deployment/agentkube-operator", "-n", SYSTEM, "--replicas=2")
    count = len(get("mcp,llmgw,ag", "-A")["items"])

    def looked_at_everything():
        running = [pod for pod in get("pod", *OPERATORS)["items"] if is_ready(pod)]
        looks = [metric(pod, "agentkube_operator_reconciles_total", "ok") for pod in running]
        return any(look >= count for look in looks)

    until("it has looked at everything", looked_at_everything)
    before, after = written_by_us(before), written_by_us(objects(WATCHED))
    assert {key: after.get(key) for key in before if after.get(key) != before[key]} == {}
