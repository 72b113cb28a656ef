"""The CloudFormation templates of `deploy/aws`, read for tests."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "aws"
# The order in which `docs/deployment.md` creates them; a test compares the two.
STACKS = (
    "key", "network", "lake", "export", "bank", "bastion", "registry", "dagster-storage", "roles",
    "pipeline", "web", "alarms",
)  # fmt: skip

Template = dict[str, Any]


@cache
def _as_json(stack: str) -> str:
    from cfnlint.decode import decode  # takes a second

    read, problems = decode(str(FOLDER / f"{stack}.yaml"))
    assert not problems, problems
    return json.dumps(read)


def template(stack: str) -> Template:
    """A template as plain dictionaries, its short forms written out."""
    plain: Template = json.loads(_as_json(stack))
    return plain


def resources(*types: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Stack, name and body of every resource of these types, in all templates."""
    for stack in STACKS:
        for name, body in template(stack)["Resources"].items():
            if not types or body["Type"] in types:
                yield stack, name, body


def as_list(value: Any) -> list[Any]:
    """What policies may write as one value or as a list."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """A value as text: functions as JSON, `Fn::Sub` as its text with imports by their name."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        found = value["Fn::Sub"]
        if isinstance(found, str):
            return found
        written, names = found
        for name, inner in names.items():
            written = written.replace("${" + name + "}", text(inner))
        return str(written)
    if isinstance(value, dict) and set(value) == {"Fn::ImportValue"}:
        return "<" + text(value["Fn::ImportValue"]).replace("${Deployment}:", "") + ">"
    return json.dumps(value)


def statements(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The policy statements of a role, policy, bucket policy, key policy or endpoint."""
    properties = body["Properties"]
    documents = [properties.get("PolicyDocument"), properties.get("KeyPolicy")]
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    for document in filter(None, documents):
        yield from document["Statement"]


def imports(value: Any) -> Iterator[str]:
    """The names of the exports that a part of a template imports, without the prefix."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Fn::ImportValue":
                yield text(inner).removeprefix("${Deployment}:")
            else:
                yield from imports(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from imports(inner)


def without(read: Template, types: set[str]) -> Template:
    """The template less the resources of these types; what names them gets a placeholder."""
    gone = {name for name, body in read["Resources"].items() if body["Type"] in types}

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(inner) for inner in value]
        if not isinstance(value, dict):
            if isinstance(value, str):
                return re.sub(
                    r"\$\{(\w+)(\.[\w.]+)?\}",
                    lambda found: _left_out(found[1]) if found[1] in gone else found[0],
                    value,
                )
            return value
        if set(value) == {"Ref"} and value["Ref"] in gone:
            return _left_out(value["Ref"])
        if "Fn::GetAtt" in value and as_list(value["Fn::GetAtt"])[0].split(".")[0] in gone:
            return _left_out(as_list(value["Fn::GetAtt"])[0])
        return {key: place(inner) for key, inner in value.items()}

    kept = {name: body for name, body in read["Resources"].items() if name not in gone}
    for body in kept.values():
        left = [name for name in as_list(body.pop("DependsOn", [])) if name not in gone]
        body |= {"DependsOn": left} if left else {}
    placed: Template = place({**read, "Resources": kept})
    return placed


def _left_out(name: str) -> str:
    return f"arn:aws:left-out:eu-central-1:123456789012:{name}"
