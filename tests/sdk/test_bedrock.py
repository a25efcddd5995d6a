"""The official AWS SDK through the gateway: boto3 as a client of Converse."""

import json

import boto3
import botocore.exceptions
import pytest
from botocore import UNSIGNED
from botocore.config import Config

import manifests
from rig import http

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
MESSAGES = [{"role": "user", "content": [{"text": "Hello?"}]}]
WEATHER = {
    "toolSpec": {
        "name": "get_weather",
        "inputSchema": {
            "json": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
}
PNG = b"\x89PNG\r\n\x1a\n"
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 2000}}


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def client(gateway):
    return connect(gateway["url"], gateway["key"])


def connect(url, key, **options):
    """As with AWS_SESSION_TOKEN in the environment: without TLS, boto3 sends no
    bearer."""
    return boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="agentkube",
        aws_secret_access_key="agentkube",
        aws_session_token=key,
        # Retries of the SDK would hide what the gateway answers.
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


def ask(client, model, messages=MESSAGES, **options):
    return client.converse(modelId=model, messages=messages, **options)


def stream(client, model, messages=MESSAGES, **options):
    return client.converse_stream(modelId=model, messages=messages, **options)["stream"]


def pieces(events):
    deltas = [e["contentBlockDelta"]["delta"] for e in events if "contentBlockDelta" in e]
    return [delta["text"] for delta in deltas if "text" in delta]


def gathered(events):
    """The message that a stream tells, as agents put it together."""
    blocks, stop = {}, None
    for event in events:
        if start := event.get("contentBlockStart"):
            blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
        elif more := event.get("contentBlockDelta"):
            index, delta = more["contentBlockIndex"], more["delta"]
            if "text" in delta:
                block = blocks.setdefault(index, {"text": ""})
                block["text"] += delta["text"]
            elif "toolUse" in delta:
                blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
            elif redacted := delta["reasoningContent"].get("redactedContent"):
                blocks[index] = {"reasoningContent": {"redactedContent": redacted}}
            else:
                block = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {}}})
                text = block["reasoningContent"]["reasoningText"]
                for name, piece in delta["reasoningContent"].items():
                    text[name] = text.get(name, "") + piece
        elif end := event.get("messageStop"):
            stop = end["stopReason"]
    content = [blocks[index] for index in sorted(blocks)]
    for block in content:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return {"role": "assistant", "content": content}, stop


def answer_of(client, model, streams, **options):
    """The message and why it ended, however it was asked for."""
    if streams:
        return gathered(stream(client, model, **options))
    answer = ask(client, model, **options)
    return answer["output"]["message"], answer["stopReason"]


def sent(upstream, model):
    """The body of the last request for this model."""
    return json.loads(upstream.requests(model)[-1]["body"])


FAMILIES = manifests.FAMILIES
both = pytest.mark.parametrize("streams", [False, True])
families = pytest.mark.parametrize("family", FAMILIES)


@families
def test_a_message_is_answered_with_the_providers_key(client, gateway, upstream, model, family):
    name = model(f"plain-{family}")
    answer = ask(client, name)
    assert answer["output"]["message"]["content"] == [{"text": "".join(PIECES)}]
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["totalTokens"]) == (11, 7, 18)
    request = json.dumps(upstream.request(name))
    assert FAMILIES[family] in request
    assert gateway["key"] not in request, "the client's key stays here"


@families
def test_a_stream_arrives_event_by_event(client, upstream, model, family):
    name = model(f"gated-{family}")
    events, arrived = iter(stream(client, name)), []
    while not pieces(arrived):
        arrived.append(next(events))
    # The provider holds everything after the first piece back.
    upstream.await_gate(name)
    assert pieces(arrived) == PIECES[:1]
    assert upstream.request(name)["outcome"] == "open"
    upstream.open_gate(name)
    rest = list(events)
    assert pieces(rest) == PIECES[1:]
    assert rest[-2]["messageStop"]["stopReason"] == "end_turn"
    assert rest[-1]["metadata"]["usage"]["outputTokens"] == 7


@families
@both
def test_a_tool_is_called_and_its_result_is_taken(client, model, family, streams):
    tools = {"tools": [WEATHER]}
    name = model(f"tools-{family}")
    message, stop = answer_of(client, name, streams, toolConfig=tools)
    call = message["content"][0]["toolUse"]
    assert (call["name"], call["input"], stop) == ("get_weather", {"city": "Paris"}, "tool_use")
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"degrees": 18}}]}
    messages = [*MESSAGES, message, {"role": "user", "content": [{"toolResult": result}]}]
    name = model(f"plain-{family}")
    message, stop = answer_of(client, name, streams, messages=messages, toolConfig=tools)
    assert message["content"] == [{"text": "".join(PIECES)}]


