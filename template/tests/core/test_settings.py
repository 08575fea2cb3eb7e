import pytest

from app.access.settings import AccessSettings
from app.core.settings import Settings, UnsafeSettings, refuse_unsafe


def safe_production(configure):
    configure(
        APP_ENV="production",
        SECRET_KEY="k" * 40,
        ENCRYPTION_KEYS="k1:" + "A" * 43 + "=",
        DATABASE_URL="postgresql://app:x@db.example.com/app?sslmode=verify-full",
        DATABASE_OWNER_URL="",
        PUBLIC_URL="https://app.example.com",
        MAIL_BACKEND="smtp",
        MAIL_HOST="mail.example.com",
        MAIL_FROM="hello@example.com",
        PASSWORD_MEMORY_KIB="19456",
        PASSWORD_ROUNDS="2",
        LLM_PROVIDER="openai",
        LLM_FALLBACK_PROVIDER="",
        OPENAI_API_KEY="sk-something",
        STORAGE_FOLDER="/srv/files",
        DOCUMENTS_SCANNER="unix:///run/clamav/clamd.ctl",
        SMS_SENDER="webhook",
        SMS_WEBHOOK_URL="https://sms.example.com",
        SMS_WEBHOOK_SECRET="w" * 40,
        SMS_COUNTRIES='["DE"]',
    )


def test_every_default_works_on_a_laptop(monkeypatch):
    for name in ("PUBLIC_URL", "DATABASE_URL", "DATABASE_OWNER_URL", "APP_ENV"):
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=None).app_env == "development"


def test_production_takes_safe_settings(configure):
    safe_production(configure)
    refuse_unsafe()


@pytest.mark.asvs("13.2.3", "13.4.2")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SECRET_KEY", "", "SECRET_KEY"),
        ("SECRET_KEY", "a-secret-for-laptops-only-that-production-refuses", "SECRET_KEY"),
        ("ENCRYPTION_KEYS", "", "ENCRYPTION_KEYS"),
        ("DATABASE_URL", "", "DATABASE_URL"),
        ("PUBLIC_URL", "http://app.example.com", "PUBLIC_URL"),
        ("DEBUG", "true", "DEBUG"),
    ],
)
def test_production_refuses_what_only_suits_a_laptop(configure, name, value, told):
    safe_production(configure)
    configure(**{name: value})
    with pytest.raises(UnsafeSettings, match=told):
        refuse_unsafe()


@pytest.mark.asvs("15.2.3")
def test_production_refuses_the_stand_ins_of_modules(configure):
    safe_production(configure)
    configure(MAIL_BACKEND="inbox", PASSWORD_MEMORY_KIB="8", SIGN_UP_FIRST_IS_ADMIN="true")
    with pytest.raises(UnsafeSettings) as refusal:
        refuse_unsafe()
    for name in ("MAIL_BACKEND", "PASSWORD_MEMORY_KIB", "SIGN_UP_FIRST_IS_ADMIN"):
        assert name in str(refusal.value)


@pytest.mark.asvs("11.4.2", "11.4.4")
def test_production_refuses_hashes_that_take_little_memory_however_many_rounds(configure):
    safe_production(configure)
    configure(PASSWORD_MEMORY_KIB="64", PASSWORD_ROUNDS="1000")
    with pytest.raises(UnsafeSettings, match="PASSWORD_MEMORY_KIB"):
        refuse_unsafe()


def test_a_misspelt_policy_is_an_error_and_not_no_policy(configure):
    configure(SESSION_SECOND_FACTOR="everybody")
    with pytest.raises(ValueError, match="second_factor"):
        AccessSettings.load()


def test_a_secret_may_end_with_the_line_end_of_its_file(configure):
    configure(SECRET_KEY="k" * 40 + "\n", ENCRYPTION_KEYS="k1:" + "A" * 43 + "=\n")
    assert Settings.load().secret_key.get_secret_value() == "k" * 40
    assert Settings.load().encryption_keys.get_secret_value().endswith("A=")


def test_a_malformed_key_is_refused_without_being_told(configure):
    configure(ENCRYPTION_KEYS="k1:c2hvcnQ=")
    with pytest.raises(ValueError, match="32 bytes") as refusal:
        Settings.load()
    assert "c2hvcnQ" not in str(refusal.value)
