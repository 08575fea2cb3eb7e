"""What people wrote is cleaned, and refused when it is empty or too long."""

from dataclasses import replace

from app.guardrails.normalise import clean
from app.llm.call import Call
from app.llm.errors import ContextTooLong, QuestionEmpty, QuestionTooLong
from app.llm.port import Message
from app.llm.settings import LLMSettings


async def before(call: Call) -> None:
    settings = LLMSettings.load()
    messages = list(call.ask.messages)
    for place, message in enumerate(messages):
        if message.role == "user":
            messages[place] = _cleaned(call, place, message, settings.max_input_characters)
        elif message.role == "tool":  # As long as the tools' own settings let it be.
            messages[place] = _cleaned(call, place, message, len(message.content))
    if not any(one.role == "user" and one.content.strip() for one in messages):
        raise QuestionEmpty("There is no question.")
    most = call.ask.max_output_tokens or settings.max_output_tokens
    call.ask = replace(
        call.ask, messages=messages, max_output_tokens=min(most, settings.max_output_tokens)
    )
    call.system_prompt = "\n".join(one.content for one in messages if one.role == "system")
    if call.input_tokens + (call.ask.max_output_tokens or 0) > settings.context_tokens:
        raise ContextTooLong("This conversation is too long for the model.")


def _cleaned(call: Call, place: int, message: Message, longest: int) -> Message:
    if len(message.content) > longest:
        raise QuestionTooLong(f"A message may have {longest:,} characters; this one has more.")
    cleaned = clean(message.content)
    if cleaned.hidden:
        call.hidden[place] = cleaned.hidden
    return message if cleaned.text is message.content else replace(message, content=cleaned.text)
