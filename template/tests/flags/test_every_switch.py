import re
from pathlib import Path

from app.flags import service, switches

ROOT = Path(__file__).parent.parent.parent


def test_whatever_calls_a_model_has_its_switch_on_the_page():
    """Who must stop something in a hurry finds its name, and does not guess it."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py")]
    named = re.compile(r'^FEATURE = "([a-z_.]+)"|\bfeature="([a-z_.]+)"', re.MULTILINE)
    found = {one or other for text in sources for one, other in named.findall(text)}
    assert {"prompts.shadow", "cache"} <= found, "each of the two ways to name one"
    missing = {switches.PREFIX + one for one in found} - service.declared().keys()
    assert not missing, "name them in the flags.py of the module that asks the model"
