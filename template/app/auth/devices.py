"""What a session was started with, in words that a person recognises."""

# Browsers name their ancestors too, so the order counts: the youngest name is the true one.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def device_name(user_agent: str) -> str:
    """`Firefox on Linux`; programs by the name they give."""
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "")
    if browser:
        return f"{browser} on {system}" if system else browser
    return user_agent.split("/")[0].strip()[:40] or "Unknown device"
