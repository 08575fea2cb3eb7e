PERMISSIONS = {"assistant.use": ("member", "reviewer", "admin")}