@both
def test_thoughts_of_claude_come_back_with_their_signature(client, upstream, model, streams):
    name = model("thinking-claude")
    options = {
        "toolConfig": {"tools": [WEATHER]},
        "inferenceConfig": {"maxTokens": 4000},
        "additionalModelRequestFields": THINKS,
    }
    message, stop = answer_of(client, name, streams, **options)
    thought = message["content"][0]["reasoningContent"]["reasoningText"]
    assert thought["text"] and thought["signature"] and stop == "tool_use"
    call = message["content"][1]["toolUse"]
    result = {"toolUseId": call["toolUseId"], "content": [{"text": "18 degrees"}]}
    messages = [*MESSAGES, message, {"role": "user", "content": [{"toolResult": result}]}]
    _, stop = answer_of(client, name, streams, messages=messages, **options)
    assert stop == "end_turn"
    replayed = sent(upstream, name)["messages"][1]["content"]
    assert replayed[0] == {
        "type": "thinking",
        "thinking": thought["text"],
        "signature": thought["signature"],
    }
    assert replayed[1]["type"] == "tool_use"


@families
def test_an_image_is_carried(client, upstream, model, family):
    name = model(f"plain-{family}")
    image = {"image": {"format": "png", "source": {"bytes": PNG}}}
    ask(client, name, messages=[{"role": "user", "content": [{"text": "What?"}, image]}])
    assert "iVBORw0KGgo=" in upstream.request(name)["body"]


def test_a_model_id_may_have_colons_and_slashes(client, gateway):
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-v1:0"
    with pytest.raises(client.exceptions.ResourceNotFoundException) as error:
        ask(client, arn)
    assert arn in str(error.value)


def test_nothing_of_a_signature_reaches_the_provider(client, gateway, upstream, model):
    name = model("plain-claude")
    ask(client, name)
    headers = upstream.request(name)["headers"]
    assert not [header for header in headers if header.startswith("x-amz-")]
    assert "AWS4" not in json.dumps(headers)


def test_a_key_beside_credentials_of_aws_is_found(gateway, model):
    client = connect(gateway["url"], "a session of AWS")
    add_key(client, gateway["key"])
    assert ask(client, model("plain-claude"))["stopReason"] == "end_turn"


def test_a_key_alone_is_enough(gateway, model):
    client = connect(gateway["url"], "", signature_version=UNSIGNED)
    add_key(client, gateway["key"])
    assert ask(client, model("plain-openai"))["stopReason"] == "end_turn"


def add_key(client, key):
    def add(request, **_):
        request.headers["x-api-key"] = key

    client.meta.events.register("before-send.bedrock-runtime.*", add)


def test_a_bearer_is_a_key(gateway, model):
    """What AWS_BEARER_TOKEN_BEDROCK sends, over TLS only."""
    headers = {"authorization": f"Bearer {gateway['key']}"}
    url = f"{gateway['url']}/model/{model('plain-openai')}/converse"
    assert http(url, {"messages": MESSAGES}, headers).json()["stopReason"] == "end_turn"


@families
@both
@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("overloaded", "ServiceUnavailableException"),
        ("lateerror", "ServiceUnavailableException"),
        ("ratelimited", "ThrottlingException"),
        ("quota", "ServiceQuotaExceededException"),
        ("badrequest", "ValidationException"),
        ("unauthorized", "ModelErrorException"),
        ("broken", "ModelErrorException"),
        ("cuthead", "ModelErrorException"),
    ],
)
def test_what_a_provider_refuses_is_an_error_of_the_sdk(
    client, model, family, behaviour, expected, streams
):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        answer_of(client, model(f"{behaviour}-{family}"), streams)
    assert error.value.response["Error"]["Code"] == expected


def test_an_unknown_key_is_a_client_error(gateway):
    client = connect(gateway["url"], "not-a-client-of-this-one")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        ask(client, "gpt-5.1")
    assert error.value.response["Error"]["Code"] == "UnrecognizedClientException"
    assert "not-a-client-of-this-one" not in str(error.value)


def test_an_operation_that_is_not_served_says_so(client):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.invoke_model(modelId="gpt-5.1", body=b"{}")
    assert error.value.response["Error"]["Code"] == "UnknownOperationException"


def test_a_wrong_request_names_its_field(client):
    with pytest.raises(client.exceptions.ValidationException) as error:
        ask(client, "gpt-5.1", outputConfig={"textFormat": {
            "type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}})
    assert "outputConfig.textFormat.structure.jsonSchema.schema" in str(error.value)


@families
@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_an_error_and_no_end(client, model, family, behaviour):
    arrived = []
    # A stream whose frames were damaged would be a ChecksumMismatch instead.
    with pytest.raises(botocore.exceptions.EventStreamError):
        for event in stream(client, model(f"{behaviour}-{family}")):
            arrived.append(event)
    assert pieces(arrived) == PIECES[:1]
    assert not any("messageStop" in event for event in arrived)


def test_what_is_dropped_is_told(client, model):
    answer = ask(client, model("plain-openai"), guardrailConfig={
        "guardrailIdentifier": "abc", "guardrailVersion": "1"})
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-agentkube-dropped"] == "guardrailConfig"
    assert headers["x-agentkube-upstream"] == "openai"


def test_a_stream_says_what_it_is(gateway, model):
    headers = {"authorization": f"Bearer {gateway['key']}"}
    url = f"{gateway['url']}/model/{model('plain-openai')}/converse-stream"
    answer = http(url, {"messages": MESSAGES}, headers)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
