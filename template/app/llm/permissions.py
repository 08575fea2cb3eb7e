"""Who may use models at all. What a feature does with them has permissions of its own."""

PERMISSIONS = {"llm.call": ("member", "reviewer", "admin")}
MEANINGS = {
    "llm.call": "Use language models at all.",
}
