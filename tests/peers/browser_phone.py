"""A phone's page in a real browser: python browser_phone.py

Runs Chromium without a window as a phone with a touch screen and motion sensors, and answers each line on stdin
with a report: "open URL", "tap ID" an element, "touch ID ACROSS UP" and hold it there (shares of it from -1 to 1),
"turn ALPHA BETA GAMMA" the phone, "lift HEIGHT" it in a room that is made up
here, "let go" of everything. Each report has the page's words and its errors.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")

#: A phone that follows itself through a room, as WebXR tells of one: flat, its upper end ahead.
ROOM = """
window.height = 1;
window.XRWebGLLayer = class {};
const turn = {x: -Math.SQRT1_2, y: 0, z: 0, w: Math.SQRT1_2};
const pose = () => ({emulatedPosition: false, transform: {position: {x: 0, y: height, z: 0}, orientation: turn}});
const session = Object.assign(new EventTarget(), {
  updateRenderState: async () => {}, requestReferenceSpace: async () => ({}),
  requestAnimationFrame: (act) => setTimeout(() => act(0, {getViewerPose: pose}), 16),
});
Object.defineProperty(navigator, "xr", {value: {
  isSessionSupported: async () => window.walks, requestSession: async () => session,
}});
window.walks = location.hash === "#room";
"""


class Browser:
    """Chromium, told what to do over a pair of pipes."""

    def __init__(self, path, folder):
        here_out, there_in = os.pipe()
        there_out, here_in = os.pipe()
        # The browser reads at 3 and writes at 4.
        words = [path, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                 "--ignore-certificate-errors", f"--user-data-dir={folder}", "about:blank"]  # fmt: skip

        def arrange():
            os.dup2(there_out, 10)
            os.dup2(there_in, 11)
            os.dup2(10, 3)
            os.dup2(11, 4)

        self.process = subprocess.Popen(
            words, close_fds=False, preexec_fn=arrange, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(there_in)
        os.close(there_out)
        self.into, self.out = os.fdopen(here_in, "wb", 0), os.fdopen(here_out, "rb", 0)
        self.rest, self.number, self.session, self.errors = b"", 0, None, []

    def read(self):
        while b"\0" not in self.rest:
            more = os.read(self.out.fileno(), 1 << 16)
            if not more:
                sys.exit("the browser has ended")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def do(self, method, **params):
        self.number += 1
        words = {"id": self.number, "method": method, "params": params}
        if self.session:
            words["sessionId"] = self.session
        self.into.write(json.dumps(words).encode() + b"\0")
        while True:
            said = self.read()
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"]["text"])
            if said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"]["text"])
            if said.get("id") == self.number:
                if "error" in said:
                    sys.exit(f"{method}: {said['error']}")
                return said["result"]

    def value(self, expression):
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def place(self, element, across=0.0, up=0.0):
        box = self.value(
            f"(({{left, top, width, height}}) => [left, top, width, height])"
            f"(document.getElementById({json.dumps(element)}).getBoundingClientRect())"
        )
        left, top, width, height = box
        return left + width * (1 + across) / 2, top + height * (1 - up) / 2


def main():
    path = os.environ.get("SINEW_PEER_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    folder = tempfile.mkdtemp()
    browser = Browser(path, folder) if path else None
    fingers = []
    for line in sys.stdin:
        word, *rest = line.split()
        if browser is None:
            print(json.dumps({"checks": 1, "skipped": "no Chromium is installed"}), flush=True)
            continue
        if word == "open":
            pages = browser.do("Target.getTargets")["targetInfos"]
            page = next(page["targetId"] for page in pages if page["type"] == "page")
            browser.session = browser.do("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                browser.do(f"{domain}.enable")
            browser.do("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
            browser.do("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
            browser.do("Page.addScriptToEvaluateOnNewDocument", source=ROOM)
            browser.do("Page.navigate", url=rest[0])
            while browser.value("document.readyState + (document.getElementById('state')?.textContent || '…')").endswith("…"):
                time.sleep(0.05)
        elif word == "touch":
            x, y = browser.place(rest[0], float(rest[1]), float(rest[2]))
            fingers.append({"x": x, "y": y, "id": len(fingers)})
            browser.do("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers)
        elif word == "lift":
            browser.value(f"height = {float(rest[0])}")
        elif word == "let":
            fingers = []
            browser.do("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        elif word == "tap":
            x, y = browser.place(rest[0])
            browser.do("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            browser.do("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        elif word == "turn":
            turned = dict(zip(("alpha", "beta", "gamma"), map(float, rest)))
            before, end = browser.value("hand.turn"), time.monotonic() + 20
            # Its sensors begin to speak only once the page has asked for them.
            while browser.value("hand.turn") == before and time.monotonic() < end:
                browser.do("DeviceOrientation.setDeviceOrientationOverride", **turned)
                time.sleep(0.02)
        report = {
            "checks": 1,
            "words": browser.value("document.getElementById('state').textContent"),
            "secure": browser.value("isSecureContext"),
            "turn": browser.value("hand.turn"),
            "fits": browser.value("document.documentElement.scrollHeight <= innerHeight"),
            "errors": browser.errors,
            "browser": browser.do("Browser.getVersion")["product"],
        }
        print(json.dumps(report), flush=True)
    if browser is not None:
        browser.process.terminate()
        browser.process.wait()
    shutil.rmtree(folder, ignore_errors=True)


main()
