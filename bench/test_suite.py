#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of what bench/report and bench/compare conclude, on made-up results; TAP."""

import contextlib
import io
import os
import random
import subprocess
import sys
import tempfile
import types
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from suite import (change, document, machine, micro, notes, peers, pictures, plan, plot, process,  # noqa: E402
                   results, shown, summary, table, targets)

HERE = os.path.dirname(os.path.abspath(__file__))
PEERS = ("situs", "jemalloc", "memkind", "mimalloc", "glibc")
SEED = 8


def made(factors=None, noise=0.02, rounds=5, seed=SEED, speed=1.0, peak=1.0):
    """Results in which each peer takes 10 ns times its factor in 40 micro-benchmarks and 3 workloads."""
    chance = random.Random(seed)
    r = results.Results()
    r.data.update(date="2026-01-01", rounds=rounds, seconds=1, pinned=False, peers={},
                  options={"mode": "full", "min_time": 0.01, "scale": 1},
                  machine={"processor": "made up", "virtual": False, "cpus": 2, "nodes": 1,
                           "memory": 1 << 30, "kernel": "6", "thp": "madvise", "overcommit": "0",
                           "governor": "none", "load": 0.0, "versions": {}})
    for round_ in range(rounds):
        for peer in PEERS:
            for test in range(40):
                factor = (factors or {}).get((f"live/{test}", peer), 1) * speed
                value = 10 * factor * max(0.1, chance.gauss(1, noise))
                r.add(round_, "micro", f"live/{test}", 1, peer, cpu=value, wall=value)
            for name in ("larson", "sh6", "graph"):
                value = speed * max(0.1, chance.gauss(1, noise))
                size = (1 << 20) * (peak if peer == "situs" else 1)
                r.add(round_, "work", name, 2, peer, cpu=value, wall=value, peak=size, faults=10,
                      off_node=0, looked=100)
    return r


def wants_matplotlib(test):
    return test if plot.matplotlib else skipped(plot.MISSING)


def skipped(why):
    def test():
        return why
    return test


def worse(old, new):
    return [(c.name, c.metric) for c in change.changes(old, new) if c.worse]


def test_a_regression_beyond_noise_is_told():
    assert ("live/7", "cpu") in worse(made(), made({("live/7", "situs"): 1.3}, seed=1))


def test_a_regression_is_told_of_alone():
    told = worse(made(noise=0.01), made({("live/7", "situs"): 1.3}, noise=0.01, seed=1))
    assert told == [("live/7", "cpu")], told


def test_noise_is_not_cried_at():
    cries = sum(len(worse(made(noise=0.05, seed=2 * s), made(noise=0.05, seed=2 * s + 1)))
                for s in range(20))
    # 20 comparisons of 46 figures each
    assert cries <= 10, f"{cries} cries"


def test_a_noisier_run_is_doubted_more():
    calm, wild = ([v * f for f in (1, 1 + s, 1 - s, 1 + 2 * s, 1 - 2 * s)] for v, s in ((5, .01), (5, .1)))
    assert change.relative_spread(calm) < change.relative_spread(wild)


def test_a_slower_machine_is_no_regression():
    assert worse(made(noise=0.01), made(noise=0.01, seed=1, speed=1.5)) == []


def test_a_regression_on_a_faster_machine_is_told():
    new = made({("live/3", "situs"): 1.4}, noise=0.01, seed=1, speed=0.7)
    assert worse(made(noise=0.01), new) == [("live/3", "cpu")]


def test_another_peers_regression_is_not_ours():
    assert worse(made(noise=0.01), made({("live/3", "glibc"): 3}, noise=0.01, seed=1)) == []


def test_more_memory_is_a_regression():
    told = worse(made(noise=0.01), made(noise=0.01, seed=1, peak=1.2))
    assert told == [(name, "peak") for name in ("larson", "sh6", "graph")], told


def test_workloads_of_another_scale_are_not_compared():
    new = made(noise=0.01, seed=1, peak=3)
    new.data["options"]["scale"] = 0.4
    assert worse(made(noise=0.01), new) == []


def test_an_improvement_is_told():
    new = made({("live/3", "situs"): 0.6}, noise=0.01, seed=1)
    assert [c.name for c in change.changes(made(noise=0.01), new) if c.better] == ["live/3"]


