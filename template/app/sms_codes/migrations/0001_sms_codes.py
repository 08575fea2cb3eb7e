"""Phone numbers, codes and messages: only app_auth sees them."""

import sqlalchemy as sa
from alembic import op

from app.core.row_security import protect_auth

revision = "sms_codes_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def _table(name: str, *columns: sa.Column[object], of_person: bool = True) -> None:
    owner = [sa.Column("user_id", sa.Uuid(), nullable=False)] if of_person else []
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        *owner,
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    if of_person:
        op.create_foreign_key(
            f"fk_{name}_user_id", name, "users", ["user_id"], ["id"], ondelete="CASCADE"
        )
    protect_auth(name)


def upgrade() -> None:
    _table(
        "phone_numbers",
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
    )
    op.create_unique_constraint("uq_phone_numbers_user_id", "phone_numbers", ["user_id"])
    op.create_index("ix_phone_numbers_digest", "phone_numbers", ["digest"])
    _table(
        "sms_codes",
        sa.Column("purpose", sa.String(10), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("number", sa.LargeBinary()),
        sa.Column("as_factor", sa.Boolean(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
    )
    op.create_unique_constraint(
        "uq_sms_codes_user_id_purpose_known", "sms_codes", ["user_id", "purpose", "known"]
    )
    op.create_check_constraint(
        op.f("ck_sms_codes_purpose"), "sms_codes", "purpose IN ('number', 'sign-in', 'proof')"
    )
    _table(
        "sms_messages",
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("number", sa.LargeBinary()),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(200)),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT),
    )
    op.create_check_constraint(
        op.f("ck_sms_messages_status"),
        "sms_messages",
        "status IN ('queued', 'sending', 'sent', 'failed')",
    )
    op.create_index("ix_sms_messages_user_id", "sms_messages", ["user_id"])
    _table(
        "sms_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("country", sa.String(3), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        of_person=False,
    )
    op.create_unique_constraint("uq_sms_days_day_country", "sms_days", ["day", "country"])


def downgrade() -> None:
    for table in ("sms_days", "sms_messages", "sms_codes", "phone_numbers"):
        op.drop_table(table)
