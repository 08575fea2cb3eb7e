"""Documents speak of what is there. test_options.py asks the same of each rendered project."""

import re

import documents
from documents import OURS, SAID, TEMPLATE

# What only shows how something is made, what commands write, and what others read.
ELSEWHERE = re.compile(
    r"(app|tests|evals)/(minutes|notes|recent)\b.*|.*NAME.*|OTHER_RUN|/api/minutes"
    r"|ops/load/(people\.csv|result\.json)|deploy/demo-worker|deploy/chart/cloud-staging\.yaml"
    r"|OTEL_EXPORTER_OTLP_HEADERS|FLAGD_\w+"
)
ROUTES = re.findall(r"^\| `[A-Z]+ (/[^`]+)`", (TEMPLATE / "docs" / "access.md").read_text(), re.M)


def test_what_documents_name_is_there() -> None:
    unknown = [
        f"{one.page}: {one.what}"
        for one in documents.named(TEMPLATE)
        if not (is_there(one.kind, one.what) or ELSEWHERE.fullmatch(one.what))
    ]
    assert not unknown


def is_there(kind: str, what: str) -> bool:
    if kind == "setting":
        return what in documents.where()
    if kind == "route":
        # Others are folders of the machine, parts of an address, words between the tags of a page.
        ours = what.startswith(("/api/", "/admin/"))
        return not ours or any(f"{one}/".startswith(what.rstrip("/") + "/") for one in ROUTES)
    return OURS.it(kind, what)


def test_nothing_is_excused_that_no_document_names() -> None:
    for (page, what), words in SAID.items():
        text = (TEMPLATE / page).read_text(encoding="utf-8")
        assert words in text, page
        assert re.search(what, text), page
