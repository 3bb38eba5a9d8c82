# SPDX-License-Identifier: MPL-2.0
"""The building blocks of PROTOCOL.md, section 3: bytes, statements, hashes, keys, signatures, sealing."""
import hashlib
import re
import struct

import nacl.bindings
import nacl.exceptions
import nacl.public
import nacl.signing


class Refused(Exception):
    """What was read or asked for doesn't hold; says why in words."""


def check(condition, why):
    if not condition:
        raise Refused(why)


# --- Bytes ------------------------------------------------------------------------------------

def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def lp(data):
    return u32(len(data)) + data


def name8(name):
    raw = name.encode()
    return bytes([len(raw)]) + raw


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")


class Reader:
    """Takes fields off the front of bytes that somebody else made."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def bytes(self, count):
        check(self.at + count <= len(self.data), "bytes end too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def integer(self, count):
        return int.from_bytes(self.bytes(count), "big")

    def name(self):
        raw = self.bytes(self.integer(1))
        text = raw.decode("ascii", "replace")
        check(NAME.fullmatch(text), "not a name")
        return text

    def varint(self):
        value = 0
        for place in range(10):
            byte = self.integer(1)
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                check(byte or not place, "varint longer than needed")
                check(value < 1 << 64, "varint over 64 bits")
                return value
        raise Refused("varint longer than 10 bytes")

    def rest(self):
        return self.bytes(len(self.data) - self.at)

    def end(self):
        check(self.at == len(self.data), "bytes left over")


# --- Statements, hashes, keys -----------------------------------------------------------------

def statement(kind, *fields):
    return b"conclave/1 " + kind.encode() + b"\0" + b"".join(lp(field) for field in fields)


def hash_of(kind, *fields):
    return hashlib.blake2b(statement(kind, *fields), digest_size=32).digest()


def kdf(key, label, data=b""):
    return hashlib.blake2b(lp(label.encode()) + lp(data), digest_size=32, key=key).digest()


# --- Signatures -------------------------------------------------------------------------------

def sign(signing_key, kind, *fields):
    return signing_key.sign(statement(kind, *fields)).signature


def verify(identity_key, signature, kind, *fields):
    try:
        nacl.signing.VerifyKey(identity_key).verify(statement(kind, *fields), signature)
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise Refused(f"signature of the {kind} statement is wrong") from error


# --- Sealing ----------------------------------------------------------------------------------

ZERO_NONCE = bytes(12)


def aead_seal(key, plaintext, associated):
    return nacl.bindings.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, associated, ZERO_NONCE, key)


def aead_open(key, sealed, associated):
    check(len(sealed) >= 16, "sealed bytes are shorter than a tag")
    try:
        return nacl.bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed, associated, ZERO_NONCE, key)
    except nacl.exceptions.CryptoError as error:
        raise Refused("sealed bytes do not open with this key") from error


def box_seal(prekey, plaintext):
    return nacl.public.SealedBox(nacl.public.PublicKey(prekey)).encrypt(plaintext)


def box_open(private_prekey, sealed):
    try:
        return nacl.public.SealedBox(private_prekey).decrypt(sealed)
    except nacl.exceptions.CryptoError as error:
        raise Refused("sealed box does not open with this key") from error
