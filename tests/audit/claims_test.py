# SPDX-License-Identifier: MPL-2.0
"""Every row of SECURITY.md's table of claims names a test that exists and is run, and a planted defect that exists or the reason why there is none."""
import fnmatch
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from harness import REPO, equal, main  # noqa: E402

MUTANTS = "tests/simulation/mutants"
# What `make test` runs: tests by themselves, and the parts of a program that it runs; and what `make valgrind` does.
RUN = ("tests/unit/*_test.c", "tests/e2e/*_test.py", "tests/interop/*_test.py", "tests/audit/*_test.py", "tests/rehearsal/*_test.py",
       "tests/simulation/*.c", "tests/fuzz/*_fuzz.c", "tests/layering",
       "tests/constant_time/*_test.c")


def rows(text):
    """The cells of the table under "Claims"."""
    section = text.split("\n## Claims\n", 1)[1].split("\n## ", 1)[0]
    for line in section.splitlines():
        if re.match(r"\| *\d", line):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def faults(text, exists=lambda path: os.path.isfile(os.path.join(REPO, path))):
    found = []
    for expected, row in enumerate(rows(text), 1):
        if len(row) != 5 or row[0] != str(expected) or not row[1] or not row[2]:
            found.append(f"row {expected} is not number, claim, mechanism, tests, mutants")
            continue
        number, _, _, tests, mutants = row
        if not names(tests):
            found.append(f"row {number} names no test")
        for path in names(tests):
            if not exists(path):
                found.append(f"row {number}: {path} does not exist")
            if not any(fnmatch.fnmatch(path, pattern) for pattern in RUN):
                found.append(f"row {number}: {path} is nothing that is run")
        if not names(mutants) and not re.match(r"none: .", mutants):
            found.append(f"row {number} names no mutant and no reason")
        for mutant in names(mutants):
            if not exists(f"{MUTANTS}/{mutant}.patch"):
                found.append(f"row {number}: no mutant {mutant}")
    return found


def security():
    with open(os.path.join(REPO, "proto/SECURITY.md"), encoding="utf-8") as file:
        return file.read()


def test_each_claim_names_what_checks_it():
    equal(faults(security()), [])
    assert len(list(rows(security()))) >= 25


def test_what_is_wrong_in_a_table_is_noticed():
    good = "| 1 | claim | how | `tests/layering` | `wrap-skipped` |"
    for row, fault in ((good, None), (good.replace("`tests/layering`", "layering"), "row 1 names no test"),
                       (good.replace("tests/layering", "tests/unit/proto/gone_test.c"), "row 1: tests/unit/proto/gone_test.c does not exist"),
                       (good.replace("tests/layering", "README.md"), "row 1: README.md is nothing that is run"),
                       (good.replace("wrap-skipped", "gone"), "row 1: no mutant gone"),
                       (good.replace("`wrap-skipped`", ""), "row 1 names no mutant and no reason"),
                       (good.replace("`wrap-skipped`", "none: it plants its own"), None),
                       (good.replace("| 1 |", "| 2 |"), "row 1 is not number, claim, mechanism, tests, mutants"),
                       (good.replace("| how ", ""), "row 1 is not number, claim, mechanism, tests, mutants")):
        equal(faults(f"\n## Claims\n{row}\n## More\n{good}"), [fault] if fault else [], row)


def test_the_mutants_own_files_name_a_check_of_their_row():
    """A defect that is caught by a test which its row doesn't name would say that the row's tests don't catch it."""
    strays = []
    for _, _, _, tests, mutants in rows(security()):
        for mutant in names(mutants):
            with open(os.path.join(REPO, MUTANTS, mutant + ".patch"), encoding="utf-8") as file:
                caught_by = re.search(r"^Caught-by: (\S+)", file.read(), re.M)
            program = caught_by.group(1) if caught_by else "simulate"
            named = [path for path in names(tests)]
            if program == "simulate" and not any(path.startswith("tests/simulation/") for path in named):
                strays.append(f"{mutant}: {program}")
            elif program != "simulate" and (program + ".c" if "/" in program else "tests/" + program) not in named:
                strays.append(f"{mutant}: {program}")
    equal(strays, [], "mutants caught elsewhere than their row says")


if __name__ == "__main__":
    main(globals())
