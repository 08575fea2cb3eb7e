PERMISSIONS = {"notes.keep": ("member", "reviewer", "admin")}
