"""The one way to a language model: `gateway.answer`."""
