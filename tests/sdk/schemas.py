"""What the official SDKs know of their wires: an opinion on our bodies that is not
ours. Each check gives what is wrong, and nothing where all is well."""

import base64
import functools

import botocore.loaders
import botocore.model
import botocore.validate
import jsonschema
import pydantic


def closed(schema):
    """The same schema, in which an object with named members has no others."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and schema.get("additionalProperties") in (None, True):
        schema["additionalProperties"] = False
    return schema


@functools.cache
def _validator(kind):
    schema = pydantic.TypeAdapter(kind).json_schema(by_alias=True)
    return jsonschema.Draft202012Validator(closed(schema))


def by_type(kind):
    """Checks by a TypedDict or a model of an SDK."""

    def check(value):
        errors = _validator(kind).iter_errors(value)
        return [f"{error.json_path}: {_innermost(error)}" for error in errors]

    return check


def _innermost(error):
    best = jsonschema.exceptions.best_match([error])
    return f"{best.json_path}: {best.message[:300]}"


def by_members(members):
    """Checks each member of an object by a type of its own; there are no others."""

    def check(value):
        unknown = [f"{name}: no such member" for name in value if name not in members]
        known = (
            f"{name}: {finding}"
            for name, kind in members.items()
            if name in value
            for finding in by_type(kind)(value[name])
        )
        return [*unknown, *known]

    return check


@functools.cache
def _bedrock():
    description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    return botocore.model.ServiceModel(description, "bedrock-runtime")


def by_operation(name, *, output=False, path=()):
    """Checks by botocore's description of an operation of Bedrock. `path` are the
    members that travel in the path."""

    def check(value):
        operation = _bedrock().operation_model(name)
        shape = operation.output_shape if output else operation.input_shape
        value = {**value, **dict.fromkeys(path, "model")}
        findings = []
        value = _decoded(value, shape, "$", findings)
        report = botocore.validate.ParamValidator().validate(value, shape)
        return findings + ([report.generate_report()] if report.has_errors() else [])

    return check


def by_event(name, member):
    """Checks one event of the stream that an operation of Bedrock answers with."""
    check = by_operation(name, output=True)
    return lambda value: check({member: value})


def _decoded(value, shape, path, findings):
    """The value with its blobs decoded, as botocore has them; notes what it has no
    name for."""
    if shape.type_name == "structure" and isinstance(value, dict) and not shape.is_document_type:
        findings += [f"{path}.{name}: no such member" for name in value if name not in shape.members]
        return {
            name: _decoded(value[name], member, f"{path}.{name}", findings)
            for name, member in shape.members.items()
            if name in value
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [
            _decoded(item, shape.member, f"{path}[{at}]", findings) for at, item in enumerate(value)
        ]
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value, validate=True)
    return value
