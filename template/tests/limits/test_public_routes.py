"""Whatever a stranger may change is limited by address, not only as one request among all."""

import pytest

from app.access.access import Public, markers, routes

MOST = 160  # More than the widest of these limits, with what comes back meanwhile.


@pytest.mark.dear
@pytest.mark.asvs("2.4.1")
async def test_a_stranger_cannot_go_on_trying_at_any_route(app, new_browser):
    open_routes = [
        (method, route.path)
        for route in routes(app)
        if all(isinstance(one, Public) for one in markers(route))
        for method in (route.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    ]
    assert len(open_routes) >= 5
    unlimited = []
    for method, path in open_routes:
        async with new_browser() as browser:
            address = path.replace("{token}", "x" * 43)
            for _ in range(MOST):
                browser.cookies.clear()  # without them no token against forgery is asked for
                last = await browser.request(method, address, json={})
                if last.status_code == 429:
                    break
        if last.status_code != 429:
            unlimited.append((method, path, last.status_code))
    assert unlimited == []
