"""Features that another model answers than all others, by the settings that name it."""

from collections.abc import Callable, Mapping

from app.llm.access import Access
from app.monitoring.judging import FEATURE
from app.monitoring.settings import JudgeSettings

FEATURES: Mapping[str, Callable[[], Access]] = {FEATURE: JudgeSettings.load}
