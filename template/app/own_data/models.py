from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.data import holds
from app.core.db import Base
from app.core.rotation import encrypted_for


class DataExport(Base):
    """A file with what is held about a person. Row-level security shows it to nobody else."""

    __tablename__ = "data_exports"
    __data__ = holds(plain="state", credentials="content", kept="own_data.forget")
    __table_args__ = (CheckConstraint("state IN ('waiting', 'ready', 'failed')", name="state"),)

    organization_id: Mapped[UUID] = mapped_column(
        ForeignKey("organizations.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    content: Mapped[bytes | None] = mapped_column(info=encrypted_for(), deferred=True)
    """JSON, encrypted; only the role app_auth reads it."""
    size: Mapped[int] = mapped_column(default=0)
    """Bytes of the file."""
    expires_at: Mapped[datetime]
