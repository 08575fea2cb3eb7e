PERMISSIONS = {
    "feedback.give": ("member", "reviewer", "admin"),
    # What people wrote of answers; the answers themselves stay theirs.
    "feedback.read": ("reviewer", "admin"),
}
MEANINGS = {
    "feedback.give": "Give answers a thumb and a comment.",
    "feedback.read": "Read what people said of answers.",
}
