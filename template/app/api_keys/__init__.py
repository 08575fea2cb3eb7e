"""Keys with which programs of a person call the API."""
