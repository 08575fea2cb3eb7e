"""What things are called where people read of them."""

KINDS = {
    "stuffing": "many logins tried at one place",
    "spraying": "many logins tried everywhere",
    "sign-up-flood": "a flood of sign-ups",
    "scraping": "someone reads far more than people do",
    "extraction": "far too many different questions to the model",
    "lockout": "wrong passwords at one login",
}
MEASURES = {"slow": "slowed", "challenge": "challenged", "suspend": "suspended"}
