# SPDX-License-Identifier: BSD-3-Clause
"""One guest at a time on a machine: two of them on two cores only get in each other's way.

The turn is a Unix socket of an abstract name: no file that another user could own, a private TMPDIR hide
or a killed runner leave behind. The kernel frees the name with the process that has it. Who waits is
connected to it, learns from that whose turn it is (SO_PEERCRED), and that it is over when the
connection breaks.
"""

import errno
import os
import pwd
import shlex
import socket
import struct
import time


def name():
    """SITUS_LAB_TURN is for tests of the lab itself, which boot nothing."""
    return "\0" + os.environ.get("SITUS_LAB_TURN", "situs-lab")


def take(tell):
    """Waits for this process's turn, which lasts while what is returned stays open. tell(TEXT, is_shell)
    is called once for each process that is waited for."""
    while True:
        turn = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            turn.bind(name())
            turn.listen(1024)
            return turn
        except OSError as error:
            turn.close()
            if error.errno != errno.EADDRINUSE:
                raise
        wait(tell)


def wait(tell):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(name())
            told = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            tell(*describe(*struct.unpack("3i", told)[:2]))
            other.recv(1)
        except ConnectionError:
            time.sleep(0.1)  # it ends, or just begins


def describe(pid, uid):
    """Who has the turn and what to do about it; and whether somebody works in a shell there."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [word.decode(errors="replace") for word in file.read().split(b"\0") if word]
    except OSError:
        words = []
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = f"user {uid}"
    shell = "--shell" in words
    todo = "leave that shell with `exit'" if shell else "wait for it"
    command = f" ({shlex.join(words[1:])})" if words else ""
    return f"one guest runs at a time: process {pid}{command} of {user} has one; {todo}, or kill {pid}", shell
