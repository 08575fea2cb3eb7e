"""The words around the figures in docs/speed.md."""

PAGE = """# Speed

What the app costs beside what its libraries cost alone, measured side by side in one run by
`template/.venv/bin/python tests/speed/measure.py`: servers on one core, the load client on the
other (sign-ins use all cores on both sides), medians of {rounds} rounds taken in turn. Read the
ratios; absolute figures are those of {machine}.

| What | Floor | App | App against floor | Aim |
| --- | --- | --- | --- | --- |
{rows}

The floors: Copier copying as many plain files; FastAPI with one SQLAlchemy read by primary key on
the same driver; argon2id with the app's parameters on as many threads as cores and nothing else;
the model's server asked directly, and an app that only passes its stream on. The profile is read by
one statement without a transaction, because no more is read than who asks; the organisation is the
usual request, which finds the session and reads a row in one transaction. Every limit, log line
and security header of the app was on; budgets and rate limits were raised so that they refuse
nothing. People sign in from as many addresses as there are people, so each asks the database for its
limits; PostgreSQL and the load client work on the same cores and count against the app.

A sign-in is two statements around one hash (`auth/attempts.py`). Beside the hash it costs about 2 ms
of the event loop, 1 ms of PostgreSQL, half of that for the commit to the disk, and 0.2 ms of the
client, when nothing else runs; next to hashes, which sweep 19 MiB each through the cores' caches, the
same work takes twice as long. So what counts is how often something must wake up.
"""  # noqa: E501
