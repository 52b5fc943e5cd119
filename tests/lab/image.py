# SPDX-License-Identifier: BSD-3-Clause
"""The guest's root file system: an initramfs of busybox, the tests, and what they need.

Files keep the paths they have on the host, libraries too, so that the dynamic linker finds them the
same way; tests lie in /lab. Nothing here needs root.
"""

import json
import os
import re
import shutil
import subprocess


class ImageError(Exception):
    """Something the lab needs is not on this machine; the text says what to install."""


# Where a Debian machine gets each program that is not its own package's name.
PACKAGES = {"busybox": "busybox-static", "cpio": "cpio", "lstopo-no-graphics": "hwloc-nox",
            "qemu-system-x86_64": "qemu-system-x86", "python3": "python3-minimal",
            "redis-cli": "redis-tools", "redis-check-rdb": "redis-tools",
            "redis-benchmark": "redis-tools", "ldd": "libc-bin", "ldconfig": "libc-bin"}


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")
    if not path:
        raise ImageError(f"{name} is missing; on Debian: apt-get install {PACKAGES.get(name, name)}")
    return path


def find_library(name):
    listing = subprocess.run([find_program("ldconfig"), "-p"], capture_output=True, text=True, check=False).stdout
    found = re.search(rf"^\s*{re.escape(name)} .*=> (/\S+)$", listing, re.M)
    if not found:
        raise ImageError(f"{name} is missing")
    return found.group(1)


def unwrapped(path):
    """The program itself, where libtool left a wrapper script in its place."""
    hidden = os.path.join(os.path.dirname(path), ".libs", os.path.basename(path))
    return hidden if os.path.exists(hidden) else path


def needs(script):
    """What a shell test asks for on its `# needs:` lines: programs, `package:NAME`, `library:NAME`."""
    with open(script, encoding="utf-8") as file:
        lines = [line.split(":", 1)[1] for line in file if line.startswith("# needs:")]
    return [word for line in lines for word in line.split()]


class Image:
    """A folder that becomes an initramfs."""

    def __init__(self, folder):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("bin", "dev", "etc", "lab", "proc", "sys", "tmp", "run", "root"):
            os.makedirs(os.path.join(folder, name))
        self.add(find_program("busybox"), "/bin/busybox")
        self.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        self.write("/etc/group", "root:x:0:\n")
        self.write("/etc/hosts", "127.0.0.1 localhost\n")

    def _at(self, path):
        full = os.path.join(self.folder, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def write(self, path, text, mode=0o644):
        with open(self._at(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self._at(path), mode)

    def add(self, source, path=None):
        """A file, and where it is a program or library those it is linked with."""
        target = self._at(path or source)
        if os.path.exists(target):
            return
        shutil.copyfile(source, target)
        os.chmod(target, 0o755)
        with open(source, "rb") as file:
            content = file.read()
        if content.startswith(b"\x7fELF"):
            self._add_libraries(source)
            self._add_loaded(content)

    def _add_libraries(self, source):
        listing = subprocess.run([find_program("ldd"), source], capture_output=True, text=True,
                                 check=False).stdout
        missing = re.findall(r"^\s*(\S+) => not found", listing, re.M)
        if missing:
            raise ImageError(f"{source} needs {' '.join(missing)}, which this machine lacks")
        for path in re.findall(r"^(?:.*=> |\s+)(/\S+) \(0x", listing, re.M):
            self.add(path)

    def _add_loaded(self, content):
        """What the file loads when it needs it, as its notes say (the UAPI group's ELF dlopen metadata)."""
        for note in content.split(b"\x0a\x0c\x7c\x40FDO\0")[1:]:
            for name in json.loads(note.split(b"\0")[0])[0]["soname"]:
                self.add(find_library(name))

    def add_program(self, name):
        """A program of the host, on the guest's PATH."""
        self.add(find_program(name), f"/bin/{name}")

    def add_package(self, name):
        """Every file of an installed Debian package but its documentation."""
        result = subprocess.run([find_program("dpkg"), "-L", name], capture_output=True, text=True, check=False)
        if result.returncode:
            raise ImageError(f"package {name} is missing; on Debian: apt-get install {name}")
        for path in result.stdout.splitlines():
            if path.startswith("/usr/share/") or os.path.isdir(path) or not os.path.exists(path):
                continue
            self.add(path)

    def pack(self, archive):
        """Writes the archive that the kernel unpacks."""
        names = subprocess.run(["find", ".", "-print0"], cwd=self.folder, check=True,
                               capture_output=True).stdout
        with open(archive, "wb") as file:
            subprocess.run([find_program("cpio"), "--null", "-o", "-H", "newc", "-R", "0:0",
                            "--quiet"], cwd=self.folder, input=names, stdout=file, check=True)
