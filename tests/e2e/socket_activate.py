"""poold takes its socket from a service manager, tells READY, STATUS, its watchdog's beat and
STOPPING, and exits with 0 on SIGTERM; the socket is not its own, so it stays."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import PATIENCE, POOLCTL, POOLD, Folder, Poold, fail, skip  # noqa: E402


class Manager:
    """The notification socket of a service manager. A thread reads it, since a full one would
    hold the daemon up."""

    def __init__(self, folder):
        self.path = folder.at("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.queue = queue.Queue()
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            self.queue.put(self.socket.recv(4096).decode())

    def expect(self, line, daemon):
        """Reads until a message has this line, or one that begins with it and "="."""
        while True:
            for message in self.heard:
                for told in message.split("\n"):
                    if told == line or told.startswith(line + "="):
                        return told
            try:
                self.heard.append(self.queue.get(timeout=PATIENCE))
            except queue.Empty:
                fail(f"no {line} among {self.heard}\n{daemon.said()}")


def poolctl(folder, *argv):
    got = subprocess.run([POOLCTL, "--socket", folder.socket, *argv], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    return got.returncode, got.stdout, got.stderr


def main():
    activate = shutil.which("systemd-socket-activate")
    if not activate:
        skip("no systemd-socket-activate")
    with open(os.path.join(os.environ["POOLD_TEST_BUILDDIR"], "config.h")) as f:
        if "#define HAVE_SYSTEMD 1" not in f.read():
            skip("built without systemd")

    with Folder() as folder:
        manager = Manager(folder)
        env = dict(os.environ, NOTIFY_SOCKET=manager.path)
        daemon = Poold(folder, env=env, command=[
            activate, "--listen", folder.socket, "--fdname=poold",
            "-E", "NOTIFY_SOCKET", "-E", "WATCHDOG_USEC=1000000",
            # What sanitizers and coverage are told by the environment goes along.
            *[f"-E{name}" for name in os.environ if name.endswith("SAN_OPTIONS")],
            POOLD, "--config", folder.config])
        try:
            # The path is there before it listens, so its word counts; the first client starts poold.
            daemon.await_that(lambda: "Listening on" in daemon.said(), "the socket is there")
            code, out, err = poolctl(folder, "run", "--", "sh", "-c", "echo activated; exit 3")
            if (code, out) != (3, "activated\n"):
                fail(f"poolctl run: {code}, {out!r}, {err!r}\n{daemon.said()}")
            manager.expect("READY=1", daemon)
            manager.expect("STATUS", daemon)
            manager.expect("WATCHDOG=1", daemon)
            code = daemon.stop(signal.SIGTERM)
            manager.expect("STOPPING=1", daemon)
            if code != 0:
                fail(f"SIGTERM: exit {code}\n{daemon.said()}")
            if not os.path.exists(folder.socket):
                fail("poold removed a socket that was handed to it")
        finally:
            daemon.stop(signal.SIGKILL)
    print("ready, status, watchdog, stopping")


main()
