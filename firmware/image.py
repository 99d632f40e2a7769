"""An image as its own file tells of it: sections, functions, who calls whom, and how much stack that takes."""

import bisect
import re
import struct
import subprocess
from functools import cache


def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


class Image:
    def __init__(self, path):
        self.path = path
        self.sections, self.functions, self.stack, self.sites = {}, {}, {}, []
        for line in lines("readelf", "-SW", path):
            found = re.match(r"\s*\[\s*\d+\] (\S+)\s+(\S+)\s+(\w+) (\w+) (\w+) \w+\s+(\w*)", line)
            if found:
                name, kind, address, offset, size, flags = found.groups()
                self.sections[name] = kind, int(offset, 16), int(size, 16), flags
                if name == ".text":
                    self.text = int(address, 16), int(size, 16)
        for line in lines("nm", "-C", path):
            found = re.match(r"(\w{8}) [tTwW] ([^$].*)", line)
            if found:
                self.functions.setdefault(int(found[1], 16) & ~1, found[2])
        self.starts = sorted(self.functions)
        if ".stack_sizes" in self.sections:
            self.sizes(open(path, "rb").read())
        self.relocations(path)
        assert self.sites, f"{path} does not say who calls whom: it was not linked with --emit-relocs"

    def sizes(self, data):
        """Reads what each function takes: an address, and a number of seven bits a byte."""
        _, place, size, _ = self.sections[".stack_sizes"]
        end = place + size
        while place < end:
            (address,) = struct.unpack_from("<I", data, place)
            place, value, shift = place + 4, 0, 0
            while True:
                byte = data[place]
                place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
                if byte < 128:
                    break
            self.stack[address & ~1] = value

    def relocations(self, path):
        self.calls, self.taken, self.vectors, section = {}, set(), set(), ""
        for line in lines("readelf", "-rW", path):
            section = line.split("'")[1] if line.startswith("Relocation section") else section
            found = re.match(r"(\w{8})\s+\w+\s+(R_ARM_\w+)\s+(\w{8})", line)
            if not found:
                continue
            place, kind, callee = int(found[1], 16), found[2], int(found[3], 16) & ~1
            if "THM_MOV" in kind:
                # Half of an address; it may be a function's.
                if callee in self.functions:
                    self.taken.add(callee)
            elif "THM" in kind:
                self.calls.setdefault(self.function(place), set()).add(self.function(callee))
                self.sites.append((place, self.function(callee)))
            elif callee in self.functions and section != ".rel.stack_sizes":
                (self.vectors if "vector" in section else self.taken).add(callee)

    def function(self, place):
        return self.starts[max(bisect.bisect(self.starts, place) - 1, 0)]

    def deepest(self, start):
        """The deepest way down from this function."""
        path = set()

        @cache
        def down(function):
            if function in path:
                return 0
            path.add(function)
            below = max((down(callee) for callee in self.calls.get(function, ())), default=0)
            path.discard(function)
            return self.stack.get(function, 0) + below

        return down(start)

    def bound(self, frame):
        (reset,) = (place for place, name in self.functions.items() if name == "Reset")
        interrupts = self.vectors - {reset}
        pointed = sorted((self.deepest(place) for place in self.taken - self.vectors), reverse=True)
        within = sorted((self.deepest(place) + frame for place in interrupts), reverse=True)
        return self.deepest(reset) + sum(pointed[:2]) + sum(within[:2])

    def size(self, wanted):
        return sum(
            size
            for kind, _, size, flags in self.sections.values()
            if "A" in flags and wanted(kind, flags)
        )
