"""The factory that `app serve` calls: the app, made while the garbage collector is out of the way.

What a start makes stays, so looking for garbage in it took a fifth of the start and finds nothing.
Later the collector leaves it alone too, and has only to look at what requests leave behind.
"""

import gc

gc.disable()

from fastapi import FastAPI  # noqa: E402

from app import main  # noqa: E402
from app.modules import parts  # noqa: E402


def create_app() -> FastAPI:
    app = main.create_app()
    parts("lifespan")  # so that what they import is made by now
    gc.freeze()
    gc.enable()
    return app
