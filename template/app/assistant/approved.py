"""What a conversation says of an approval: to the person, and to the model that goes on."""

import orjson

from app.llm.port import Message, ToolCall
from app.tools import running
from app.tools.models import ToolApproval
from app.tools.registry import tools

SAID = {
    "done": "“{title}” was approved and is done.",
    "failed": "“{title}” was approved, but it failed.",
    "declined": "“{title}” was declined.",
    "expired": "Nobody approved “{title}” in time.",
}
BECAUSE = {
    "not_permitted": "“{title}” was approved, but you may no longer do it.",
    "too_slow": "“{title}” was approved, but it took too long and was stopped.",
    "no_answer": "“{title}” was approved, but the server that it needs gave no usable answer.",
    "interrupted": "“{title}” was approved, but the server stopped while it ran. It is not run"
    " again.",
}
# The question comes along: others may have been asked since then.
TOLD = (
    "[The app: {said} I had asked for it with: “{question}” Its result follows. Go on from there.]"
)
MOST_OF_THE_QUESTION = 1000
# Nine letters and digits: all that one provider takes.
CALL_ID = "approved0"
# No model has signed this call. Google names this word for it; nobody else reads it.
UNSIGNED = "skip_thought_signature_validator"


def title_of(approval: ToolApproval) -> str:
    known = tools().get(approval.tool)
    return known.title if known else approval.tool


def sentence(approval: ToolApproval) -> str:
    """What became of it, in words."""
    words = BECAUSE.get(approval.reason) or SAID[approval.state]
    return words.format(title=title_of(approval))


def told(said: str, question: str) -> str:
    """The question that the model goes on from."""
    return TOLD.format(said=said, question=question[:MOST_OF_THE_QUESTION])


def as_used(approval: ToolApproval) -> tuple[Message, Message]:
    """The tool and what it gave, or why it failed, as if the model had just used it."""
    arguments = orjson.dumps(approval.arguments).decode()
    call = ToolCall(CALL_ID, approval.tool, arguments, signature=UNSIGNED)
    return (
        Message("assistant", "", calls=(call,)),
        Message("tool", _result(approval), result_of=call, failed=approval.state == "failed"),
    )


def _result(approval: ToolApproval) -> str:
    if approval.state == "failed":
        return running.told(approval.state, approval.reason, approval.result)
    return approval.result or "-"


def taints(approval: ToolApproval) -> bool:
    """Whether the result may hold what others have written; a failure is a sentence of ours."""
    known = tools().get(approval.tool)
    return known is None or (known.taints and approval.state == "done")
