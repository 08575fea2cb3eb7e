"""Reviewers read what others asked and were answered, once they have claimed it."""

PERMISSIONS = {
    "review.work": ("reviewer", "admin"),
    "review.ask": ("member", "reviewer", "admin"),
}
MEANINGS = {
    "review.work": "Look at answers that wait for a person, and at what was asked.",
    "review.ask": "Ask that a person looks at an answer.",
}
