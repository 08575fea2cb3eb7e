from app.storage import service

ESSENTIAL = False  # answers and pages work without files

check = service.check
