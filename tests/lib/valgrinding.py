"""What tests share that run the programs under valgrind."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import threading

from pooldtest import BUILD, POOLD, SANITIZERS, skip


def require():
    """Skips where valgrind is not there or cannot run the programs."""
    if SANITIZERS:
        skip("built with sanitizers")
    if not shutil.which("valgrind"):
        skip("no valgrind")
    tried = subprocess.run([shutil.which("valgrind"), "--quiet", POOLD, "--version"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if tried.returncode:
        print(tried.stdout)
        skip("this valgrind cannot run what this compiler makes")


class PidfdHelper:
    """Makes pidfds for the daemon, since valgrind does not (tests/lib/pidfd_helper.c)."""

    LIBRARY = os.path.join(BUILD, "tests", "lib", ".libs", "pidfd_helper.so")

    def __init__(self, folder):
        self.path = folder.at("pidfd")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(self.path)
        self.socket.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def env(self):
        return dict(os.environ, LD_PRELOAD=self.LIBRARY, POOLD_TEST_PIDFD_HELPER=self.path)

    def serve(self):
        while True:
            peer, _ = self.socket.accept()
            question, fds, _, _ = socket.recv_fds(peer, 64, 1)
            if len(question) == 8:
                self.answer(peer, *struct.unpack("ii", question), fds)
            for fd in fds:
                os.close(fd)
            peer.close()

    def answer(self, peer, pid, signo, fds):
        made = []
        try:
            if fds:
                signal.pidfd_send_signal(fds[0], signo)
            else:
                made = [os.pidfd_open(pid)]
            error = 0
        except OSError as e:
            error = e.errno
        socket.send_fds(peer, [struct.pack("i", error)], made)
        for fd in made:
            os.close(fd)
