"""What can be switched off while the app runs."""

FLAGS = {
    "model.cache": "Answers that were given before; switching it off empties the cache.",
    "model.cache.check": "Asking once more for answers that were given again, to see if they hold.",
}
