"""Tokens and money: reserved before a model call, settled after it, stopped at the budget."""
