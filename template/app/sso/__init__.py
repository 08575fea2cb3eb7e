"""Sign in with an account elsewhere: OpenID Connect, and GitHub's OAuth."""
