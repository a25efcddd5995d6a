"""With auth.mode serviceAccount, Pods call with tokens that the kubelet renews."""

import json
import pathlib
import string

import openai
import pytest
from support import DEADLINE, apply, get, kubectl, until, until_condition

HERE = pathlib.Path(__file__).parent
BASE = "http://tokened-llm.rig.svc:8080/v1"
AUDIENCE = "llmgateway.agentkube.io/rig/tokened"


@pytest.fixture(scope="module")
def tokened(callers, upstream, everything):
    """The objects of tokens.yaml, ready."""
    text = string.Template((HERE / "tokens.yaml").read_text())
    apply(text.substitute(upstream=upstream.url, tools=everything.url))
    until_condition("llmgw", "rig", "tokened", "Ready", "True")
    until_condition("mcp", "rig", "tokened-tools", "Ready", "True")


def ask(namespace, audience):
    """Calls the gateway with a fresh token of the namespace's `default` account."""
    token = kubectl("create", "token", "default", "-n", namespace, "--audience", audience).strip()
    with openai.OpenAI(base_url=BASE, api_key=token, max_retries=0, timeout=DEADLINE) as client:
        return client.chat.completions.create(
            model="gpt-5.1", messages=[{"role": "user", "content": "Hello?"}])


def test_a_wired_pod_calls_both_with_the_tokens_that_it_was_given(tokened):
    apply((HERE / "tokened.yaml").read_text())

    def ended():
        pod = get("pod", "tokened", "-n", "crew")
        return pod if pod["status"]["phase"] in ("Succeeded", "Failed") else None

    until("the Pod ends", ended)
    calls = [json.loads(line) for line in kubectl("logs", "-n", "crew", "tokened").splitlines()]
    assert [row["status"] for row in calls] == [200] * 4, calls
    assert "secretKeyRef" not in json.dumps(get("pod", "tokened", "-n", "crew")["spec"])


def test_whoever_may_ask_for_a_token_of_an_admitted_namespace_is_let_in(tokened):
    assert ask("crew", AUDIENCE).choices


def test_a_token_of_another_namespace_is_known_and_forbidden(tokened):
    with pytest.raises(openai.PermissionDeniedError, match="allowedNamespaces"):
        ask("default", AUDIENCE)


def test_a_token_for_somebody_else_is_refused(tokened):
    for audience in ("mcp.agentkube.io/rig/tokened-tools", "https://kubernetes.default.svc"):
        with pytest.raises(openai.AuthenticationError, match="another audience"):
            ask("crew", audience)
