from app.prompts import files, registry

ESSENTIAL = False  # everything but answers works without


async def check() -> None:
    """Every prompt that the code asks for has a live version whose variables the code offers."""
    for file in files.files():
        if set(registry.live(file.name).variables) - set(file.variables):
            raise RuntimeError(f"The live version of {file.name} wants a value that nobody gives.")
