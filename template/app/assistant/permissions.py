PERMISSIONS = {"assistant.use": ("member", "reviewer", "admin")}
MEANINGS = {
    "assistant.use": "Ask the assistant.",
}
