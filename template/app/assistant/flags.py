"""What can be switched off while the app runs."""

FLAGS = {
    "model.assistant": "Answers in conversations.",
    "model.assistant.went_on": "Answers that go on by themselves after an approval.",
    "model.assistant.title": "Titles that a model suggests; people write their own all the same.",
    "model.assistant.memory": "Summaries of older messages; without them they are left out.",
}
