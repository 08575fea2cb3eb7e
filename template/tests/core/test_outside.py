"""Whom the app may talk to: what settings name, and in production nobody in clear."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import app
from app.core.errors import CannotStart
from app.core.outside import Outside, declared
from app.core.settings import UnsafeSettings, all_settings, refuse_unsafe
from app.modules import has
from tests.core.test_settings import safe_production

HAS_TEXTS = has("sms_codes")
# The only files that open connections, apart from those to the database.
CLIENTS = {
    "core/outbound.py": "calls what is declared",
    "core/health.py": "knocks where the settings say and sends nothing",
    "llm/http.py": "the model provider's connections",
    "storage/s3.py": "the S3 server's",
    "backup/elsewhere.py": "the place for copies of backups",
    "storage/role.py": "its credentials, from addresses of the cloud that stand there",
    "documents/scanner.py": "the virus scanner's",
    "mail/smtp.py": "the mail server's",
    "dev.py": "looks for a free port on a laptop",
}
CLIENT = re.compile(
    r"\b(ClientSession|open_connection|open_unix_connection|create_connection|aiosmtplib|smtplib"
    r"|urlopen|urllib3?\.request|http\.client|httpx2?|import requests|import socket|websockets"
    r"|paramiko|boto3)\b"
)


@pytest.mark.asvs("13.1.1", "13.2.4")
def test_no_other_file_opens_connections():
    root = Path(app.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if CLIENT.search(path.read_text(encoding="utf-8"))
    }
    assert found <= set(CLIENTS), "Call `core.outbound.request`, and declare the server."


def refusals(configure, **changed) -> str:
    safe_production(configure)
    configure(**changed)
    with pytest.raises(UnsafeSettings) as refusal:
        refuse_unsafe()
    return str(refusal.value)


@pytest.mark.asvs("12.3.1")
@pytest.mark.parametrize(
    "query", ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require", "?sslmode=verify-ca"]
)
def test_production_wants_a_database_that_proves_its_name(configure, query):
    url = f"postgresql://app:hush@db.example.com/app{query}"
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "JOBS_DATABASE_URL"):
        told = refusals(configure, **{name: url})
        assert f"{name}: db.example.com" in told
        assert "hush" not in told
        configure(**{name: "postgresql://app:hush@db.example.com/app?sslmode=verify-full"})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:x@db.example.com/app?sslmode=verify-full",
        "postgresql+psycopg://app:x@db.example.com/app?sslmode=verify-full",
        "postgresql://app:x@127.0.0.1/app",
        "postgresql://app:x@[::1]:5433/app",
        "postgresql:///app?host=/run/postgresql",
        "postgresql://app:x@db.inside/app",
    ],
)
def test_production_takes_a_safe_way_to_the_database(configure, url):
    safe_production(configure)
    configure(DATABASE_URL=url, UNENCRYPTED_HOSTS='["db.inside"]')
    refuse_unsafe()


def test_every_one_of_several_databases_is_looked_at(configure):
    url = "postgresql://app:x@db.inside,db.example.com/app?sslmode=require"
    told = refusals(configure, DATABASE_URL=url, UNENCRYPTED_HOSTS='["db.inside"]')
    assert "db.example.com" in told
    assert "db.inside" not in told


def test_an_address_that_cannot_be_read_is_not_told(configure):
    safe_production(configure)
    configure(DATABASE_URL="app hush@db")
    with pytest.raises(CannotStart, match="DATABASE_URL") as refusal:
        refuse_unsafe()
    assert "hush" not in str(refusal.value)


@pytest.mark.asvs("12.3.1")
def test_production_wants_mail_models_and_texts_by_tls(configure):
    told = refusals(configure, MAIL_TLS="none")
    assert "MAIL_TLS" in told
    configure(MAIL_TLS="starttls")
    told = refusals(
        configure, LLM_PROVIDER="vllm", LLM_BASE_URL="http://gpu.example.com/v1", LLM_MODEL="m"
    )
    assert "LLM_BASE_URL: gpu.example.com" in told
    configure(LLM_BASE_URL="http://localhost:8000/v1")
    refuse_unsafe()
    configure(LLM_BASE_URL="http://gpu.inside/v1", UNENCRYPTED_HOSTS='["gpu.inside"]')
    refuse_unsafe()
    if HAS_TEXTS:
        assert "SMS_WEBHOOK_URL" in refusals(configure, SMS_WEBHOOK_URL="http://sms.example.com")


@pytest.mark.parametrize(
    ("url", "is_declared"),
    [
        ("https://a.example/other/path?q=1", True),
        ("https://A.EXAMPLE:443/", True),
        ("https://a.example:444/", False),
        ("http://a.example/", False),
        ("https://a.example.evil/", False),
        ("https://b.a.example/", False),
        ("https://evil/a.example", False),
        ("https://a.example@evil/", False),
    ],
)
def test_a_server_is_declared_by_scheme_host_and_port(url, is_declared):
    assert declared(url, [Outside("a", "", "", ("https://a.example/v1",))]) is is_declared


def test_what_is_not_in_use_is_not_called(configure):
    configure(SMS_SENDER="stand_in", MAIL_BACKEND="inbox", LLM_PROVIDER="stand_in")
    services = [one for kind in all_settings() for one in kind.outside()]
    in_use = {one.setting for one in services if one.addresses}
    assert in_use <= {"DATABASE_URL", "DATABASE_OWNER_URL"}


@pytest.mark.parametrize("provider", ["openai", "azure", "compatible", "ollama", "vllm"])
def test_the_model_that_is_asked_is_the_one_that_is_declared(configure, provider):
    if find_spec(f"app.llm.providers.{provider}") is None:
        pytest.skip("another provider was chosen")
    from app.llm.providers import load
    from app.llm.settings import LLMSettings

    for address in ("https://model.example/v1", ""):
        configure(LLM_PROVIDER=provider, LLM_API_KEY="k", LLM_MODEL="m", LLM_BASE_URL=address or "")
        settings = LLMSettings.load()
        if not settings.lacking:
            service, *_ = settings.outside()
            assert service.addresses == (load(provider).create(settings).address,)
