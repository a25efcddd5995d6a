"""Embeddings as Bedrock and Vertex AI give them: each takes what its model takes, and
nothing else. A vector says how long its text is."""

import jsonschema

TEXT = {"type": "string", "minLength": 1}
TASKS = ["RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION",
         "CLUSTERING", "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"]


class Wrong(Exception):
    """What is answered 400 to."""


def shape(required, **members):
    return {"type": "object", "required": required, "properties": members,
            "additionalProperties": False}


def some(items, most):
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items}


TASK, WHOLE = {"enum": TASKS}, {"type": "integer", "minimum": 1}
CONTENT = shape(["parts"], role={"const": "user"}, parts=some(shape(["text"], text=TEXT), 1))
CONFIG = shape([], taskType=TASK, title=TEXT, outputDimensionality=WHOLE,
               autoTruncate={"type": "boolean"})
SCHEMAS = {
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
    "titan": shape(["inputText"], inputText=TEXT, dimensions={"enum": [1024, 512, 256]},
                   normalize={"type": "boolean"}),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
    "cohere": shape(["texts", "input_type"], texts=some(TEXT, 96), output_dimension=WHOLE,
                    truncate={"enum": ["NONE", "START", "END"]},
                    input_type={"enum": ["search_document", "search_query", "classification",
                                         "clustering"]}),
    # https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
    "predict": shape(
        ["instances"],
        instances=some(shape(["content"], content=TEXT, title=TEXT, task_type=TASK), 250),
        parameters=shape([], autoTruncate={"type": "boolean"}, outputDimensionality=WHOLE),
    ),
    "batchEmbedContents": shape(
        ["requests"], requests=some(shape(["content"], content=CONTENT, embedContentConfig=CONFIG), 100)
    ),
}


def check(kind, body):
    errors = jsonschema.Draft202012Validator(SCHEMAS[kind]).iter_errors(body)
    if wrong := [f"{error.json_path}: {error.message}" for error in errors]:
        raise Wrong("; ".join(wrong))


def vector(text):
    return [float(len(text)), -0.5]


def bedrock(model, body):
    """The answer, and the headers that count."""
    if "titan" in model:
        check("titan", body)
        text = body["inputText"]
        return {"embedding": vector(text), "inputTextTokenCount": len(text)}, {}
    check("cohere", body)
    texts = body["texts"]
    answer = {"id": "1", "response_type": "embeddings_floats", "texts": texts,
              "embeddings": [vector(text) for text in texts]}
    return answer, {"x-amzn-bedrock-input-token-count": str(sum(map(len, texts)))}


def vertex(model, verb, body):
    """The answer; none to what is no embedding."""
    if verb == "predict":
        if model.startswith("gemini-embedding-2"):
            raise Wrong("predict is not supported for this model")
        check(verb, body)
        statistics = lambda text: {"token_count": float(len(text)), "truncated": False}
        return {"predictions": [
            {"embeddings": {"values": vector(each["content"]), "statistics": statistics(each["content"])}}
            for each in body["instances"]
        ]}
    if verb == "batchEmbedContents":
        check(verb, body)
        texts = [each["content"]["parts"][0]["text"] for each in body["requests"]]
        return {"embeddings": [{"values": vector(text)} for text in texts],
                "usageMetadata": {"promptTokenCount": sum(map(len, texts))}}
    return None
