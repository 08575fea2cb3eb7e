"""Guards for answers. Each file is one guard: `VERSION` and `open_screen(context)`."""
