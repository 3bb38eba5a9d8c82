# SPDX-License-Identifier: MPL-2.0
"""The broker's live page in a real browser. With PICTURES=FOLDER it leaves screenshots there."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

import chromium
from harness import SLOW, Skip, World, contains, equal, main, room
from http_test import ANY, token_file
from operating import events

HOSTILE = ['"><img src=x onerror="hit()">', "<script>hit()</script>", "__proto__", "javascript:hit()", "\u202eevil"]


def browser(world):
    if not chromium.program():
        raise Skip("chromium is not installed (apt-get install chromium-headless-shell)")
    return chromium.Browser(world.dir)


def page_url(world):
    return events(world, "http_listening")[-1]["url"]


def only_ours(page):
    """From now on the page is shown what the test says, by show.NAME, and nothing of the broker's."""
    page.wait("byId('link').textContent === 'live' && state", "it is connected")
    page.run("globalThis.show = Object.assign({}, take); for (const name in take) take[name] = () => {}; true")


def picture(page, name):
    folder = os.environ.get("PICTURES")
    if folder:
        page.picture(os.path.join(folder, name + ".png"))


class Conversation:
    """A room in which somebody writes all the time."""

    def __init__(self, world):
        self.people = world.users("ada", "bob", "cid")
        self.serve = room(world, "tea", *self.people)
        self.listeners = [person.start("listen", "tea") for person in self.people[1:]]
        self.said = 0

    def go_on(self, times=1):
        for _ in range(times):
            self.said += 1
            self.people[self.said % 3].ok("send", "tea", f"text {self.said}")

    def until(self, page, condition, what):
        """Goes on until the page shows it."""
        end = time.monotonic() + 60 * SLOW  # plots get a point a second, however fast texts come
        while time.monotonic() < end:
            self.go_on()
            if page.run(condition):
                return
        raise AssertionError(f"waited in vain until {what}: {condition}")


def test_the_page_shows_what_passes():
    with World(broker_args=ANY) as world, browser(world) as page:
        conversation = Conversation(world)
        page.open(page_url(world))
        page.wait("byId('link').textContent === 'live'", "it is connected")
        page.wait("byId('online').textContent === '3'", "three are online")
        # Dots: there are some, and they move.
        page.run("""globalThis.seen = new Map();
            new MutationObserver(list => { for (const { target: dot } of list)
              if (dot.matches('.dot')) { const at = seen.get(dot) || new Set(); at.add(dot.getAttribute('cx') + ',' + dot.getAttribute('cy')); seen.set(dot, at); }
            }).observe(layers.dots, { attributes: true, subtree: true }); true""")
        conversation.until(page, "[...seen.values()].filter(places => places.size > 3).length > 3", "dots move")
        conversation.until(page, "/no\\. \\d+ to \\w+ and 2 more/.test(byId('steps').textContent)",
                           "a message's steps are drawn")
        steps = page.run("byId('steps').textContent")
        for part in ("send in tea", "records", "is allowed"):
            contains(steps, part)
        # Plots fill.
        for plot in ("rates", "times"):
            conversation.until(page, f"byId('{plot}').querySelector('polyline.one').getAttribute('points').split(' ').length >= 3",
                               plot + " are drawn")
        equal(page.run("[...byId('people').children].map(one => one.textContent).sort()"), ["ada", "bob", "cid"])
        equal(page.run("[...byId('groups').children[0].children].slice(0, 2).map(one => one.textContent)"), ["tea", "3"])
        # Raw bytes of one message, and nothing of what was said.
        page.wait("/to tea, no\\. \\d+: [\\d,]+ bytes, epoch \\d+, leaf \\d+/.test(byId('sealed-what').textContent)", "a message is shown")
        raw = bytes.fromhex(page.run("sealed.hex"))
        equal(len(raw), page.run("sealed.bytes"))
        assert b"text" not in raw
        equal(page.run("byId('sealed').querySelector('.clear').textContent.split(' ').length > 4"), True)
        conversation.go_on(4)
        picture(page, "live")
        equal(page.complaints, [])
        # The broker goes and comes back: the page says so, and goes on.
        equal(world.broker.stop(), 0)
        page.wait("byId('link').dataset.is === 'gone'", "it says that the broker is gone")
        conversation.serve.stop()


