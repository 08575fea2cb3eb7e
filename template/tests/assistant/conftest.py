"""Who asks, and the model provider that answers: fixtures of tests/asking.py."""

from tests.asking import browser, browser_of, live_browser, model

__all__ = ["browser", "browser_of", "live_browser", "model"]
