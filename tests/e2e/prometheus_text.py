# SPDX-License-Identifier: MPL-2.0
"""A strict reader of Prometheus's text format 0.0.4: whatever a server might get wrong is an AssertionError."""
import collections
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (?P<value>-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)")
Histogram = collections.namedtuple("Histogram", "buckets sum count")


class Family:
    def __init__(self, name, text):
        self.name = name
        self.help = text
        self.kind = None
        self.samples = {}  # by name and labels


class Metrics:
    def __init__(self, families):
        self.families = families

    def value(self, name, **labels):
        """0 for a sample that isn't there: nothing was counted."""
        family = self.families["conclave_" + name]
        return family.samples.get((family.name, tuple(sorted(labels.items()))), 0)

    def histogram(self, name):
        family = self.families["conclave_" + name]
        buckets = [(dict(labels)["le"], value) for (sample, labels), value in family.samples.items()
                   if sample == family.name + "_bucket"]
        return Histogram(buckets, family.samples[(family.name + "_sum", ())], family.samples[(family.name + "_count", ())])


def sample_names(family):
    return [family.name + end for end in ("_bucket", "_sum", "_count")] if family.kind == "histogram" else [family.name]


def check_family(family):
    assert family.kind, f"{family.name} has no TYPE"
    assert family.help.endswith("."), family.help
    assert (family.kind == "counter") == family.name.endswith("_total"), f"{family.name} is a {family.kind}"
    if family.kind in ("counter", "histogram"):
        assert all(value >= 0 for value in family.samples.values()), family.name
    if family.kind == "histogram":
        buckets, _, count = Metrics({family.name: family}).histogram(family.name[len("conclave_"):])
        bounds = [float(bound) for bound, _ in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), bounds
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and counts[-1] == count, counts


def parse(text):
    families, current = {}, None
    assert text.endswith("\n"), "the last line has no end"
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, described = line[len("# HELP "):].split(" ", 1)
            assert name not in families and re.fullmatch("conclave_[a-z0-9_]+", name), line
            current = families[name] = Family(name, described)
        elif line.startswith("# TYPE "):
            name, kind = line[len("# TYPE "):].split(" ")
            assert name == current.name and current.kind is None and kind in ("counter", "gauge", "histogram"), line
            current.kind = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] in sample_names(current), line
            labels = tuple(sorted((name, value) for name, value in re.findall(LABEL, match[2] or "")))
            assert len(dict(labels)) == len(labels), line
            assert (match[1], labels) not in current.samples, line
            current.samples[(match[1], labels)] = float(match["value"])
    for family in families.values():
        check_family(family)
    return Metrics(families)
