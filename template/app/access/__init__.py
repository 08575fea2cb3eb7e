"""Who is asking and what they may do: sessions, permissions, request forgery."""
