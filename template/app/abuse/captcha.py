"""A captcha, checked with the provider that made it: Turnstile of Cloudflare, or hCaptcha.

Only what the provider calls solved is solved: an answer that is missing, used before, made for
another site or for another of our forms is refused, and so is everything while the provider cannot
be reached. The client's address is not passed on to the provider.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.abuse.problems import ChallengeFailed, ChallengeRequired, ChallengeUnavailable
from app.abuse.settings import CaptchaSettings
from app.core import outbound
from app.core.logging import log
from app.core.settings import get_settings

SECONDS = 5.0
LONGEST_ANSWER = 2048
LONGEST_REPLY = 16_384
ANSWER_HEADER = "X-Captcha-Response"
# What the person can do something about. Any other word is about our own settings or their outage.
TO_REPEAT = {
    "missing-input-response",
    "invalid-input-response",
    "timeout-or-duplicate",
    "expired-input-response",
    "already-seen-response",
}


@dataclass(frozen=True)
class Provider:
    """Where its widget comes from, and how it brings its answer."""

    name: str
    script: str
    widget: str
    """The class of the element that becomes the widget."""
    field: str
    """In which field of the form the widget puts its answer."""
    sources: dict[str, str]
    """What the content security policy of a page with the widget lets in, besides our own."""


@dataclass(frozen=True)
class Widget:
    """What a page needs to show it."""

    script: str
    kind: str
    site_key: str
    action: str


PROVIDERS = {
    "turnstile": Provider(
        name="turnstile",
        script="https://challenges.cloudflare.com/turnstile/v0/api.js",
        widget="cf-turnstile",
        field="cf-turnstile-response",
        sources={
            "script-src": "https://challenges.cloudflare.com",
            "frame-src": "https://challenges.cloudflare.com",
        },
    ),
    "hcaptcha": Provider(
        name="hcaptcha",
        script="https://js.hcaptcha.com/1/api.js?recaptchacompat=off",
        widget="h-captcha",
        field="h-captcha-response",
        sources=dict.fromkeys(
            ("script-src", "frame-src", "style-src", "connect-src"),
            "https://hcaptcha.com https://*.hcaptcha.com",
        ),
    ),
}


def provider() -> Provider | None:
    """The one that is set up; None where there is none."""
    return PROVIDERS.get(CaptchaSettings.load().provider)


async def check(by: Provider, answer: str, action: str) -> None:
    """Raise a `Challenge...` unless the provider says that it is solved, now and for us."""
    if not answer:
        raise ChallengeRequired(
            "Many attempts come in that are none of people. Show that you are one: solve the check,"
            " then send the form once more.",
            challenge=told(by, action),
        )
    if len(answer) > LONGEST_ANSWER:
        raise _failed(by, action, "The check was not solved. Solve it once more.")
    settings = CaptchaSettings.load()
    form = {"secret": settings.secret.get_secret_value(), "response": answer}
    if by.name == "hcaptcha":
        form["sitekey"] = settings.site_key
    try:
        reply = await outbound.request(
            "POST",
            settings.address,
            of=settings,
            form=form,
            seconds=SECONDS,
            limit=LONGEST_REPLY,
        )
        said = reply.json()
    except (outbound.OutboundFailed, outbound.OutboundRefused) as error:
        raise _down(by, str(error)) from error
    if not isinstance(said, dict) or not isinstance(said.get("success"), bool):
        raise _down(by, f"status {reply.status} without an answer")
    if not said["success"]:
        codes = said.get("error-codes")
        words = {str(one) for one in codes} if isinstance(codes, list) else set()
        if words and words <= TO_REPEAT:
            raise _failed(by, action, "The check was not solved or is too old. Solve it once more.")
        raise _down(by, ", ".join(sorted(words))[:200] or "no reason")
    if not _is_ours(by, said, action):
        log.warning("captcha.made_elsewhere", provider=by.name)
        raise _failed(by, action, "The check was solved elsewhere. Solve it once more.")


def widget(by: Provider, action: str) -> Widget:
    return Widget(by.script, by.widget, CaptchaSettings.load().site_key, action)


def told(by: Provider, action: str) -> dict[str, str]:
    """How a program that people sit at answers the challenge."""
    return {
        "provider": by.name,
        "site_key": CaptchaSettings.load().site_key,
        "action": action,
        "header": ANSWER_HEADER,
    }


def _failed(by: Provider, action: str, sentence: str) -> ChallengeFailed:
    return ChallengeFailed(sentence, challenge=told(by, action))


def _is_ours(by: Provider, said: dict[str, Any], action: str) -> bool:
    if CaptchaSettings.load().is_test:
        return True  # The providers' own keys for tests name no site.
    if said.get("hostname") != urlsplit(get_settings().public_url).hostname:
        return False
    return by.name != "turnstile" or said.get("action") == action


def _down(by: Provider, why: str) -> ChallengeUnavailable:
    log.error("captcha.unavailable", provider=by.name, why=why)
    return ChallengeUnavailable()