def compare(old, new):
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("old", "new")]
        for run, path in zip((old, new), paths):
            run.save(path)
        return subprocess.run([sys.executable, os.path.join(HERE, "compare"), *paths],
                              capture_output=True, text=True)


def test_compare_exits_1_and_names_what_got_slower():
    done = compare(made(), made({("live/7", "situs"): 1.3}, seed=1))
    assert done.returncode == 1 and "worse  micro: live/7: situs: cpu x1.3" in done.stdout, done


def test_compare_exits_0_where_nothing_did():
    assert compare(made(noise=0.01), made(noise=0.01, seed=1)).returncode == 0


def test_compare_exits_2_on_a_file_that_is_none():
    done = subprocess.run([sys.executable, os.path.join(HERE, "compare"), os.devnull, os.devnull],
                          capture_output=True, text=True)
    assert done.returncode == 2 and "bench/compare:" in done.stderr, done


def test_compare_exits_2_on_results_of_something_else():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "x.json")
        for text in ("[]", '{"suite": 1}', '{"suite": 1, "options": {}, "results": []}'):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([sys.executable, os.path.join(HERE, "compare"), path, path],
                                  capture_output=True, text=True)
            assert done.returncode == 2 and done.stderr.count("\n") == 1, (text, done)


def test_compare_names_what_is_not_measured_any_more():
    new = made(noise=0.01, seed=1)
    for peer in ("situs", "glibc"):
        new.data["results"].remove(new.records["micro", "live/7", 1, peer])
    done = compare(made(noise=0.01), new)
    assert done.returncode == 1 and "not measured any more: micro: live/7: situs\n" in done.stdout and \
        "glibc" not in done.stdout, done


def test_ratios_are_of_the_same_round():
    r = results.Results()
    for round_, mood in enumerate((1, 10, 100)):
        r.add(round_, "micro", "pairs/64", 1, "situs", cpu=2.0 * mood)
        r.add(round_, "micro", "pairs/64", 1, "jemalloc", cpu=4.0 * mood)
    ratio = r.ratio("micro", "pairs/64", 1, "situs", "jemalloc")
    assert (ratio.median, ratio.low, ratio.high) == (0.5, 0.5, 0.5)


def test_a_round_that_one_has_not_is_left_out():
    r = results.Results()
    r.add(0, "micro", "pairs/64", 1, "situs", cpu=100.0)
    for peer, value in (("situs", 2.0), ("jemalloc", 4.0)):
        r.add(1, "micro", "pairs/64", 1, peer, cpu=value)
    assert r.ratio("micro", "pairs/64", 1, "situs", "jemalloc").n == 1


def pairs(value):
    r = made()
    for round_ in range(5):
        for peer, cpu in (("situs", value), ("jemalloc", 10.0)):
            r.add(round_, "micro", "pairs/64", 1, peer, cpu=cpu, wall=cpu)
    return r


def verdict(r):
    return next(v for v in targets.verdicts(r) if v.what == "64-byte pairs, beside jemalloc's malloc")


def test_a_figure_by_the_piece_keeps_its_spread():
    ratio = results.Ratio([2000.0, 4000.0, 6000.0]).divided(1000)
    assert (ratio.median, ratio.low, ratio.high) == (4.0, 2.0, 6.0)


def test_a_target_that_is_reached_is_met():
    assert verdict(pairs(7.0)).words() == "met"


def test_a_target_that_is_missed_says_by_how_much():
    assert verdict(pairs(9.0)).words() == "**missed by 20 %**"


def test_what_was_not_measured_is_neither_met_nor_missed():
    v = verdict(made())
    assert not v.known and v.words() == "not measured"


def test_a_workload_stands_beside_the_best_of_each_kind():
    what = [v.what for v in targets.work_targets(made())]
    assert any("beside the best that places (memkind)" in w for w in what), what


def test_the_best_peer_is_the_one_that_is_furthest_ahead_in_its_rounds():
    r = made()
    for round_, (situs, lucky, ahead) in enumerate(((10, 9, 8), (10, 9, 8), (30, 9, 24), (30, 25, 24), (30, 25, 24))):
        for peer, cpu in (("situs", situs), ("glibc", lucky), ("mimalloc", ahead)):
            r.add(round_, "work", "new", 2, peer, cpu=cpu, wall=cpu, peak=1, faults=1, off_node=0, looked=1)
    assert r.median("work", "new", 2, "glibc") < r.median("work", "new", 2, "mimalloc")
    base, ratio = targets.best(r, "new", 2, False)
    assert base == "mimalloc" and ratio.median == 1.25, (base, ratio)


