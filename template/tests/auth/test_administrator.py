import pytest

from app.auth import administrator
from app.core.errors import Invalid


async def test_an_administrator_has_an_address_and_a_name():
    password = "a lantern under seven bridges"
    for email, name, said in (
        ("nonsense", "Ada", "no e-mail address"),
        ("ada@example.com", "  ", "1 to 120 letters"),
    ):
        with pytest.raises(Invalid, match=said):
            await administrator.create(email, name, password)
        assert not await administrator.exists(email)
