#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Writes the fuzz targets' seeds that are made by hand: tests/fuzz/seeds.py, in the root. What fuzzing found is kept beside them."""
import os
import struct

import msgpack

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')


def name8(text):
    return bytes([len(text)]) + text.encode()


def identity(passes, memory, name='alice'):
    return (b'CONCLAVE' + struct.pack('>HQQ', 1, passes, memory) + bytes(16) + bytes(32) + name8(name) + bytes(24) + bytes(80))


def welcome(depth, leaf, admins):
    out = b'\1' + bytes(16) + name8('room') + struct.pack('>Q', 3) + bytes(32) + struct.pack('>IB', leaf, depth) + bytes(32) * (depth + 2)
    out += struct.pack('>H', len(admins))
    for at in admins:
        out += struct.pack('>I', at) + name8('admin') + bytes(32)
    return out + bytes(64)


def inner(kind, content, fields=b''):
    return bytes(64) + bytes([kind, 1, len(content)]) + content + fields


CREATION = b'\1\x19' + b'\1' * 25
TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'


SEEDS = {
    'identity': {'least_work': identity(1, 8192), 'interactive': identity(2, 64 << 20), 'too_much': identity(65, 1 << 40),
                 'newer': b'CONCLAVE\0\2', 'bad_name': identity(1, 8192, 'A b')},
    'welcome': {'alone': welcome(0, 0, [0]), 'two_admins': welcome(2, 3, [0, 2]), 'outside': welcome(1, 2, [0]),
                'order': welcome(2, 1, [2, 0]), 'deep': welcome(32, 1, [0])},
    'sealed': {'text': inner(1, bytes(8) + b'hello'), 'padded': inner(1, bytes(8) + b'hi').ljust(128, b'\0'),
               'fields': inner(1, bytes(8) + b'hi', CREATION + b'\x09\3new'), 'fields_cut': inner(1, bytes(8) + b'hi', CREATION[:-1]),
               'fields_order': inner(1, bytes(8) + b'hi', b'\2\0' + CREATION), 'type': inner(9, b''), 'long_size': bytes(64) + b'\1\1\xff\xff\x7f'},
    'safe_text': {'plain': b'\0\x14hello', 'escape': b'\1\x14a\x1b[2Jb\r\nc\td', 'bidi': '\0\x08a\u202eb\u2066c\u200d'.encode(),
                  'emoji': '\0\x05👩\u200d🚀\ufe0f'.encode(), 'marks': ('\0\x05' + 'e' + '\u0301' * 7).encode(),
                  'ill_formed': b'\2\x14\xf0\x9f\x91\xc0\xaf\xed\xa0\x80\x9b1m', 'ascii': '\3\x14é\n中'.encode()},
    'config': {'all': b'# c\ndata = /srv\nlisten = tcp://127.0.0.1:1\nlisten=tcp://[::1]:*\nlog-level = warn\nidle-seconds = 5\n',
               'windows': b'\xef\xbb\xbf\tlog-format=json \r\n\r\nreport-minutes = 0', 'wrong': b'log-levl = x\n[a]\ndata = /\ndata = /\n=\n\0\n\xff\n\x1b\n',
               'values': b'idle-seconds = 0\nlisten = x\nlog-level = loud # x\nhelp = 1\n', 'endless': b'#' * 8193 + b'\nx'},
    'local': {**{f'verb_{verb}_{count}': msgpack.packb([0, verb, 7, [fill] * count])
                 for verb in range(1, 20) for count, fill in ((0, 0), (1, 'room'))},
              'traced': msgpack.packb([0, 4, 7, TRACEPARENT, ['room']])},
    'group': {**{f'commit_{at}': bytes([at]) for at in range(4)}, **{f'tail_{at}': bytes([at, 0xff, 0, 1]) for at in range(4)},
              **{f'signed_{at}_{where}': bytes([at | 4, where >> 8, where & 255, 1]) for at in range(4) for where in (60, 98, 102, 140, 200)}},
    'rows': {'state': b'\0', 'holder': b'\1', 'state_head': bytes([0, 0, 0, 3, 1]), 'holder_head': bytes([1, 0, 0, 3, 1]),
             'state_short': bytes([0, 1, 0, 9, 0]), 'holder_short': bytes([1, 1, 0, 9, 0])},
    # A step is a byte: 64 duties, 128 with changes, else kind * 3 + person; then what it asks for.
    'rules': {'sends': bytes([1, 0, 1, 0, 1, 1, 1, 0, 1, 129, 0, 2, 0, 0, 30, 1]), 'joins': bytes([5, 9, 32, 2, 0, 1]),
              'leaves': bytes([7, 9, 2, 4]), 'commits': bytes([9, 0, 9, 64, 10, 0, 9, 2, 73, 4]),
              'polls': bytes(sum(([15, 0, 255, 255, which, 80, 1, 9, 9, which] for which in range(6)), [])),
              'faults': bytes([18, 1, 0, 1, 1, 2, 2, 18, 3, 0, 1, 9, 0, 18, 16, 0, 9, 1, 3, 3, 18, 12, 0, 0, 15, 0, 255, 255, 0]),
              'raw': bytes([21, 7, 0x96, 0, 1, 2, 0xc4, 0, 0xa0, 22, 3, 1, 2, 3])},
    # A step is a byte: 128 with changes, 64 the admin core, 16 * which open request, else what (9 a right answer); then its fields.
    'core': {'replies': bytes(sum(([9 | at << 4, 1, 0, 0, 2, 1, 7, 0] for at in range(4)), [])),
             'duties': bytes([0x43, 0, 0] + [0x49, 1, 0, 1, 2, 0, 0, 0] * 6), 'events': bytes([0, 1, 0, 5, 0, 0, 0] * 4 + [0, 1, 0, 13, 0, 0xc0, 1, 0, 40, 9]),
             'admits': bytes([0x43, 3, 0xe8, 0x49, 0, 0, 1, 2, 0, 0, 0x49, 1, 0, 1, 2, 0, 0x49, 1, 0] * 3),
             'texts': bytes([0, 1, 0, 5, 0, 0] * 2 + [9, 0, 0] * 6 + [0, 1, 0, 5, 0, 0]),
             'removes': bytes([0x43, 3, 0xe8, 0x49, 1, 0, 1, 2, 0, 0, 0x49, 1, 0, 1, 2, 0, 0x49, 1, 0x20] * 3),
             'screens': bytes(sum(([5, verb, 3, 1, 9, 0, 0] for verb in range(16)), [4])),
             'restarts': bytes([5, 4, 3, 7, 9, 9, 9, 71, 73, 73, 73, 4, 68, 3, 0, 0, 9, 0, 0]),
             'links': bytes([2, 0x12, 0x22, 0x32, 2, 0x12, 9, 9, 9, 0x42, 0x52, 0x62, 0x72, 3, 0, 0, 0x43, 0, 0]),
             'refusals': bytes(sum(([8, status, 0, 0, 0, 0x48, status, 0, 0, 0, 3, 0, 0] for status in (1, 8, 16, 20, 30)), [])),
             'changed': bytes([0x89, 1, 0, 0, 0, 0, 0, 1, 0, 7, 1] * 4), 'raw': bytes([1, 7, 0x95, 1, 1, 2, 0, 0x90, 0, 0x41, 3, 1, 2, 3])},
    'roster': {'true': b'\1\3', 'free': b'\3\3', 'depth': b'\1\2', 'sibling': bytes([1, 3, 60, 1]), 'leaf': bytes([1, 3, 3, 2])},
}


def main():
    for target, seeds in SEEDS.items():
        os.makedirs(os.path.join(HERE, target), exist_ok=True)
        for name, data in seeds.items():
            with open(os.path.join(HERE, target, name), 'wb') as file:
                file.write(data)


main()