def test_a_missed_target_without_a_note_says_so():
    before, notes.NOTES = notes.NOTES, []
    try:
        text = document.document(pairs(9.0))
    finally:
        notes.NOTES = before
    assert "missed by 20 %; nothing is known of it yet\n" in text


def test_a_note_goes_with_its_own_targets_only():
    r = made(peak=1.5)
    for round_ in range(5):
        r.add(round_, "micro", "pairs/64", 1, "situs", cpu=5.0)
        r.add(round_, "micro", "pairs/64", 1, "jemalloc", cpu=10.0)
    before, notes.NOTES = notes.NOTES, [("Workloads: larson", "Of time."), ("peak resident of larson", "Of memory.")]
    try:
        text = document.document(r)
    finally:
        notes.NOTES = before
    line = next(line for line in text.splitlines() if line.startswith("- Heaps: peak resident of larson"))
    assert line.endswith("; note 1") and "1. Of memory." in text and "Of time." not in text, line


def test_a_peer_that_is_a_hundred_times_ahead_has_a_figure():
    assert table.cell(results.Ratio([0.0041])) == "**0.004**"


def test_the_figures_have_workloads_of_any_number_of_threads():
    r = made()
    for round_ in range(5):
        r.add(round_, "work", "sh8", 8, "situs", cpu=0.1)
    assert any("sh8, 8 threads" in line for line in summary.summary(r, []))


def test_the_page_for_a_terminal_has_peers_of_both_kinds_and_marks_who_is_ahead():
    r = made({("live/0", "jemalloc"): 0.5}, noise=0.001)
    r.data.update(skipped=[{"what": "memkind", "why": "not here"}], peers={"situs": {"version": "7"}})
    for peer, value in (("raw/mmap", 1000.0), ("area/anon", 1100.0)):
        r.add(0, "area", "call", 1, peer, cpu=value, wall=value)
    page = shown.text(r)
    heads = [line.split("  ")[0] for line in page]
    lines = [line for line in page if line.startswith("0 live blocks")]
    assert page[0].startswith("Situs 7 in node:0; made up, 2 processors")
    assert "one operation, beside what places or could" in heads and "its peak memory, beside what does not place" in heads
    assert [line.count("*") for line in lines] == [0, 1] and "0.50*" in lines[1], lines
    assert "anon                           1.10 µs" in page and "  memkind: not here" in page, page


def test_what_is_done_with_a_whole_heap_stands_beside_the_same_by_hand():
    r = made()
    for peer, value in (("situs", 2e6), ("move_pages", 1e6)):
        r.add(0, "heap", "locate", 1, peer, cpu=value, wall=value)
    text = document.document(r)
    assert "| where one block of 64 MiB lies | Situs | 2.00 ms |\n" \
        "| where one block of 64 MiB lies | move_pages by hand | 1.00 ms |\n" in text


def test_page_faults_are_told_of_every_peer():
    text = document.document(made())
    assert "| page faults | Situs heap | memkind | jemalloc | mimalloc | glibc |" in text


def test_the_document_has_losses_in_bold():
    text = document.document(made({("live/0", "jemalloc"): 0.5}, noise=0.001))
    line = next(line for line in text.splitlines() if line.startswith("| 0 live blocks"))
    assert "**0.50**" in line and line.count("**") == 2, line


def test_the_document_leads_with_what_is_missed():
    text = document.document(pairs(9.0))
    assert "64-byte pairs, beside jemalloc's malloc: 0.9× where at most 0.75× is wanted" in \
        text.split("###")[0], text[:2000]


def test_a_missed_target_brings_what_is_known_of_it():
    before, notes.NOTES = notes.NOTES, [("64-byte pairs", "It is known.")]
    try:
        missed, met = (document.document(pairs(value)) for value in (9.0, 5.0))
    finally:
        notes.NOTES = before
    assert "missed by 20 %; note 1\n" in missed and "\n1. It is known.\n" in missed and \
        "It is known." not in met


