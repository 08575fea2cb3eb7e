"""What a model may do: tools, who may use them, and people who approve what is at stake."""
