"""What a secret looks like on its way out, in whichever form and however it is cut."""

import base64
import json
import random
from urllib.parse import quote, quote_plus

import pytest

from mesabox.flow.redaction import RedactedStream, Redactor

SECRET = "pa ss/wörd+\n'two'\"x"


def knowing(*secrets):
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        SECRET.replace("\n", "\r\n"),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        repr(SECRET)[1:-1],
    ],
)
def test_every_form_is_masked(form):
    assert knowing(SECRET).text(f"before {form} after") == "before *** after"


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_masked_wherever_in_it_the_secret_stands(before, encode):
    secret = "s3cr3t?>value"
    encoded = encode(f"{before}{secret} and more".encode()).decode()
    shown = knowing(secret).text(encoded)
    assert "***" in shown and len(shown) <= len(encoded) - 10


def test_short_words_are_left_alone_and_the_longest_goes_first():
    assert knowing("short", "abcdef", "abcdefgh").text("short abcdefgh abcdef") == "short *** ***"


def test_json_values_within():
    redacted = knowing("abcdef").value({"a": ["xabcdefx", 1, None], "b": {"c": ("abcdef",)}})
    assert redacted == {"a": ["x***x", 1, None], "b": {"c": ["***"]}}


def test_bytes_that_are_no_text_survive():
    data = bytes(range(256))
    assert knowing("abcdef\udcff").data(data + b"abcdef\xff") == data + b"***"


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_cut_anywhere(seed):
    dice, secret = random.Random(seed), "aabaabaaab"
    redactor = knowing(secret)
    whole = "".join(dice.choice(["a", "b", "aab", secret, "\n"]) for _ in range(300)).encode()
    stream, out, place = RedactedStream(redactor), b"", 0
    while place < len(whole):
        step = dice.randint(1, 12)
        out += stream.feed(whole[place : place + step])
        place += step
    out += stream.rest()
    assert secret.encode() not in out
    assert len(out) <= len(whole) and out.replace(b"***", b"").strip(b"ab\n") == b""


def test_a_stream_without_secrets_is_not_held_back():
    stream = RedactedStream(knowing("abcdef"))
    assert [stream.feed(piece) for piece in (b"xyz", b"x ab", b"c", b"x")] == [b"xyz", b"x ", b"", b"abcx"]
    assert stream.rest() == b""


def test_what_came_into_being_is_announced():
    told = []
    redactor = Redactor(told.append)
    redactor.learn("credential")
    redactor.learn("minted", announce=True)
    redactor.learn("tiny", announce=True)
    assert told == ["minted"]
