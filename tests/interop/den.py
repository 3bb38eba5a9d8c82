# SPDX-License-Identifier: MPL-2.0
"""What the hostile tests share: a group of two well-behaved members who must not notice anything."""
import contextlib

from conclave_admin import Admin
from conclave_client import Member
from harness import World, equal
from mixed import python


@contextlib.contextmanager
def den(*args):
    """A world with a group of two well-behaved members, who talk before and after."""
    with World(broker_args=args) as world:
        ada, bea = python(world, Admin, "ada"), python(world, Member, "bea")
        ada.create("den")
        bea.request_join("den")
        ada.until_served(lambda: len(ada.groups["den"].roster) == 2, 60, "bea is in")
        bea.until(lambda: "den" in bea.groups, 60, "bea knows")
        yield world, ada, bea
        ada.send("den", "all is well")
        bea.until(lambda: "all is well" in bea.groups["den"].texts(), 60, "bea reads ada")
        bea.send("den", "very well")
        ada.until(lambda: "very well" in ada.groups["den"].texts(), 60, "ada reads bea")
        equal(world.broker.process.poll(), None, "the broker's exit code")
        ada.close()
        bea.close()


def joined(world, ada, name):
    member = python(world, Member, name)
    member.request_join("den")
    ada.until_served(lambda: name in [entry.name for entry in ada.groups["den"].roster.values()], 60, f"{name} is in")
    member.until(lambda: "den" in member.groups, 60, f"{name} knows")
    return member


def same(found, expected):
    """Compares two dictionaries of statuses and names those that differ."""
    equal({what: status for what, status in found.items() if status != expected[what]},
          {what: status for what, status in expected.items() if status != found[what]}, "statuses")
