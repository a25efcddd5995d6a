"""What changes reaches the data planes without a restart, and what goes, goes quietly."""

import itertools
import threading

import httpx2
import pytest
from pods import is_ready, pods, programmed, uids
from support import DEADLINE, http_get, kubectl, until

GATEWAY = ("llmgw", "rig", "models")
MESSAGES = [{"role": "user", "content": "Hello?"}]
# A kubelet that nobody nudges looks at mounted files once a minute or so.
NUDGED = 20


def ask(client, model):
    return client.chat.completions.create(model=model, messages=MESSAGES)


@pytest.fixture
def same_pods(served):
    """No Pod of the gateway is replaced or restarted meanwhile."""
    before = uids(*GATEWAY)
    yield
    assert uids(*GATEWAY) == before


@pytest.mark.usefixtures("same_pods")
def test_a_rotated_secret_is_used_by_every_replica(connect, upstream):
    kubectl("patch", "secret", "credentials", "-n", "rig", "--type=merge",
            "-p", '{"stringData": {"openai": "sk-platform-rotated"}}')
    rounds = itertools.count()

    def used():
        model = f"plain-openai-rotated-{next(rounds)}"
        for _ in range(8):  # connections of their own, so both replicas
            with connect() as client:
                ask(client, model)
        keys = {request["headers"]["authorization"] for request in upstream.requests(model)}
        return keys == {"Bearer sk-platform-rotated"}

    until("only the new key is used", used, NUDGED)


@pytest.mark.usefixtures("same_pods")
def test_a_new_model_is_programmed_on_every_replica(connect):
    kubectl("patch", "llmgw", "models", "-n", "rig", "--type=json",
            "-p", '[{"op": "add", "path": "/spec/upstreams/0/models/-", "value": "plain-new"}]')
    until("it is programmed", lambda: programmed(*GATEWAY), NUDGED)
    for _ in range(8):
        with connect() as client:
            assert ask(client, "plain-new").choices


def test_a_stream_outlives_the_deletion_of_its_pod(client, upstream):
    model = "gated-openai-leaving"
    stream = iter(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    next(stream)
    upstream.await_gate(model)
    # Either replica may hold it, so both go.
    leaving = pods(*GATEWAY)
    names = [pod["metadata"]["name"] for pod in leaving]
    kubectl("delete", "pod", *names, "-n", "rig", "--wait=false")
    admins = [f"http://{pod['status']['podIP']}:9090/readyz" for pod in leaving]
    until("both were told to end", lambda: all(http_get(admin)[0] != 200 for admin in admins))
    upstream.open_gate(model)
    assert list(stream)[-1].choices[0].finish_reason == "stop"


class Load:
    """Requests one after the other, until told to stop."""

    def __init__(self, wiring, connections):
        self.url = f"{wiring['OPENAI_BASE_URL']}/chat/completions"
        self.client = httpx2.Client(
            headers={"authorization": f"Bearer {wiring['OPENAI_API_KEY']}"},
            limits=httpx2.Limits(max_keepalive_connections=connections), timeout=DEADLINE)
        self.answered, self.refused, self.broken = 0, [], []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        body = {"model": "gpt-5.1", "messages": MESSAGES}
        while not self.stop.is_set():
            try:
                answer = self.client.post(self.url, json=body)
            except httpx2.TransportError as error:
                self.broken.append(repr(error))
                continue
            if answer.status_code == 200:
                self.answered += 1
            else:
                self.refused.append(answer.text)


# A request that is sent while an idle connection closes is lost; every SDK sends
# it again.
@pytest.mark.parametrize(("connections", "lost"), [(0, 0), (1, 2)], ids=["new", "kept alive"])
def test_pods_that_go_take_no_request_with_them(wiring, connections, lost):
    load = Load(wiring, connections)
    load.thread.start()
    until("requests are answered", lambda: load.answered > 10)
    for pod in pods(*GATEWAY):
        kubectl("delete", "pod", pod["metadata"]["name"], "-n", "rig")
        until("another one is ready", lambda: sum(map(is_ready, pods(*GATEWAY))) == 2)
    load.stop.set()
    load.thread.join()
    assert load.refused == []
    assert len(load.broken) <= lost, load.broken
