# SPDX-License-Identifier: BSD-3-Clause
"""Processes whose end is told in words."""

import json
import os
import signal
import subprocess

from . import machine

CANNOT = 77  # exit status: it cannot be measured here
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # nobody here sends that: the kernel, where memory ends


class Skip(Exception):
    """It cannot be measured here; says why."""


class Broken(Exception):
    """What was measured failed."""


def pinned(threads):
    """For subprocess's preexec_fn: what pins a process of so many threads, None where processors are too few."""
    cpus = machine.cpus_for(threads)
    return (lambda: os.sched_setaffinity(0, cpus)) if cpus else None


def _name(command):
    """What is run, whatever env(1) does for it."""
    return next(os.path.basename(word) for word in command if word != "env" and "=" not in word)


def run(command, threads=1, seconds=120, env=None, stdin=None, cwd=None):
    """Standard output of a command; Skip or Broken otherwise."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=env,
                              input=stdin, cwd=cwd, preexec_fn=pinned(threads))
    except subprocess.TimeoutExpired:
        raise Skip(f"took more than {seconds} s") from None
    except FileNotFoundError:
        raise Skip(f"no {command[0]} here") from None
    if done.returncode == CANNOT:
        raise Skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "cannot")
    if done.returncode in KILLED:
        raise Skip("was killed, as the kernel does where memory ends")
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Broken(f"{_name(command)}: exit status {done.returncode}"
                     + (f": {said[-1]}" if said else ""))
    return done.stdout


def run_json(command, **how):
    return json.loads(run(command, **how))
