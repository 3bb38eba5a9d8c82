# SPDX-License-Identifier: MPL-2.0
"""The operator's care of the store: checking it, backups, and what users see after a restore."""
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from harness import BUILD, SLOW, World, contains, equal, main, matches, room

CONCLAVED = os.path.join(BUILD, "conclaved")


def conclaved(*args, code=0):
    """Runs it to its end; what it printed."""
    result = subprocess.run([CONCLAVED, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * SLOW,
                            check=False)
    if result.returncode != code:
        raise AssertionError(f"conclaved {' '.join(args)}: exit {result.returncode} instead of {code}\n{result.stdout}{result.stderr}")
    return result.stdout if code == 0 else result.stdout + result.stderr


# --- fsck -------------------------------------------------------------------------------------

def test_a_sound_store_is_called_sound():
    with World() as world:
        alice, bob = world.users("alice", "bob")
        room(world, "room", alice, bob)
        bob.ok("send", "room", "a text")
        output = conclaved("--fsck", "--data", world.broker.data, code=1)
        contains(output, f"a broker runs on this directory (pid {world.broker.process.pid})")
        equal(world.broker.stop(), 0)
        output = conclaved("--fsck", "--data", world.broker.data)
        matches(output, r"(?m)^ +2 accounts$")
        matches(output, r"(?m)^ +1 groups$")
        matches(output, r"(?m)^ +3 events$")
        matches(output, r"(?m)^ +0 problems\nsound$")
        equal(conclaved("--fsck", "--data", world.broker.data), output)  # nothing was changed
        world.broker.start()


def test_damage_is_found_and_named():
    with World() as world:
        data = world.broker.data
        equal(world.broker.stop(), 0)
        contains(conclaved("--fsck", "--data", world.dir + "/nowhere", code=1), "--data DIR")
        assert not os.path.exists(world.dir + "/nowhere")
        os.rename(data + "/broker.key", data + "/key")
        output = conclaved("--fsck", "--data", data, code=1)
        contains(output, "broker.key: not found; restore it from a backup")
        contains(output, "damaged")
        assert not os.path.exists(data + "/broker.key")
        os.rename(data + "/key", data + "/broker.key")
        with open(data + "/store/CURRENT", "w", encoding="ascii") as file:
            file.write("garbage\n")
        contains(conclaved("--fsck", "--data", data, code=1), "can't be opened: the file is damaged")
        shutil.rmtree(data)
        world.broker.start()


if __name__ == "__main__":
    main(globals())
