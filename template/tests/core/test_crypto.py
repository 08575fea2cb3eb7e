import pytest

from app.core import crypto
from app.core.ids import uuid7


@pytest.fixture
def keys(configure):
    def use(line):
        configure(ENCRYPTION_KEYS=line)
        crypto._keyring.cache_clear()

    yield use
    crypto._keyring.cache_clear()


@pytest.mark.asvs("11.3.2")
def test_a_text_comes_back_only_in_its_own_place():
    blob = crypto.encrypt("JBSWY3DP", "totp.secret:1")
    assert b"JBSWY3DP" not in blob
    assert crypto.decrypt(blob, "totp.secret:1") == "JBSWY3DP"
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(blob, "totp.secret:2")


@pytest.mark.asvs("11.3.1", "11.3.3")
@pytest.mark.parametrize("place", [0, 1, 10, 20, -1])
def test_a_changed_ciphertext_is_refused(place):
    blob = bytearray(crypto.encrypt("text", "here"))
    blob[place] ^= 1
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(bytes(blob), "here")


@pytest.mark.asvs("11.2.2")
def test_old_keys_decrypt_and_the_first_one_encrypts(keys):
    old, new = crypto.new_key(), crypto.new_key()
    keys(old)
    blob = crypto.encrypt("text", "here")
    keys(f"{new},{old}")
    assert crypto.decrypt(blob, "here") == "text"
    assert crypto.encrypt("text", "here")[1:].startswith(new.partition(":")[0].encode())
    keys(new)
    with pytest.raises(crypto.Undecipherable):
        crypto.decrypt(blob, "here")


def test_digests_of_two_purposes_differ():
    assert crypto.keyed_digest("x", "one") != crypto.keyed_digest("x", "two")


def test_ids_sort_by_birth_and_say_their_version():
    ids = [uuid7() for _ in range(50)]
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for one in ids)
    assert len(set(ids)) == 50
    assert ids[0].int >> 80 <= ids[-1].int >> 80


def opened(blob, context, size):
    first, *rest = [blob[at : at + size] for at in range(0, len(blob), size)]
    opening = crypto.Opening(first, context)
    text = b"".join([*map(opening.opened, rest), opening.opened()])
    opening.finish()
    return text.decode()


@pytest.mark.parametrize("size", [60, 61, 75, 76, 77, 1000, 5000])
@pytest.mark.parametrize("text", ["", "é", "kept " * 200])
def test_piece_by_piece_it_is_the_same_text(size, text):
    assert opened(crypto.encrypt(text, "here"), "here", size) == text


@pytest.mark.asvs("11.3.3")
@pytest.mark.parametrize("place", [0, 1, 10, 20, 500, -1])
def test_piece_by_piece_a_changed_ciphertext_is_refused(place):
    whole = crypto.encrypt("kept " * 200, "here")
    blob = bytearray(whole)
    blob[place] ^= 1
    for wrong, context in ((bytes(blob), "here"), (whole, "there"), (whole[:-1], "here")):
        with pytest.raises(crypto.Undecipherable):
            opened(wrong, context, 100)
    for short in (b"", whole[:8], whole[:15]):
        with pytest.raises(crypto.Undecipherable):
            opened(short or b"\0", "here", 100)
