"""The second factor that is always offered."""

from app.auth.second_factors import Factor

FACTOR = Factor(
    kind="totp",
    label="Authenticator app",
    description="Any app for one-time codes works.",
    sign_in_path="/sign-in/second-factor?method=totp",
    settings_path="/account/security/authenticator",
    remove_path="/account/security/authenticator/remove",
    order=20,
)