def test_skips_are_named():
    r = made()
    r.skip("memkind", "not built; Debian package libmemkind-dev")
    assert "- memkind: not built; Debian package libmemkind-dev" in document.document(r)


def scripts(folder, **texts):
    for name, text in texts.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)


def test_a_peer_whose_library_is_gone_is_named():
    with tempfile.TemporaryDirectory() as folder:
        scripts(folder, peer_tbb="echo tbb: no libtbbmalloc.so.2 >&2; exit 127", peer_glibc="echo '{}'")
        found, missing = peers.find_peers(folder)
    assert [p.key for p in found] == ["glibc"]
    assert ("TBB", "tbb: no libtbbmalloc.so.2; Debian package libtbb-dev") in missing, missing
    assert ("memkind", "not built; Debian package libmemkind-dev") in missing, missing


def test_what_cannot_be_preloaded_is_named_and_not_measured():
    before, peers.PRELOADS = peers.PRELOADS, [("glibc", None, None), ("tbb", "libnosuch.so.9", "libnosuch9")]
    which, peers.shutil.which = peers.shutil.which, lambda program: None
    try:
        found, missing = peers.find_preloads()
    finally:
        peers.PRELOADS, peers.shutil.which = before, which
    assert found == [("glibc", None)]
    assert missing == [("preload of TBB", "no libnosuch.so.9; Debian package libnosuch9"),
                       ("numactl --membind", "no numactl here; Debian package numactl")], missing


def test_maps_that_were_not_there_are_named():
    with tempfile.TemporaryDirectory() as folder:
        scripts(folder, amm_bench="echo 'find<Amm>/1000'; echo 'find<BoostIcl>/1000'")
        assert peers.find_maps(folder) == [("absl::btree_map", "not built; Debian package libabsl-dev")]


def test_areas_that_cannot_be_had_are_named():
    with tempfile.TemporaryDirectory() as folder:
        scripts(folder, area_bench="echo 'left out: hugetlb:2M,node:0: the place has no room' >&2; echo call/raw/mmap")
        assert peers.find_areas(folder) == [("area hugetlb:2M,node:0", "the place has no room")]


def test_a_process_that_is_killed_found_too_little_memory():
    try:
        process.run(["sh", "-c", "kill -9 $$"])
    except process.Skip as why:
        assert "memory" in str(why)
    else:
        raise AssertionError("no skip")


def test_what_fails_is_told_by_its_own_name():
    try:
        process.run(["env", "A=b", "/bin/sh", "-c", "echo why >&2; exit 5"])
    except process.Broken as why:
        assert str(why) == "sh: exit status 5: why", why
    else:
        raise AssertionError("no failure")


def made_run(steps, minutes=1, only=()):
    run = plan.Run.__new__(plan.Run)
    run.bench, run.situs, run.area, run.say = "", "", "any", lambda line: None
    run.results, run.plan, run.preloads = made(), {"programs": []}, []
    run.options = {"rounds": 3, "minutes": minutes, "only": list(only)}
    run.results.data["rounds"] = 0
    run.steps = lambda where: steps
    return run


def test_a_first_round_that_takes_too_long_ends_and_names_what_it_lacks():
    # By a clock that only steps move on: on a busy machine anything takes some milliseconds.
    begun = []
    clock = types.SimpleNamespace(monotonic=lambda: 61 * len(begun))
    steps = [(name, lambda round_, n=name: begun.append((n, round_))) for name in ("one", "two", "three")]
    run = made_run(steps, minutes=1)
    before, plan.time = plan.time, clock
    try:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            run.run(os.path.join(folder, "out"))
    finally:
        plan.time = before
    assert begun == [("one", 0)], begun
    assert [s["what"] for s in run.results.data["skipped"]] == ["two", "three"]


def test_a_word_that_no_step_has_is_an_error():
    run = made_run([("one", print)], only=["four"])
    try:
        run.run(os.devnull)
    except ValueError as error:
        assert "four" in str(error)
    else:
        raise AssertionError("no error")


SVG = "{http://www.w3.org/2000/svg}"


@wants_matplotlib
def test_pictures_are_xml_with_a_title_for_each_bar():
    images = pictures.pictures(made())
    assert images
    for name, svg in images:
        root = xml.etree.ElementTree.fromstring(svg)
        bars = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("bar-")]
        assert bars and all(b.find(f"{SVG}title") is not None for b in bars), name


