"""Reviewers read what others asked and were answered, once they have claimed it."""

PERMISSIONS = {
    "review.work": ("reviewer", "admin"),
    "review.ask": ("member", "reviewer", "admin"),
}
