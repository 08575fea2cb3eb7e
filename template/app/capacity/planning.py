"""From people to processes, connections and money. Pure arithmetic, so that it can be tried out.

Where a load test measured what people cost here, its figures are taken; before that, those of
docs of the template, measured on two shared cores.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

PAGES_PER_MINUTE = 4
"""Pages and API requests of one person who is busy."""
CPU_SECONDS_PER_REQUEST = 0.003
CPU_SECONDS_PER_ANSWER = 0.02
SECONDS_PER_ANSWER = 8.0
DATABASE_SECONDS_PER_REQUEST = 0.008
DATABASE_SECONDS_PER_ANSWER = 0.03
BUSY_SHARE = 0.6
"""Of a core at most: beyond it everyone waits for everyone."""
TWICE = 2
"""The peak that is planned for, beside the one that is expected."""
LEAST_PROCESSES = 2
"""One serves while the other is replaced or has died."""
LEAST_CONNECTIONS = 5
LIMIT_CONNECTIONS = 4
WORKER_CONNECTIONS = 4
BUSY_HOURS_PER_MONTH = 4 * 21
INPUT_TOKENS, OUTPUT_TOKENS = 2500, 500


@dataclass(frozen=True)
class Measured:
    """What a load test found, for each person who was busy."""

    people: int
    cpu_seconds_per_second: float | None = None
    """Of all web processes together, for all these people; None where METRICS_URL was not told."""
    seconds_per_answer: float = SECONDS_PER_ANSWER
    passed: bool = True

    @classmethod
    def read(cls, told: dict[str, Any]) -> "Measured":
        """From the file that ops/load/locustfile.py writes. Raises ValueError."""
        try:
            busy = told["cpu_seconds_per_second"]
            found = cls(
                int(told["people"]),
                None if busy is None else float(busy),
                float(told.get("seconds_per_answer") or SECONDS_PER_ANSWER),
                bool(told["passed"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("This is no result of `make load`.") from error
        if found.people < 1 or (busy is not None and float(busy) <= 0):
            raise ValueError("Nobody worked in this load test, or the processor did nothing.")
        return found


@dataclass(frozen=True)
class Plan:
    people: int
    requests_per_second: float
    answers_per_second: float
    streams: int
    cores: float
    """That the web processes keep busy at twice the peak."""
    processes: int
    pool_size: int
    workers: int
    connections: int
    """Of all processes together, as PostgreSQL or its pooler sees them."""
    dollars_per_month: float
    budget: float
    measured: bool

    @property
    def problems(self) -> list[str]:
        found = []
        if self.dollars_per_month > self.budget:
            found.append(
                f"The models would cost ${self.dollars_per_month:,.0f} a month, and the budget is"
                f" ${self.budget:,.0f}: questions will be refused before the month ends."
            )
        if self.connections > 90:
            found.append(
                f"{self.connections} connections are more than PostgreSQL has by itself (100, less"
                " those of operators): put a pooler before it or raise max_connections."
            )
        return found


def plan(
    people: int,
    *,
    calls_per_hour: float,
    dollars_per_call: float,
    budget: float,
    measured: Measured | None = None,
) -> Plan:
    """For so many people at once, planned for twice as many."""
    peak = people * TWICE
    requests = peak * PAGES_PER_MINUTE / 60
    answers = peak * calls_per_hour / 3600
    streaming = measured.seconds_per_answer if measured else SECONDS_PER_ANSWER
    if measured and measured.cpu_seconds_per_second is not None:
        cores = measured.cpu_seconds_per_second / measured.people * peak
    else:
        cores = requests * CPU_SECONDS_PER_REQUEST + answers * CPU_SECONDS_PER_ANSWER
    processes = max(LEAST_PROCESSES, ceil(cores / BUSY_SHARE))
    waiting = requests * DATABASE_SECONDS_PER_REQUEST + answers * DATABASE_SECONDS_PER_ANSWER
    # Work comes in heaps: four times the average keeps waits rare.
    pool = max(LEAST_CONNECTIONS, ceil(4 * waiting / processes) + 2)
    workers = max(LEAST_PROCESSES, ceil(answers / 5))
    connections = processes * (pool + LIMIT_CONNECTIONS) + workers * (pool + WORKER_CONNECTIONS)
    return Plan(
        people=people,
        requests_per_second=requests,
        answers_per_second=answers,
        streams=ceil(answers * streaming),
        cores=cores,
        processes=processes,
        pool_size=pool,
        workers=workers,
        connections=connections,
        dollars_per_month=people * calls_per_hour * BUSY_HOURS_PER_MONTH * dollars_per_call,
        budget=budget,
        measured=measured is not None,
    )
