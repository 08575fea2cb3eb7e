PERMISSIONS = {
    "feedback.give": ("member", "reviewer", "admin"),
    # What people wrote of answers; the answers themselves stay theirs.
    "feedback.read": ("reviewer", "admin"),
}
