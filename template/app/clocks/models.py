from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import INSTALLATION, holds
from app.core.db import Base


class Clock(Base):
    """Goes up with every change of certain tables that processes must notice."""

    __tablename__ = "clocks"
    __data__ = holds(plain="name", kept=INSTALLATION)

    name: Mapped[str] = mapped_column(String(40), unique=True)
    ticks: Mapped[int] = mapped_column(BigInteger)
