#!/usr/bin/env python3
"""How a receiver verifies a callback (Standard Webhooks, v1) and drops repeats; standard library only.

    SECRET="whsec_NEW whsec_OLD" python3 examples/verify.py HEADERS BODY [HEADERS BODY ...]

HEADERS is a file of lines "name: value", as `relay sign` prints them; BODY the bytes as they came.
In a service both come from the request; read the body raw, before anything parses it.
"""
import base64
import binascii
import hashlib
import hmac
import os
import sys
import time

TOLERANCE_S = 300  # an older call may be a replay by somebody who listened


class NotGenuine(Exception):
    """Why a call is refused."""


def keys_of(secrets):
    """Two secrets while you rotate: the relay signs with both, and either is enough."""
    keys = []
    for secret in secrets.split():
        key = decoded(secret[len("whsec_"):])
        if not secret.startswith("whsec_") or len(key) < 24:
            sys.exit("verify: a secret is whsec_ and base64 of 24 bytes or more")
        keys.append(key)
    return keys


def decoded(signature):
    try:
        return base64.b64decode(signature, validate=True)
    except binascii.Error:
        return b""


def verify(headers, body, keys, now_s=None):
    """headers: by lower-case name; body: bytes. Returns the id, or raises NotGenuine."""
    id_ = headers.get("webhook-id")
    timestamp = headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature")
    if not id_ or not signatures:
        raise NotGenuine("a webhook-... header is missing")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotGenuine("webhook-timestamp is no number")
    given = [decoded(s[3:]) for s in signatures.split(" ") if s.startswith("v1,")]
    text = f"{id_}.{timestamp}.".encode() + body
    expected = [hmac.new(key, text, hashlib.sha256).digest() for key in keys]
    # compare_digest takes as long whichever byte differs.
    if not any(hmac.compare_digest(g, e) for g in given for e in expected):
        raise NotGenuine("no signature fits")
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > TOLERANCE_S:
        raise NotGenuine("webhook-timestamp is too far from now")
    return id_


def read_headers(path):
    with open(path, encoding="ascii") as lines:
        pairs = (line.partition(":") for line in lines if ":" in line)
        return {name.strip().lower(): value.strip() for name, _, value in pairs}


def main(files):
    if not files or len(files) % 2:
        sys.exit("usage: SECRET=whsec_... python3 verify.py HEADERS BODY [HEADERS BODY ...]")
    keys = keys_of(os.environ.get("SECRET", ""))
    # Delivery is at least once. A real service keeps the ids with its own data, in the transaction
    # in which it acts, for as long as the relay may try again (three days by default).
    seen = set()
    refused = False
    for headers_file, body_file in zip(files[::2], files[1::2]):
        with open(body_file, "rb") as file:
            body = file.read()
        try:
            id_ = verify(read_headers(headers_file), body, keys)
            print("repeat" if id_ in seen else "valid", id_)
            seen.add(id_)
        except NotGenuine as why:
            print(f"refused: {why}")
            refused = True
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
