"""Short-lived access tokens for programs that people sign in to, such as a mobile app."""
