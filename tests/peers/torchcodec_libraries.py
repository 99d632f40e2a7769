"""Lets torchcodec run where no FFmpeg is installed: on the one that PyAV brings along."""

import os
import pathlib
import re
import sys
import tempfile

import av


def lend():
    """Starts this Python again so that torchcodec finds PyAV's libraries under their usual names."""
    if "SINEW_LENT_LIBRARIES" in os.environ:
        return
    brought = pathlib.Path(av.__file__).parent.parent / "av.libs"
    folder = tempfile.mkdtemp(prefix="ffmpeg-of-pyav-")
    for library in brought.glob("lib*.so.*"):
        found = re.fullmatch(r"(lib(?:av|sw)\w+)-[0-9a-f]+\.so\.(\d+).*", library.name)
        if found:
            os.symlink(library, os.path.join(folder, f"{found[1]}.so.{found[2]}"))
    paths = [folder, str(brought), os.environ.get("LD_LIBRARY_PATH", "")]
    os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, paths))
    os.environ["SINEW_LENT_LIBRARIES"] = folder
    os.execv(sys.executable, [sys.executable, *sys.argv])


def give_back():
    """Removes what `lend` made."""
    folder = os.environ.get("SINEW_LENT_LIBRARIES")
    if folder and os.path.isdir(folder):
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
