"""A way to a server that is cut once, in the middle of an answer."""

import re
import socket
import threading
from urllib.parse import urlsplit


class Cutting:
    """Passes everything on, but cuts the first connection on which so many bytes came back."""

    def __init__(self, endpoint, after):
        there = urlsplit(endpoint)
        self.there, self.after = (there.hostname, there.port), after
        self.cuts, self.ranges = 0, []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.there)
            threading.Thread(target=self.ask, args=(near, far), daemon=True).start()
            threading.Thread(target=self.answer, args=(near, far), daemon=True).start()

    def ask(self, near, far):
        try:
            while data := near.recv(65536):
                self.ranges += [int(first) for first in re.findall(rb"(?i)range: bytes=(\d+)-", data)]
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def answer(self, near, far):
        count = 0
        try:
            while data := far.recv(65536):
                count += len(data)
                if count > self.after and self.cuts == 0:
                    self.cuts += 1
                    break
                near.sendall(data)
        except OSError:
            pass
        for side in (near, far):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            side.close()
