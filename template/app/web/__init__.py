"""What pages are made of: templates, forms, messages and static files. It knows no other module."""

from app.web.render import render as render
