from app.auth.second_factors import Factor

FACTOR = Factor(
    kind="passkey",
    label="Passkey",
    description="Your fingerprint, face or screen lock, or a security key.",
    sign_in_path="/sign-in/second-factor/passkey",
    settings_path="/account/security/passkeys",
    order=10,
)
