"""Many people at once, as they were answered: `make load`, docs/load.md.

Twice as many as at peak; each reads pages and asks the model as often as was planned. It fails when
the service levels (SLO_...) do not hold, and writes what it found for `app capacity plan`.
"""

import json
import os
import random
import sys
import time
import urllib.request
from itertools import count
from pathlib import Path

import gevent
from locust import HttpUser, constant_pacing, events, task

from app.core.service_levels import ServiceLevels
from app.core.settings import answers

HERE = Path(__file__).parent
LEVELS = ServiceLevels.load()
SESSIONS = Path(os.environ.get("LOAD_SESSIONS") or HERE / "people.csv")
if not SESSIONS.exists():
    sys.exit(f"{SESSIONS}: nobody is there to work. Make people first: docs/load.md")
PEOPLE = [line.split(",") for line in SESSIONS.read_text("utf-8").split()]
CALLS_PER_HOUR = float(
    os.environ.get("LOAD_CALLS_PER_HOUR", answers()["llm"]["calls_per_person_per_hour"])
)
PAGES_PER_MINUTE = float(os.environ.get("LOAD_PAGES_PER_MINUTE", 4))
PAGES = ["/api/me", "/api/conversations", "/api/usage", "/api/organization"]
QUESTIONS = ["What is a good start?", "How do I write to someone I do not know?", "Why is it so?"]
ENOUGH = int(os.environ.get("LOAD_ANSWERS", 0))
"""After so many answers it ends before its time; 0: never."""
WORD, ANSWER = "first word", "whole answer"
numbers = count()
answered = count(1)
measured = {}


class Someone(HttpUser):
    """Reads, and now and then asks."""

    wait_time = constant_pacing(60 / (PAGES_PER_MINUTE + CALLS_PER_HOUR / 60))

    def on_start(self):
        self.number = next(numbers)
        session, csrf = PEOPLE[self.number % len(PEOPLE)]
        given = {
            "Cookie": f"__Host-session={session}",
            "X-CSRF-Token": csrf,
            "Sec-Fetch-Site": "same-origin",
            # Each from an address of their own, where the app counts one proxy (TRUSTED_PROXIES).
            "X-Forwarded-For": f"10.{self.number >> 16 & 255}.{self.number >> 8 & 255}."
            f"{self.number & 255}",
            "X-Forwarded-Proto": "https",
        }
        self.client.headers.update(given)
        self.conversation = None

    @task(max(1, round(PAGES_PER_MINUTE * 60)))
    def read(self):
        self.client.get(random.choice(PAGES))

    @task(max(1, round(CALLS_PER_HOUR)))
    def ask(self):
        if self.conversation is None:
            made = self.client.post("/api/conversations", json={})
            if made.status_code != 201:
                return
            self.conversation = made.json()["id"]
        began, first = time.perf_counter(), None
        with self.client.post(
            f"/api/conversations/{self.conversation}/messages",
            json={"text": random.choice(QUESTIONS)},
            name="ask",
            stream=True,
            catch_response=True,
        ) as answer:
            told = b""
            for piece in answer.iter_content(None):
                first = first or time.perf_counter()
                told = (told + piece)[-4096:]
            if answer.status_code != 200 or b"event: error" in told:
                answer.failure(f"{answer.status_code}: no answer")
                return
        for name, until in ((WORD, first), (ANSWER, time.perf_counter())):
            events.request.fire(
                request_type="STREAM",
                name=name,
                response_time=(until - began) * 1000,
                response_length=0,
                exception=None,
            )


@events.request.add_listener
def end_when_enough(name, **_):
    if name == ANSWER and next(answered) == ENOUGH:
        gevent.spawn(Someone.runner.quit)  # it ends us, too


def cpu_seconds():
    """Of the web process, as `/metrics` tells; None without METRICS_URL."""
    if not (address := os.environ.get("METRICS_URL")):
        return None
    token = os.environ.get("METRICS_TOKEN", "")
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    for line in urllib.request.urlopen(asked, timeout=10).read().decode().splitlines():
        if line.startswith("process_cpu_seconds_total "):
            return float(line.split()[1])
    return None


@events.test_start.add_listener
def begin(environment, **_):
    Someone.runner = environment.runner
    measured.update(at=time.monotonic(), cpu=cpu_seconds())


def late_share(entries, seconds):
    """The share that took longer."""
    times = [(ms, number) for one in entries for ms, number in one.response_times.items()]
    total = sum(number for _, number in times)
    return sum(number for ms, number in times if ms > seconds * 1000) / total if total else 0.0


@events.test_stop.add_listener
def judge(environment, **_):
    stats = environment.runner.stats.entries.values()
    plain = [one for one in stats if one.method != "STREAM" and one.name != "ask"]
    words = [one for one in stats if one.name == WORD]
    asked = [one for one in stats if one.name == "ask"]
    requests = sum(one.num_requests for one in plain)
    found = {
        "availability": sum(one.num_failures for one in plain) / max(1, requests),
        "latency": late_share(plain, LEVELS.latency_seconds),
        "answers": sum(one.num_failures for one in asked)
        / max(1, sum(one.num_requests for one in asked)),
        "first_token": late_share(words, LEVELS.first_token_seconds),
    }
    broken = {name: bad for name, bad in found.items() if bad > 1 - getattr(LEVELS, name)}
    if not requests:
        broken["availability"] = 1.0
    seconds, cpu = time.monotonic() - measured["at"], cpu_seconds()
    whole = [one for one in stats if one.name == ANSWER]
    told = {
        "people": environment.runner.target_user_count,
        "seconds": round(seconds, 1),
        "requests": requests,
        "bad": found,
        "broken": sorted(broken),
        "passed": not broken,
        "seconds_per_answer": round(whole[0].avg_response_time / 1000, 2) if whole else None,
        "cpu_seconds_per_second": None if cpu is None else (cpu - measured["cpu"]) / seconds,
    }
    path = Path(os.environ.get("LOAD_RESULT", HERE / "result.json"))
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for name, bad in found.items():
        state = "BROKEN" if name in broken else "held"
        print(f"{name:<13} {bad:8.3%} bad of {1 - getattr(LEVELS, name):.1%}: {state}")
    environment.process_exit_code = 1 if broken else 0
