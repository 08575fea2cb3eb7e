"""What a provider can do wrong, by when it does it: arguments of `Behaviour`, and what is told.

An answer is `answered` all the same, `cut` after some words, `withheld` by a guard, or there is
`none`.
"""

from typing import Any

from tests.chaos.invariants import ORDERS, SECRET
from tests.llm.behaviour import WORDS

Fault = tuple[dict[str, Any], str]

GAP = {"gap": 0.002}
"""So that words arrive before what ends them."""
MEGABYTE = "word " * 200_000

BEFORE: dict[str, Fault] = {
    "slow": ({"first_after": 30}, "none"),
    "hangs": ({"silent": True}, "none"),
    "throttles": ({"status": 429, "headers": {"Retry-After": "30"}}, "none"),
    "is down": ({"status": 500}, "none"),
    "says a megabyte of error": ({"status": 500, "error": MEGABYTE.encode()}, "none"),
    "refuses the key": ({"status": 401}, "none"),
    "is something else": ({"content_type": "text/html"}, "none"),
    "cuts": ({"cut_after": 0} | GAP, "none"),
    "sends no JSON": ({"garbage_after": 0}, "none"),
    "gives up": ({"error_after": 0}, "none"),
}
MIDDLE: dict[str, Fault] = {
    "hangs": ({"hang_after": 5} | GAP, "cut"),
    "is slow": ({"words": WORDS * 100, "gap": 0.1}, "cut"),
    "cuts": ({"cut_after": 5, "gap": 0.02}, "cut"),
    "sends no JSON": ({"garbage_after": 5, "gap": 0.02}, "cut"),
    "gives up": ({"error_after": 5, "gap": 0.02}, "cut"),
    "says a secret": ({"words": ("It is ", SECRET[:20], SECRET[20:], " as I said.")}, "answered"),
    "says its orders": ({"words": ("Gladly: ", *ORDERS.splitlines(keepends=True))}, "withheld"),
    "never ends": ({"words": (MEGABYTE,) * 20}, "answered"),
}
END: dict[str, Fault] = {
    "hangs": ({"end_after": 30}, "cut"),
    "leaves the end out": ({"finish": None, "done": False}, "cut"),
    "lies high": ({"usage": (10**9, 10**9)}, "answered"),
    "lies low": ({"usage": (0, 0)}, "answered"),
    "says no number": ({"usage": {"prompt_tokens": "many"}}, "answered"),
    "tells no usage": ({"usage": None}, "answered"),
    "asks for a tool that nobody offered": (
        {"calls": (("shell", "{}"),), "finish": "tool_calls"},
        "answered",
    ),
}
PLACES = {"before": BEFORE, "middle": MIDDLE, "end": END}
ALL = [
    (place, name, behaviour, fate)
    for place, faults in PLACES.items()
    for name, (behaviour, fate) in faults.items()
]
