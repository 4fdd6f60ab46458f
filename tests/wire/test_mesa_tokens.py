import json

import pytest

from mesabox.wire import mesa_claims as claims
from mesabox.wire import mesa_tokens as tokens

KEY = tokens.PrivateKey("my-org", bytes(range(32)))
NOW = 1_790_000_000


def read(text, *, now=NOW, key=None):
    token = claims.parse_token(text)
    assert token is not None
    claims.verify(token, key or KEY.public_x())
    return claims.claims_of(token, now=now)


def signed(**payload):
    times = {"aud": "mesa-api", "iss": "my-org", "iat": NOW, "exp": NOW + 900}
    return KEY.sign({**times, **payload})


def test_a_private_key_survives_its_text_and_hides_in_print():
    text = KEY.reveal()
    assert text.startswith("mesa_private_key_my-org_MC4CAQAwBQYDK2VwBCIEI")
    assert tokens.PrivateKey.parse(text).reveal() == text
    assert text.rpartition("_")[2] not in repr(KEY)


@pytest.mark.parametrize(
    "spoil", [lambda t: t + "=", lambda t: t[:-1], lambda t: t.replace("my-org", "My_Org"), lambda t: "x"]
)
def test_a_spoilt_private_key_is_refused_without_being_quoted(spoil):
    with pytest.raises(ValueError) as refused:
        tokens.PrivateKey.parse(spoil(KEY.reveal()))
    assert "MC4CAQ" not in str(refused.value)


def test_an_admin_token_carries_its_authors():
    ada = tokens.Author("Ada", "ada@example.com")
    told = read(tokens.sign_admin_token(KEY, now=NOW, authors=[ada]))
    assert told.scopes == ("read", "write", "admin")
    assert told.authors == (ada,)
    assert (told.repos, told.repo_ids, told.expires_at) == (None, None, NOW + 900)


def test_an_access_token_names_its_repos():
    told = read(tokens.sign_access_token(KEY, {"Docs": "read", "code": "write"}, now=NOW))
    assert told.repos == {"my-org/docs": "read", "my-org/code": "write"}
    assert told.scopes == ("read", "write")


def test_names_that_differ_in_case_collapse_and_write_wins():
    told = read(signed(access={"a": "write-repo", "A": "read-repo"}))
    assert told.repos == {"my-org/a": "write"}


def test_the_older_generation_of_claims():
    told = read(signed(scopes=["read", "write"], repos=["my-org/a"], author=[["Ada", None], ["Bob", "b@x"]]))
    assert told.repos == {"my-org/a": "write"}
    assert [author.name for author in told.authors] == ["Ada", "Bob"]


def test_hs256_tokens_are_keyed_by_the_hash_of_the_api_key():
    text = tokens.sign_with_api_key("key.1", "mesa_secret", scopes=["read"], repos=["my-org/a"], now=NOW)
    token = claims.parse_token(text)
    assert claims.api_key_id_of(token) == "key.1"
    assert len(tokens.api_key_hash("mesa_secret")) == 43
    assert read(text, key=tokens.api_key_hash("mesa_secret")).repos == {"my-org/a": "read"}
    with pytest.raises(claims.TokenError):
        read(text, key=tokens.api_key_hash("another"))


def test_opaque_keys_are_not_tokens():
    assert claims.parse_token("mesa_abc") is None
    assert claims.parse_token("a.b.c") is None
    assert claims.parse_token("é.b.c") is None


def test_a_token_of_another_key_or_a_changed_one_is_forged():
    text = tokens.sign_admin_token(KEY, now=NOW)
    with pytest.raises(claims.TokenError, match="signature"):
        read(text, key=tokens.PrivateKey("my-org", bytes(32)).public_x())
    head, _, tail = text.split(".")
    payload = tokens.b64url(json.dumps({"iss": "my-org", "admin": True}).encode())
    with pytest.raises(claims.TokenError, match="signature"):
        read(f"{head}.{payload}.{tail}")


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({"admin": True, "aud": "other"}, "not meant"),
        ({"admin": True, "exp": NOW}, "lives"),
        ({"admin": True, "exp": NOW + 14_401}, "lives"),
        ({"admin": True, "iat": NOW - 900, "exp": NOW - 1}, "expired"),
        ({"admin": True, "iat": NOW + 61, "exp": NOW + 100}, "times"),
        ({"admin": True, "iat": True}, "times"),
        ({"admin": True, "access": {"a": "read-repo"}}, "exactly one"),
        ({"admin": 1}, "exactly one"),
        ({}, "exactly one"),
        ({"access": {}}, "1 to 250"),
        ({"access": {"a": ["read-repo"]}}, "read-repo"),
        ({"scopes": []}, "no scope"),
        ({"scopes": "read"}, "list of texts"),
        ({"scopes": ["read"], "repos": [1]}, "list of texts"),
        ({"admin": True, "authors": [{"name": "a<b"}]}, "authors"),
        ({"admin": True, "authors": [{"name": "a", "email": 0}]}, "authors"),
        ({"admin": True, "author": [["a", None]] * 101}, "100 authors"),
    ],
)
def test_wrong_claims_are_refused(payload, complaint):
    with pytest.raises(claims.TokenError, match=complaint):
        read(signed(**payload))


@pytest.mark.parametrize("header", [{"alg": ["EdDSA"]}, {"alg": "none"}, {}])
def test_unknown_algorithms_are_refused(header):
    parts = [{"typ": tokens.TOKEN_TYPE, **header}, {"admin": True}]
    text = ".".join(tokens.b64url(json.dumps(part).encode()) for part in parts)
    with pytest.raises(claims.TokenError):
        claims.parse_token(f"{text}.AAAA")


def test_a_signer_refuses_what_the_service_would():
    with pytest.raises(ValueError, match="14400"):
        tokens.sign_admin_token(KEY, now=NOW, ttl=14_401)
    with pytest.raises(ValueError, match="read or write"):
        tokens.sign_access_token(KEY, {"a": "admin"}, now=NOW)
    with pytest.raises(ValueError, match="1 to 250"):
        tokens.sign_access_token(KEY, {}, now=NOW)
