"""What can be switched off while the app runs."""

FLAGS = {"model.assistant": "Answers in conversations."}
