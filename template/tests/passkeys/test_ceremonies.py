"""Whatever bytes arrive: they are accepted when they are right, and refused in one way when not."""

import copy
import random
from contextlib import suppress

import cbor2
import pytest
from pydantic import ValidationError

from app.passkeys import ceremonies
from app.passkeys.ceremonies import PasskeyRefused
from app.passkeys.schemas import Assertion, Attestation
from tests.passkeys.soft_authenticator import EDDSA, ES256, RS256, SoftAuthenticator, data, text

CHALLENGE = b"c" * 32


def created(authenticator, **more):
    options = ceremonies.to_create(
        CHALLENGE, handle=b"h" * 32, email="ada@example.com", display_name="Ada", have=[]
    )
    return authenticator.create(options, **more)


def new_key(answer):
    return ceremonies.new_key(Attestation.model_validate(answer), CHALLENGE)


def counter_of(answer, key):
    return ceremonies.counter_of(Assertion.model_validate(answer), CHALLENGE, key.public_key)


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_each_kind_of_key_signs_and_no_other_passes_for_it(algorithm):
    authenticator, other = SoftAuthenticator(algorithm=algorithm), SoftAuthenticator()
    key, another = new_key(created(authenticator)), new_key(created(other))
    answer = authenticator.get(ceremonies.to_get(CHALLENGE))
    assert counter_of(answer, key) == 1
    with pytest.raises(PasskeyRefused):
        counter_of(answer, another)


def test_a_new_key_comes_from_our_page_for_our_name_and_from_its_checked_owner():
    for wrong in (
        created(SoftAuthenticator(), origin="https://testserver.example.com"),
        created(SoftAuthenticator(verified=False)),
        ceremonies_for("elsewhere.example.com"),
    ):
        with pytest.raises(PasskeyRefused):
            new_key(wrong)


def ceremonies_for(rp_id):
    options = ceremonies.to_create(CHALLENGE, handle=b"h", email="a", display_name="b", have=[])
    return SoftAuthenticator().create(options | {"rp": {"id": rp_id, "name": "Elsewhere"}})


def test_a_key_that_nobody_can_sign_with_is_refused_at_once():
    answer = created(SoftAuthenticator())
    told = cbor2.loads(data(answer["response"]["attestationObject"]))
    start = 37 + 16 + 2 + 32
    off_the_curve = cbor2.dumps({1: 2, 3: ES256, -1: 1, -2: b"x" * 32, -3: b"y" * 32})
    told["authData"] = told["authData"][:start] + off_the_curve
    answer["response"]["attestationObject"] = text(cbor2.dumps(told))
    with pytest.raises(PasskeyRefused):
        new_key(answer)


@pytest.mark.parametrize(
    "told", [b"[" * 3900, b"{}", b"null", b"1", b"\xff", b'{"challenge": 1}', b"9" * 5000]
)
def test_client_data_of_any_shape_is_refused(told):
    answer = created(SoftAuthenticator())
    answer["response"]["clientDataJSON"] = text(told)
    with pytest.raises((PasskeyRefused, ValidationError)):
        ceremonies.challenge_in(Attestation.model_validate(answer))
    with pytest.raises((PasskeyRefused, ValidationError)):
        new_key(answer)


JUNK = [None, -1, 1.5, "x", b"", b"x", [], [1], {}, {1: 1}, {1: [], 3: {}}, 2**70, cbor2.undefined]
FORMATS = ["none", "packed", "tpm", "android-key", "android-safetynet", "fido-u2f", "apple", 1]


def test_attestations_of_any_shape_are_refused_in_the_same_way():
    answer = created(SoftAuthenticator())
    good = cbor2.loads(data(answer["response"]["attestationObject"]))
    start = 37 + 16 + 2 + 32
    shapes = [
        *JUNK,
        *({**good, "authData": good["authData"][:start] + cbor2.dumps(j)} for j in JUNK),
    ]
    for one in JUNK:
        shapes += [{**good, name: one} for name in ("fmt", "authData")]
        for kind in FORMATS[1:]:
            inner = {"alg": -7, "sig": b"x", "x5c": [one], "ver": "2.0", "certInfo": one}
            shapes += [{**good, "fmt": kind, "attStmt": shape} for shape in (one, inner)]
    for shape in shapes:
        answer["response"]["attestationObject"] = text(cbor2.dumps(shape))
        with pytest.raises(PasskeyRefused):
            new_key(answer)


def test_bytes_that_changed_on_the_way_are_refused_and_nothing_else_happens():
    chance, authenticator = random.Random(7), SoftAuthenticator()
    answer = created(authenticator)
    key, proof = new_key(answer), authenticator.get(ceremonies.to_get(CHALLENGE))
    for _ in range(600):
        for name in ("clientDataJSON", "authenticatorData", "signature"):
            changed = spoilt(proof, name, chance)
            if changed["response"][name] != proof["response"][name]:
                with pytest.raises((PasskeyRefused, ValidationError)):
                    counter_of(changed, key)
        for name in ("clientDataJSON", "attestationObject"):
            # Nobody signs an attestation of the kind "none", so some changes make another key.
            with suppress(PasskeyRefused, ValidationError):
                new_key(spoilt(answer, name, chance))


def spoilt(answer, name, chance):
    """The answer with some bytes of a field changed, taken out or put in."""
    found = bytearray(data(answer["response"][name]))
    at, some = chance.randrange(len(found)), bytes(chance.choices(range(256), k=3))
    match chance.randrange(4):
        case 0:
            found[at] ^= 1 << chance.randrange(8)
        case 1:
            del found[at : at + chance.randrange(1, 6)]
        case 2:
            found[at:at] = some
        case 3:
            found[at : at + 3] = chance.choice([some, b"\xbb", b"\x5b\xff\xff", b"\x9b\x01"])
    changed = copy.deepcopy(answer)
    changed["response"][name] = text(bytes(found))
    return changed
