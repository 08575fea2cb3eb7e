"""May this person use models at all?"""

from app.llm.call import Call
from app.llm.errors import ModelNotPermitted


async def before(call: Call) -> None:
    if "llm.call" not in call.person.permissions:
        raise ModelNotPermitted("Your role does not allow to use the model.")
