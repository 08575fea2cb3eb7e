"""A server that checks captchas as Turnstile and hCaptcha do, on a socket."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET, SITE_KEY = "0x4AAAAAAA-a-secret-of-the-test", "0x4AAAAAAA-site"


@dataclass
class CaptchaServer:
    provider: str
    address: str = ""
    hostname: str = "testserver"
    broken: web.Response | None = None
    """Answered in place of any check."""
    seconds: float = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    _solved: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def solve(self, action: str = "sign-in") -> str:
        """What the widget puts into the form when a person solved it."""
        token = f"0.{secrets.token_urlsafe(40)}"
        self._solved[token] = action
        return token

    async def verify(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.seconds)
        form = {str(name): str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        return self.broken or web.json_response(self._answer(form))

    def _answer(self, form: dict[str, str]) -> dict[str, Any]:
        token, turnstile = form.get("response", ""), self.provider == "turnstile"
        if form.get("secret") != SECRET:
            return {"success": False, "error-codes": ["invalid-input-secret"]}
        if not turnstile and form.get("sitekey") != SITE_KEY:
            return {"success": False, "error-codes": ["sitekey-secret-mismatch"]}
        if not token:
            return {"success": False, "error-codes": ["missing-input-response"]}
        if token not in self._solved:
            return {"success": False, "error-codes": ["invalid-input-response"]}
        said = {"challenge_ts": "2026-11-26T01:00:00.000Z", "hostname": self.hostname}
        if turnstile:
            said |= {"error-codes": [], "action": self._solved[token], "cdata": ""}
        if token in self._used:
            # All else is as it was the first time.
            again = "timeout-or-duplicate" if turnstile else "already-seen-response"
            return {"success": False} | said | {"error-codes": [again]}
        self._used.add(token)
        return {"success": True} | said


async def start(provider: str) -> tuple[CaptchaServer, web.AppRunner]:
    made, app = CaptchaServer(provider), web.Application()
    app.router.add_post("/siteverify", made.verify)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.address = f"http://127.0.0.1:{runner.addresses[0][1]}/siteverify"
    return made, runner
