"""Which model providers are left alone at the moment, for all processes to see."""

from datetime import datetime

from sqlalchemy.orm import Mapped

from app.core.data import holds
from app.core.db import Base


class Rest(Base):
    """A provider that is left alone until a moment. Its row goes when it answers again.

    The id follows from provider, model and address. Unlogged: a crash may forget it.
    """

    __tablename__ = "llm_rests"
    __data__ = holds(kept="llm.forget_rests")
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012

    until: Mapped[datetime]
    times: Mapped[int]
    """How often in a row it was found unwell."""
