"""Prompts, their versions, labels and moves. Only app_auth writes; nothing changes a version."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.clocks.triggers import tick

revision = "prompts_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
LABEL = "label IN ('draft', 'candidate', 'live')"
NAMES = postgresql.ARRAY(sa.String(40))


def upgrade() -> None:
    _create(
        "prompts",
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("purpose", sa.String(500), nullable=False),
        sa.Column("variables", NAMES, nullable=False),
        sa.UniqueConstraint("name", name="uq_prompts_name"),
    )
    _create(
        "prompt_versions",
        _reference("prompt_id", "prompt_versions", "prompts"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("variables", NAMES, nullable=False),
        sa.Column("rationale", sa.String(2000), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        _reference("author_id", "prompt_versions", "users"),
        sa.Column("from_file", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("prompt_id", "number", name="uq_prompt_versions_prompt_id_number"),
    )
    _create(
        "prompt_labels",
        _reference("prompt_id", "prompt_labels", "prompts"),
        sa.Column("label", sa.String(10), nullable=False),
        _reference("version_id", "prompt_labels", "prompt_versions"),
        sa.Column("by_file", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("prompt_id", "label", name="uq_prompt_labels_prompt_id_label"),
        sa.CheckConstraint(LABEL, name="ck_prompt_labels_label"),
    )
    _create(
        "prompt_moves",
        _reference("prompt_id", "prompt_moves", "prompts"),
        sa.Column("label", sa.String(10), nullable=False),
        _reference("version_id", "prompt_moves", "prompt_versions"),
        _reference("moved_by", "prompt_moves", "users"),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("gate", sa.String(10), nullable=False),
        sa.CheckConstraint(LABEL, name="ck_prompt_moves_label"),
        sa.CheckConstraint(
            "gate IN ('', 'passed', 'overridden', 'returned', 'file')", name="ck_prompt_moves_gate"
        ),
    )
    op.create_index(
        "ix_prompt_moves_prompt_id", "prompt_moves", ["prompt_id", sa.text("created_at DESC")]
    )
    _create(
        "prompt_experiments",
        _reference("prompt_id", "prompt_experiments", "prompts"),
        _reference("control_id", "prompt_experiments", "prompt_versions"),
        _reference("candidate_id", "prompt_experiments", "prompt_versions"),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("hypothesis", sa.String(2000), nullable=False),
        sa.Column("effect", sa.Float(), nullable=False),
        _reference("started_by", "prompt_experiments", "users"),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_because", sa.String(2000), nullable=False),
        sa.CheckConstraint("percent BETWEEN 1 AND 99", name="ck_prompt_experiments_percent"),
    )
    op.create_index(
        "uq_prompt_experiments_running",
        "prompt_experiments",
        ["prompt_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _create_shadows()
    _rights()
    tick("prompts", "prompts", "prompt_labels", "prompt_experiments", "prompt_shadows")


def _create_shadows() -> None:
    _create(
        "prompt_shadows",
        _reference("prompt_id", "prompt_shadows", "prompts"),
        _reference("candidate_id", "prompt_shadows", "prompt_versions"),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("microdollars_per_day", sa.BigInteger(), nullable=False),
        _reference("started_by", "prompt_shadows", "users"),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_because", sa.String(2000), nullable=False),
        sa.CheckConstraint("percent BETWEEN 1 AND 100", name="ck_prompt_shadows_percent"),
    )
    op.create_index(
        "uq_prompt_shadows_running",
        "prompt_shadows",
        ["prompt_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    _create(
        "prompt_shadow_answers",
        _reference("shadow_id", "prompt_shadow_answers", "prompt_shadows"),
        sa.Column("outcome", sa.String(20), nullable=False),
        sa.Column("similarity", sa.Float()),
        sa.Column("shown_words", sa.Integer(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("microdollars", sa.BigInteger(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
    )
    op.create_index(
        "ix_prompt_shadow_answers_shadow_id", "prompt_shadow_answers", ["shadow_id", "created_at"]
    )


def _rights() -> None:
    for table, rights in {
        "prompts": "SELECT, INSERT, UPDATE",
        "prompt_versions": "SELECT, INSERT",
        "prompt_labels": "SELECT, INSERT, UPDATE",
        "prompt_moves": "SELECT, INSERT",
        "prompt_experiments": "SELECT, INSERT, UPDATE (ended_at, ended_because)",
        "prompt_shadows": "SELECT, INSERT, UPDATE (ended_at, ended_because)",
        "prompt_shadow_answers": "SELECT, INSERT",
    }.items():
        op.execute(f"GRANT SELECT ON {table} TO app")
        op.execute(f"GRANT {rights} ON {table} TO app_auth")


def _create(table: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.func.now(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )


def _reference(name: str, table: str, to: str) -> sa.Column[object]:
    to_person = to == "users"
    key = sa.ForeignKey(
        f"{to}.id", name=f"fk_{table}_{name}", ondelete="SET NULL" if to_person else None
    )
    return sa.Column(name, sa.Uuid(), key, nullable=to_person)


def downgrade() -> None:
    for table in (
        "prompt_shadow_answers",
        "prompt_shadows",
        "prompt_experiments",
        "prompt_moves",
        "prompt_labels",
        "prompt_versions",
        "prompts",
    ):
        op.drop_table(table)
