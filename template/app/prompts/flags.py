"""What can be switched off while the app runs."""

FLAGS = {"model.prompts.shadow": "Candidates that are asked in the shadow, in all prompts."}
