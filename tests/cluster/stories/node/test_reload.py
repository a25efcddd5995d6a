"""What changes reaches the data planes without a restart, and what goes, goes quietly."""

import itertools
import threading

import openai
import pytest
from pods import is_ready, pods, programmed, uids
from support import kubectl, until

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


class Load:
    """Requests one after the other, until told to stop."""

    def __init__(self, connect, reconnects):
        self.connect, self.reconnects = connect, reconnects
        self.answered, self.refused, self.broken = 0, [], []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        client = self.connect()
        while not self.stop.is_set():
            try:
                ask(client, "gpt-5.1")
                self.answered += 1
            except openai.APIStatusError as error:
                self.refused.append(error)
            except openai.APIConnectionError as error:
                self.broken.append(error)
            if self.reconnects:
                client.close()
                client = self.connect()
        client.close()


@pytest.mark.parametrize("reconnects", [False, True], ids=["kept alive", "new connections"])
def test_a_pod_that_goes_takes_no_request_with_it(connect, reconnects):
    load = Load(connect, reconnects)
    load.thread.start()
    until("requests are answered", lambda: load.answered > 10)
    leaving = [pod["metadata"]["name"] for pod in pods(*GATEWAY)]
    for name in leaving:
        kubectl("delete", "pod", name, "-n", "rig")
        until("another one is ready", lambda: sum(map(is_ready, pods(*GATEWAY))) == 2)
    load.stop.set()
    load.thread.join()
    assert load.refused == []
    # A request that is sent as an idle connection closes; SDKs try again.
    assert len(load.broken) <= len(leaving), load.broken