@wants_matplotlib
def test_pictures_say_in_words_what_they_show():
    for name, svg in pictures.pictures(made()):
        root = xml.etree.ElementTree.fromstring(svg)
        ids = root.get("aria-labelledby").split()
        said = {e.get("id"): e.text for e in root if e.tag in (f"{SVG}title", f"{SVG}desc")}
        assert root.get("role") == "img" and all(said[i] for i in ids), name


@wants_matplotlib
def test_the_same_results_make_the_same_pictures():
    assert pictures.pictures(made()) == pictures.pictures(made())


@wants_matplotlib
def test_names_of_peers_and_figures_are_text():
    (_, svg), *_ = pictures.pictures(made())
    texts = [t.text for t in xml.etree.ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "Situs heap" in texts and any(t.endswith(" ns") or t.endswith(" s") for t in texts), texts


def test_without_matplotlib_pictures_are_left_out_by_name():
    before, plot.matplotlib = plot.matplotlib, None
    try:
        text = document.document(made())
    finally:
        plot.matplotlib = before
    assert "- pictures: no matplotlib here; Debian package python3-matplotlib\n" in text and "![" not in text


def test_the_readme_shows_the_figures_of_the_documentation():
    shown = []
    for name in ("README.md", os.path.join("doc", "benchmarks.md")):
        with open(os.path.join(HERE, os.pardir, name), encoding="utf-8") as file:
            shown.append(summary.marked(file.read()))
    assert shown[0] is not None and shown[0] == shown[1]


def test_figures_are_renewed_between_their_marks():
    lines = summary.summary(pairs(9.0), [])
    text = summary.replace(f"above\n{summary.BEGIN}\nold\n{summary.END}\nbelow\n", lines)
    assert text.startswith("above\n") and text.endswith("\nbelow\n") and "old" not in text


def test_an_empty_run_makes_a_document_all_the_same():
    r = made()
    r.records.clear()
    assert "0 of 0 targets are met" in document.document(r)


def test_names_lose_what_says_only_how_it_was_run():
    assert micro.name_and_threads("live/1000000/iterations:524288") == ("live/1000000", 1)
    assert micro.name_and_threads("cross/64/threads:8") == ("cross/64", 8)


def test_names_tell_the_peer_in_the_suites_own_benchmarks():
    assert plan.own_name("amm", "find<AbslBtree>/1000") == ("find/1000", "AbslBtree")
    assert plan.own_name("area", "touch/area/file:/tmp/65536") == ("touch/65536", "area/file:/tmp")
    assert plan.own_name("heap", "locate/move_pages") == ("locate", "move_pages")


def test_each_peer_begins_some_round():
    first = {plan.Run.turn(round_, ["a", "b", "c"])[0] for round_ in range(6)}
    assert first == {"a", "b", "c"}, first


def with_processors(cpus, function):
    real, os.sched_getaffinity = os.sched_getaffinity, lambda pid: set(cpus)
    try:
        return function()
    finally:
        os.sched_getaffinity = real


def test_threads_are_pinned_where_processors_are_enough():
    assert with_processors(range(8), lambda: machine.cpus_for(2)) == {1, 2}
    assert with_processors([3, 5, 7, 9], lambda: machine.cpus_for(3)) == {5, 7, 9}
    assert with_processors(range(8), lambda: machine.cpus_for(8)) is None
    assert with_processors(range(2), lambda: machine.cpus_for(1)) is None


def test_a_process_runs_on_the_processors_it_is_pinned_to():
    here = os.sched_getaffinity(0)
    real, machine.cpus_for = machine.cpus_for, lambda threads: {max(here)}
    try:
        said = process.run([sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"])
    finally:
        machine.cpus_for = real
    assert said.split() == [str(max(here))], said
    assert os.sched_getaffinity(0) == here


def main():
    plot.become_who_can()
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    failed = 0
    for n, (name, test) in enumerate(tests, 1):
        said = name.removeprefix("test_").replace("_", " ")
        try:
            why = test()
            print(f"ok {n} - {said}" + (f" # SKIP {why}" if why else ""))
        except Exception as error:  # whatever it is, the test failed
            failed += 1
            print(f"not ok {n} - {said}")
            print("# " + f"{type(error).__name__}: {error}".replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