def test_a_hostile_name_stays_text():
    with World(broker_args=ANY) as world, browser(world) as page:
        page.open(page_url(world))
        only_ours(page)
        names = json.dumps(HOSTILE)
        page.run("globalThis.hits = 0; globalThis.hit = () => { hits++; }; true")
        page.run(f"""(() => {{
            const names = {names};
            show.state(Object.assign({{}}, state, {{ online: names.length, groups_known: names.length, joins: 1, oldest_join_ms: 1, problem: names[0],
              users: names.map(name => ({{ name, groups: names }})),
              groups: names.map(name => ({{ name, members: 3, online: 2, epoch: 1, sequence: 9, joins: 1, leaves: 1 }})) }}));
            show.tick({{ time_ms: Date.now() - skewMs, lost: 0, counts: {{ requests: 1, refused: 0, appended: 1, pushed: 1, fetched: 0 }},
              requests: {{ n: 1, p50: 100, p90: 100, p99: 100 }}, writes: {{ n: 1, p99: 100 }},
              groups: names.map(name => ({{ name, sent: 1, pushed: 1, fetched: 0 }})),
              sends: names.map(name => ({{ user: name, group: name, sequence: 1, how: "send" }})), deliveries: [],
              steps: names.map(name => ({{ time_us: 1, step: "received", verb: name, user: name, group: name, status: name, reason: name, sequence: 1,
                bytes: 1, count: 1, duration_us: 1, times: 1 }})) }});
            show.sealed({{ group: names[0], sender: names[1], sequence: 1, bytes: 4, header_bytes: 2, epoch: 1, leaf: 1, generation: 1, hex: "00ff10aa" }});
            choose(names[1]);
            showAll();
            return true; }})()""")
        equal(page.run("document.querySelectorAll('img, main script, iframe').length"), 0)
        equal(page.run("[...byId('people').children].map(one => one.textContent)"), HOSTILE)
        contains(page.run("byId('steps').textContent"), "<script>")
        page.run("document.querySelectorAll('#groups button').forEach(button => button.click())")
        equal(page.run("hits"), 0)
        equal(page.complaints, [])
        # The policy would stop what got through all the same.
        page.run("""document.body.insertAdjacentHTML("beforeend", '<img src=x onerror="hit()"><p style="color: red">x</p>')""")
        page.run("(() => { const script = document.createElement('script'); script.textContent = 'hit()'; document.body.append(script); return true; })()")
        page.wait("document.querySelector('img').complete", "the image has failed")
        equal(page.run("hits"), 0)
        assert any("Content Security Policy" in text for text in page.complaints), page.complaints


def test_a_thousand_users_are_few_elements():
    with World(broker_args=ANY) as world, browser(world) as page:
        page.open(page_url(world))
        only_ours(page)
        page.run("""globalThis.crowd = tickNumber => {
            const user = i => "person-" + i % 1000, group = i => "group-" + i % 100;
            const some = n => [...Array(n).keys()];
            show.state(Object.assign({}, state, { online: 1000, sessions: 2000, connections: 2000, groups_known: 100,
              users: some(64).map(i => ({ name: user(i), groups: [group(i), group(i + 7)] })),
              groups: some(64).map(i => ({ name: group(i), members: 40, online: 30, epoch: 12, sequence: 1000 + i, joins: 0, leaves: 0 })) }));
            show.tick({ time_ms: Date.now() - skewMs, lost: 0, counts: { requests: 5000, refused: 3, appended: 4000, pushed: 40000, fetched: 100 },
              requests: { n: 5000, p50: 900, p90: 3000, p99: 8000 }, writes: { n: 20, p99: 4000 },
              groups: some(64).map(i => ({ name: group(i), sent: 40 + i, pushed: 400, fetched: 1 })),
              sends: some(24).map(i => ({ user: user(i * 41), group: group(i * 3), sequence: 1, how: i % 9 ? "send" : "commit" })),
              deliveries: some(48).map(i => ({ user: user(i * 31), group: group(i * 5), sequence: 1, how: "pushed" })),
              steps: some(24).map(i => ({ time_us: 1, step: ["received", "accepted", "appended", "stored", "fanned out", "pushed"][i % 6], verb: "send",
                user: user(i), group: group(i), status: "", reason: "", sequence: 12345, bytes: 300, count: 400, duration_us: 700, times: 30 })) });
            return true; }""")
        for number in range(12):
            page.run(f"crowd({number})")
        shown = page.run("document.getElementsByTagName('*').length")
        assert shown < 3000, f"{shown} elements"
        assert 0 < page.run("dots.length") <= page.run("DOTS")
        equal(page.run("byId('more-people').textContent"), "and 936 more")
        contains(page.run("byId('map').textContent"), "+960")
        page.wait("dots.length > 0 && dots.some(dot => dot.circle.getAttribute('visibility') === 'visible')", "they fly")
        picture(page, "crowd")
        equal(page.complaints, [])


