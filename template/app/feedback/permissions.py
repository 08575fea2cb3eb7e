PERMISSIONS = {"feedback.give": ("member", "reviewer", "admin")}
