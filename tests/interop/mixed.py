# SPDX-License-Identifier: MPL-2.0
"""What tests with people of both clients share: a Python one's account, joining, and waiting for a text."""
from harness import equal, wait_for


def python(world, kind, name):
    return kind(world.broker.url, name).register()


def reads(user, group, text):
    """Waits until a C user has read a text."""
    wait_for(lambda: text in user.texts(group) or user.run("listen", group, "--count", "1", "--wait", "1") and False, 60,
             f"{user.name} reads {text!r}")


def python_reads(member, group, text):
    member.until(lambda: text in member.groups[group].texts(), 60, f"{member.name} reads {text!r}")


def letting_in(admin, user, group):
    """A C user joins while a Python admin serves."""
    joining = user.start("join", group, "--wait", "60")
    admin.until_served(lambda: joining.process.poll() is not None, 60, f"{user.name} is in")
    equal(joining.wait(), 0, "exit code of join: " + "\n".join(joining.errors))