def test_it_is_used_by_keyboard():
    with World(broker_args=ANY) as world, browser(world) as page:
        conversation = Conversation(world)
        page.open(page_url(world))
        page.wait("byId('groups').children.length === 1", "the group is listed")
        reached = []
        for _ in range(14):
            page.press("Tab")
            reached.append(page.run("(document.activeElement.id || document.activeElement.className || document.activeElement.textContent)"))
            if reached[-1] == "pause":
                page.press(" ", " ")
                equal(page.run("byId('pause').getAttribute('aria-pressed')"), "true")
                page.press(" ", " ")
                equal(page.run("isPaused"), False)
            if reached[-1] == "tea":
                page.press("Enter", "\r")
                equal(page.run("byId('only').value"), "tea")
                equal(page.run("document.activeElement.getAttribute('aria-pressed')"), "true")
        for name in ("skip", "only", "pause", "theme", "tea", "sealed"):
            assert name in reached, (name, reached)
        # Each control and each picture has a name.
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        for node in nodes:
            if node.get("role", {}).get("value") in ("button", "combobox", "image", "link", "region") and not node.get("ignored"):
                assert node.get("name", {}).get("value"), node
        conversation.serve.stop()


def contrast(page, selector, background):
    """As WCAG defines it, between an element's colour and that of another's background."""
    return page.run(f"""(() => {{
        const light = text => {{ const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
          return .2126 * r + .7152 * g + .0722 * b; }};
        const a = light(getComputedStyle(document.querySelector("{selector}")).color);
        const b = light(getComputedStyle(document.querySelector("{background}")).backgroundColor);
        return (Math.max(a, b) + .05) / (Math.min(a, b) + .05); }})()""")


def test_it_is_readable_on_a_phone_dark_and_light():
    with World(broker_args=ANY) as world, browser(world) as page:
        conversation = Conversation(world)
        for scheme in ("dark", "light"):
            for width in (320, 390, 768, 1280):
                page.open(page_url(world), width=width, height=800, scheme=scheme)
                page.wait("byId('link').textContent === 'live' && byId('people').children.length === 3", "it is connected")
                conversation.go_on(2)
                conversation.until(page, "sealed", "a message is shown")
                equal(page.run("document.documentElement.scrollWidth <= innerWidth"), True, f"fits into {width}")
                equal(page.run("[...document.querySelectorAll('svg text')].every(text => parseFloat(getComputedStyle(text).fontSize) *"
                               " text.ownerSVGElement.clientWidth / text.ownerSVGElement.viewBox.baseVal.width >= 10)"), True, "size of text")
                for selector in ("dd", "dt", "pre .clear", "pre .sealed", ".note", "#link"):
                    assert contrast(page, selector, "body" if selector == "#link" else "section") >= 4.5, (scheme, selector)
                if width == 390:
                    picture(page, "phone-" + scheme)
            picture(page, scheme)
        # Nothing flies about for who doesn't want that.
        page.open(page_url(world), motion="reduce")
        page.wait("byId('link').textContent === 'live' && byId('people').children.length === 3", "it is connected")
        page.run("globalThis.most = 0; new MutationObserver(() => { most = Math.max(most, layers.dots.querySelectorAll('.flash').length); })"
                 ".observe(layers.dots, { childList: true }); true")
        conversation.until(page, "most > 0", "lines light up")
        equal(page.run("dots.length + layers.dots.querySelectorAll('.dot').length"), 0)
        equal(page.complaints, [])
        conversation.serve.stop()


def test_with_a_token():
    world = World()
    world.broker.args = [*ANY, "--http-token-file", token_file(world)]
    with world, browser(world) as page:
        page.open(page_url(world) + "?token=correct-horse-battery-staple")
        page.wait("byId('link').textContent === 'live' && state", "it is connected")
        contains(page.run("document.querySelector('a[href^=metrics]').href"), "metrics?token=correct-horse-battery-staple")
        equal(page.complaints, [])


if __name__ == "__main__":
    main(globals())
