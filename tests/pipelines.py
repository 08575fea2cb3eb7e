"""What is wrong with a pipeline file, for all three systems; files in, sentences out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dekobon_tree_sitter_groovy
import tree_sitter
import yaml
from conftest import ROOT

TEMPLATE = ROOT / "template"
SHIP = TEMPLATE / "scripts" / "ship"
GITLAB = TEMPLATE / ".gitlab-ci.yml"
JENKINS = TEMPLATE / "Jenkinsfile"
# Written out as `uses: OWNER/NAME@SHA # vN.N.N`.
PINNED = re.compile(r"uses: (?:\./\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")
RECIPE = re.compile(r"\bmake ([a-z][a-z-]*)")
GROOVY = tree_sitter.Language(dekobon_tree_sitter_groovy.language())


def run(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    program, *rest = words
    found = Path(sys.executable).parent / program
    return subprocess.run([found, *rest], capture_output=True, text=True, check=False, **options)


def recipes(text: str) -> set[str]:
    """What a pipeline asks make for; comments ask for nothing."""
    lines = [re.sub(r"(^|\s)(#|//) .*", "", line) for line in text.splitlines()]
    return set(RECIPE.findall("\n".join(lines))) - {"build"}


def of_make(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def _halfway(text: str) -> Iterator[str]:
    """Where a release may stand beside the old version and nobody brings it to people."""
    for where in re.findall(r"make deploy TO=(\w+)", text):
        if not re.search(rf"make deploy TO={where}\b.*make promote TO={where}\b", text, re.DOTALL):
            yield f"{where} gets a version that nobody promotes"


def github(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    yield from _halfway(text)
    for line in text.splitlines():
        if "uses:" in line and not PINNED.search(line.rstrip()):
            yield f"{path.name}: not pinned: {line.strip()}"
    workflow = yaml.safe_load(text)
    if workflow.get("permissions") != {"contents": "read"}:
        yield f"{path.name}: the token may more than read"
    if "concurrency" not in workflow:
        yield f"{path.name}: two may run at once"
    jobs = workflow["jobs"]
    for name, job in jobs.items():
        where = f"{path.name}: {name}"
        if "timeout-minutes" not in job:
            yield f"{where} has no end"
        for right, value in job.get("permissions", {}).items():
            if value == "write" and f"{right}: write" not in ("packages: write", "id-token: write"):
                yield f"{where} may write {right}"
        needs = job.get("needs", [])
        for needed in [needs] if isinstance(needs, str) else needs:
            if needed not in jobs:
                yield f"{where} needs {needed}, which is not there"
        for step in job["steps"]:
            if "${{" in str(step.get("run", "")):
                yield f"{where} puts what others wrote into a shell"
            given = step.get("with", {}).get("persist-credentials")
            if "checkout" in step.get("uses", "") and given is not False:
                yield f"{where} leaves a token behind"
        if "make deploy" in str(job["steps"]) and "environment" not in job:
            yield f"{where} deploys and nobody said yes"
        if re.search(r"make (deploy|rollback)\b", str(job["steps"])) and (
            "cosign-installer" not in str(job["steps"])
            or job["permissions"].get("packages") is None
        ):
            yield f"{where} cannot look at the signature"


def gitlab(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    yield from _halfway(text)
    pipeline: dict[str, Any] = yaml.safe_load(text)
    kept = {"stages", "workflow", "default", "variables", "include"}
    jobs = {name: job for name, job in pipeline.items() if name not in kept}
    for name, job in jobs.items():
        if (parent := job.get("extends")) and parent not in jobs:
            yield f"{name} extends {parent}, which is not there"
        for needed in job.get("needs", []):
            if needed not in jobs:
                yield f"{name} needs {needed}, which is not there"
        whole = jobs.get(job.get("extends", ""), {}) | job
        if name.startswith("."):
            continue
        if whole.get("stage", "test") not in pipeline["stages"]:
            yield f"{name} is in no stage"
        if "script" not in whole:
            yield f"{name} does nothing"
        image = str(whole.get("image", pipeline["default"]["image"]))
        if (":" not in image and not image.startswith("$")) or image.endswith(":latest"):
            yield f"{name} takes any image: {image}"
        if "TO=production" in str(whole["script"]):
            if not any(rule.get("when") == "manual" for rule in whole.get("rules", [])):
                yield f"{name} reaches production and nobody said yes"
            if "environment" not in whole:
                yield f"{name} names no environment"
        alone = str(whole.get("resource_group", "$"))
        if re.search(r"make (deploy|rollback)\b", str(whole["script"])) and alone.startswith("$"):
            yield f"{name} may run twice at once"


def jenkins(path: Path) -> Iterator[str]:
    """Its Groovy, and where production comes in the order; only a Jenkins knows all the rest."""
    source = path.read_text(encoding="utf-8")
    yield from _halfway(source)
    stack = [tree_sitter.Parser(GROOVY).parse(source.encode()).root_node]
    while stack:
        node = stack.pop()
        if node.type == "ERROR" or node.is_missing:
            yield f"line {node.start_point[0] + 1} is no Groovy"
        stack += node.children
    if "agent none" not in source:
        yield "waiting for a person keeps an agent"
    before, _, _ = source.partition("make deploy TO=production")
    if "input(" not in before:
        yield "production is reached and nobody said yes"
    for match in re.finditer(r"sh \"[^\"]*\$\{", source):
        yield f"Groovy writes a value into a shell: {match[0]}"
    inner = re.split(r"\n\s*stage\('", source)[1:]
    for stage in inner:
        name = stage.partition("'")[0]
        if not re.search(r"\bsteps \{|\bparallel \{", stage):
            yield f"{name} does nothing"
        if "sh '" in stage and "agent {" not in stage:
            yield f"{name} runs nowhere"
        ours = re.search(r"buildingTag\(\)|\{ params\.ROLLBACK|CHANGE_FORK", stage)
        if "credentials(" in stage and not ours:
            yield f"{name} hands a secret to what strangers propose"
