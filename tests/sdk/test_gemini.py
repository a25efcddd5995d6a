"""The official Google SDK through the gateway, to providers of other dialects. To
Gemini itself: test_clouds.py."""

import json

import pytest
from google import genai
from google.genai import types

from rig import http

PIECES = ["Hello", " from", " the", " scripted", " upstream."]
WEATHER = types.Tool(function_declarations=[{
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters_json_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}])


@pytest.fixture
def gateway(agentkube):
    return agentkube.gateway("models")


@pytest.fixture
def client(gateway):
    options = types.HttpOptions(base_url=gateway["url"])
    return genai.Client(api_key=gateway["key"], http_options=options)


@pytest.fixture(params=["openai", "claude", "bedrock", "ollama"])
def speaks(request):
    return request.param


def test_contents_are_answered(client, gateway, upstream, model, speaks):
    name = model(f"plain-{speaks}")
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", max_output_tokens=100, temperature=0.5
    )
    answer = client.models.generate_content(model=name, contents="Hello?", config=config)
    assert answer.text == "".join(PIECES)
    assert answer.candidates[0].finish_reason == "STOP"
    assert (answer.model_version, answer.usage_metadata.total_token_count) == (name, 18)
    assert gateway["key"] not in json.dumps(upstream.request(name)), "the client's key stays here"


def test_a_stream_is_whole(client, model, speaks):
    stream = client.models.generate_content_stream(
        model=model(f"plain-{speaks}"), contents="Hello?"
    )
    chunks = list(stream)
    assert "".join(chunk.text or "" for chunk in chunks) == "".join(PIECES)
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    assert chunks[-1].usage_metadata.total_token_count == 18


@pytest.mark.parametrize("streams", [False, True])
def test_a_call_and_its_result_are_carried(client, upstream, model, speaks, streams):
    config = types.GenerateContentConfig(
        tools=[WEATHER],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    asked = {"model": model(f"tools-{speaks}"), "contents": "Weather?", "config": config}
    if streams:
        chunks = list(client.models.generate_content_stream(**asked))
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    else:
        answer = client.models.generate_content(**asked)
        parts = answer.candidates[0].content.parts
    [call] = [part.function_call for part in parts if part.function_call]
    assert (call.name, call.args) == ("get_weather", {"city": "Paris"})
    turns = [
        types.Content(role="user", parts=[types.Part(text="Weather?")]),
        types.Content(role="model", parts=[part for part in parts if part.function_call]),
        types.Content(role="user", parts=[
            types.Part(function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": "18 C"},
            )),
        ]),
    ]
    name = model(f"plain-{speaks}")
    client.models.generate_content(**{**asked, "model": name, "contents": turns})
    assert "18 C" in upstream.request(name)["body"]


@pytest.mark.parametrize("behaviour", ["cut", "unfinished", "miderror"])
def test_a_stream_that_breaks_off_is_an_error(client, model, behaviour, speaks):
    stream = client.models.generate_content_stream(
        model=model(f"{behaviour}-{speaks}"), contents="Hello?"
    )
    with pytest.raises(genai.errors.APIError):
        list(stream)


@pytest.mark.parametrize(
    ("behaviour", "code"), [("overloaded", 503), ("ratelimited", 429), ("badrequest", 400)]
)
def test_a_refusal_is_an_error_of_the_sdk(client, model, behaviour, code, speaks):
    with pytest.raises(genai.errors.APIError) as refused:
        client.models.generate_content(model=model(f"{behaviour}-{speaks}"), contents="Hello?")
    assert refused.value.code == code


def test_models_are_listed_as_google_lists_them(client):
    names = [each.name for each in client.models.list()]
    assert "models/claude-sonnet-4-6" in names
    assert client.models.get(model="claude-sonnet-4-6").name == "models/claude-sonnet-4-6"


def test_an_unknown_model_is_named(client):
    with pytest.raises(genai.errors.ClientError) as refused:
        client.models.generate_content(model="gpt-5.2", contents="Hello?")
    assert refused.value.code == 404
    assert "gpt-5.1" in str(refused.value)


def test_without_alt_sse_a_stream_is_a_list(gateway, model, speaks):
    """As Google's REST documents have it; the SDK always asks for events."""
    answer = http(
        f"{gateway['url']}/v1beta/models/{model(f'plain-{speaks}')}:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hello?"}]}]},
        {"x-goog-api-key": gateway["key"]},
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    chunks = [types.GenerateContentResponse.model_validate(each) for each in answer.json()]
    assert "".join(chunk.text or "" for chunk in chunks) == "".join(PIECES)
    assert chunks[-1].candidates[0].finish_reason == "STOP"


def test_a_list_that_broke_off_is_no_json(gateway, model, speaks):
    answer = http(
        f"{gateway['url']}/v1beta/models/{model(f'cut-{speaks}')}:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": "Hello?"}]}]},
        {"x-goog-api-key": gateway["key"]},
    )
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert json.loads(answer.body + b"]")[-1]["error"]["status"] == "INTERNAL"


def test_texts_are_embedded_by_openais_models(client):
    config = types.EmbedContentConfig(output_dimensionality=3)
    answer = client.models.embed_content(
        model="text-embedding-3-small", contents=["a", "b"], config=config
    )
    assert [each.values for each in answer.embeddings] == [[0.5, -1.0, 0.25]] * 2
