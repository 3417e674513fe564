"""Events of a watch: what is told of each future, in which order, and to whom."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import BUILD, POOLS, run_cases
from wire import Client

PROOF = os.path.join(BUILD, "tests", "unit", "modules", ".libs", "proof.so")


class Watch(ClientCase):
    pools = POOLS + f"\n[pool proof]\nhandler = module\nmodule = {PROOF}\nworkers = 1\n"

    def submit(self, function="bench/noop", input=None, **options):
        return self.c.call("submit", function, input, options)

    def done(self, *more, **options):
        id = self.submit(**options)
        self.c.call("wait", [id, *more])
        return id

    def events_until_final(self, watch, *ids, c=None):
        """(id, kind, map) of all events until the final of each."""
        events, left = [], set(ids)
        while left:
            number, id, kind, what = (c or self.c).note("event")
            self.assertEqual(number, watch)
            events.append((id, kind, what))
            if kind == "final":
                left.remove(id)
        return events

    def kinds(self, events):
        return [what["state"] if kind == "state" else kind for _, kind, what in events]

    def nothing_more(self):
        self.c.call("ping")
        self.assertEqual([n for n in self.c.notes if n[0] == "event"], [])

    def spinning(self):
        """A job that has been received by its worker."""
        id = self.submit("proof/spin_until_cancelled", None)
        self.poold.await_that(lambda: "progress" in self.c.call("info", id), "it runs")
        return id

    # ---- states and the end ----

    def test_each_state_is_told_then_the_end(self):
        blocker, = self.blockers(1)
        id = self.submit("exec", ["sleep", "0.05"], delay=0.05)
        w = self.c.call("watch", {"ids": [id]})
        events = self.events_until_final(w, id)
        self.assertEqual(self.kinds(events), ["delayed", "queued", "running", "final"])
        self.assertEqual([e["attempt"] for _, kind, e in events if kind == "state"], [0, 0, 1])
        final = events[-1][2]
        self.assertEqual(set(final), {"state", "error", "timing"})
        self.assertEqual((final["state"], final["error"]), ("done", None))
        self.assertEqual(set(final["timing"]), {"queued", "handover", "run", "return"})
        self.nothing_more()

    def test_final_ones_come_first_and_once(self):
        jobs = [self.done() for _ in range(3)]
        running = self.submit("exec", ["sleep", "0.1"])
        w = self.c.call("watch", {"ids": [running, *jobs, *jobs]})
        events = self.events_until_final(w, running, *jobs)
        self.assertEqual([(id, kind) for id, kind, _ in events[:3]], [(id, "final") for id in jobs])
        self.assertEqual({id for id, _, _ in events[3:]}, {running})
        self.nothing_more()

    def test_unknown_and_expired_ones_are_final(self):
        gone = self.done(ttl=0.001)
        self.poold.await_that(lambda: self.c.call("wait", [gone]) == [[gone, "expired"]], "it expires")
        w = self.c.call("watch", {"ids": [1 << 50, gone]})
        for id, kind, what in self.events_until_final(w, 1 << 50, gone):
            self.assertEqual(kind, "final")
            word = "expired" if id == gone else "unknown_future"
            self.assertEqual((what["state"], what["error"][0], what["timing"]), (word, word, {}))
        self.nothing_more()

    def test_the_end_has_its_error(self):
        id = self.submit("exec", ["sh", "-c", "exit 3"])
        w = self.c.call("watch", {"ids": [id]})
        final = self.events_until_final(w, id)[-1][2]
        self.assertEqual(final["state"], "failed")
        code, message, details = final["error"]
        self.assertEqual((code, details["exit_code"]), ("exit", 3))

    def test_retries_are_states(self):
        id = self.submit("exec", ["false"], retries=1, retry_on=["failed"], backoff=0.01, delay=0.05)
        w = self.c.call("watch", {"ids": [id]})
        events = self.events_until_final(w, id)
        self.assertEqual(self.kinds(events), ["delayed", "queued", "running", "delayed", "queued", "running", "final"])
        self.assertEqual([e["attempt"] for _, kind, e in events if kind == "state"], [0, 0, 1, 1, 1, 2])

    def test_cancelling_is_a_state(self):
        id = self.spinning()
        w = self.c.call("watch", {"ids": [id]})
        self.c.call("cancel", [id])
        self.assertEqual(self.kinds(self.events_until_final(w, id)), ["running", "cancelling", "final"])

    def test_what_is_released_is_told_to_its_end(self):
        id = self.submit("exec", ["sleep", "0.1"])
        w = self.c.call("watch", {"ids": [id]})
        self.assertEqual(self.c.call("release", [id]), 1)
        self.assertEqual(self.events_until_final(w, id)[-1][2]["state"], "done")
        self.assertEqual(self.c.error("poll", id).code, "unknown_future")

    # ---- groups, all ----

    def test_a_group_covers_later_submits(self):
        w = self.c.call("watch", {"group": self.id()})
        other = self.done(group="another")
        ids = [self.submit(group=self.id()), *self.c.call(
            "submit_many", "bench/noop", [None] * 5, {"group": self.id()}),
            self.c.call("put", "x", {"group": self.id()})]
        events = self.events_until_final(w, *ids)
        self.assertNotIn(other, {id for id, _, _ in events})
        for id in ids[:-1]:
            kinds = self.kinds(e for e in events if e[0] == id)
            # one that is taken back is queued again
            self.assertEqual((kinds[0], kinds[-2:]), ("queued", ["running", "final"]))
        self.assertEqual(self.kinds(e for e in events if e[0] == ids[-1]), ["final"])
        self.nothing_more()

    def test_a_group_has_those_that_ended(self):
        ended = self.done(group=self.id())
        w = self.c.call("watch", {"group": self.id(), "ids": [ended], "all": True})
        self.assertEqual(self.kinds(self.events_until_final(w, ended)), ["final"])
        again = self.submit(group=self.id())
        self.events_until_final(w, again)
        self.nothing_more()

    def test_all_starts_now(self):
        self.done()
        running = self.submit("exec", ["sleep", "0.1"])
        w = self.c.call("watch", {"all": True})
        with Client(self.folder.socket) as other:
            later = other.call("submit", "bench/noop", None)
            events = self.events_until_final(w, running, later)
        self.assertEqual({id for id, _, _ in events}, {running, later})

    def test_a_refused_batch_was_never_there(self):
        w = self.c.call("watch", {"group": self.id()})
        deep = []
        for _ in range(16):
            deep = [deep]
        self.fails("too_deep", "submit_many", "bench/noop", [None, deep], {"group": self.id()})
        self.nothing_more()

    def test_a_key_that_is_known_tells_nothing_new(self):
        w = self.c.call("watch", {"group": self.id()})
        id = self.submit(group=self.id(), key=self.id())
        self.events_until_final(w, id)
        self.assertEqual(self.submit(group=self.id(), key=self.id()), id)
        self.nothing_more()

    # ---- a watch changes ----

    def test_more_are_added(self):
        w = self.c.call("watch", {"ids": []})
        ended, running = self.done(), self.submit("exec", ["sleep", "0.1"])
        self.assertIs(self.c.call("watch_add", w, [running, ended, 1 << 50]), True)
        self.assertIs(self.c.call("watch_add", w, [running]), True)
        events = self.events_until_final(w, running, ended, 1 << 50)
        self.assertEqual([kind for _, kind, _ in events].count("final"), 3)
        self.nothing_more()

    def test_nothing_comes_after_unwatch(self):
        id = self.submit("exec", ["sleep", "0.1"])
        w = self.c.call("watch", {"ids": [id], "group": self.id(), "all": True})
        self.assertIs(self.c.call("unwatch", w), True)
        self.c.notes.clear()
        self.done(id, group=self.id())
        self.nothing_more()
        self.fails("bad_request", "unwatch", w)
        self.fails("bad_request", "watch_add", w, [id])

    def test_watches_have_a_number_each(self):
        id = self.submit("exec", ["sleep", "0.1"])
        a, b = (self.c.call("watch", {"ids": [id]}) for _ in range(2))
        self.assertNotEqual(a, b)
        finals = set()
        while finals != {a, b}:
            number, of, kind, _ = self.c.note("event")
            self.assertEqual(of, id)
            if kind == "final":
                self.assertNotIn(number, finals)
                finals.add(number)

    def test_a_watch_is_its_connections(self):
        w = self.c.call("watch", {"ids": []})
        with Client(self.folder.socket) as other:
            self.assertEqual(other.error("unwatch", w).code, "bad_request")

    def test_wrong_options(self):
        for options in {}, None, {"all": False}:
            self.fails("bad_request", "watch", options)
        for wrong in {"ids": 1}, {"ids": [-1]}, {"ids": ["x"]}, {"group": 1}, {"group": ""}, {"group": "x" * 129}, \
                {"all": 1}, {"progress": "yes"}, {"output": None}:
            self.fails("bad_request", "watch", wrong)
        self.fails("unknown_option", "watch", {"id": [1]})
        self.fails("too_large", "watch", {"ids": list(range(32769))})
        for n in "x", -1, None, 1 << 60:
            self.fails("bad_request", "unwatch", n)

    def test_what_it_takes_is_given_back(self):
        def used():
            limits = self.c.call("stats")["limits"]
            return limits["waits"]["used"], limits["bytes"]["used"]

        running = self.submit("exec", ["sleep", "60"])
        before = used()
        w = self.c.call("watch", {"ids": [running], "group": "x", "all": True})
        during = used()
        self.assertEqual(during[0], before[0] + 2)
        self.assertGreater(during[1], before[1])
        self.c.call("unwatch", w)
        self.assertEqual(used(), before)
        with Client(self.folder.socket) as other:
            other.call("watch", {"ids": [running]})
            self.assertEqual(used()[0], before[0] + 2)
        self.poold.await_that(lambda: used() == before, "a closed connection gives back")
        self.c.call("cancel", [running], {"mode": "kill"})

    # ---- progress, output ----

    def test_progress(self):
        id = self.submit("proof/progress", None, delay=0.05)
        w = self.c.call("watch", {"ids": [id], "progress": True})
        told = [what for _, kind, what in self.events_until_final(w, id) if kind == "progress"]
        self.assertTrue(told)
        self.assertEqual(told[-1], {"done": 100, "total": 100, "text": ""})
        self.assertEqual([p["done"] for p in told], sorted({p["done"] for p in told}))
        self.assertEqual(self.c.call("info", id)["progress"], [100, 100, ""])

    def test_progress_that_was_before(self):
        id = self.spinning()
        w = self.c.call("watch", {"ids": [id], "progress": True})
        while True:
            number, of, kind, what = self.c.note("event")
            if kind == "progress":
                break
        self.assertEqual(what, {"done": 1, "total": 1, "text": "spinning"})
        self.c.call("cancel", [id])
        self.events_until_final(w, id)

    def test_output(self):
        script = "echo one; echo two >&2; sleep 0.1; echo three; head -c 100000 /dev/zero"
        id = self.submit("exec", ["sh", "-c", script], delay=0.05)
        w = self.c.call("watch", {"ids": [id], "output": True})
        got = {"stdout": b"", "stderr": b""}
        events = self.events_until_final(w, id)
        for _, kind, what in events:
            if kind == "output":
                self.assertEqual(what["offset"], len(got[what["stream"]]))
                got[what["stream"]] += what["bytes"]
        self.assertEqual(got, {"stdout": b"one\nthree\n" + bytes(100000), "stderr": b"two\n"})
        self.assertEqual(self.kinds(events)[-1], "final")

    def test_only_what_is_asked_for(self):
        id = self.submit("exec", ["echo", "hello"])
        w = self.c.call("watch", {"ids": [id]})
        self.assertNotIn("output", self.kinds(self.events_until_final(w, id)))

    # ---- who does not read ----

    def test_a_slow_watcher_misses_no_end(self):
        n = 3000
        with Client(self.folder.socket) as slow:
            w = slow.call("watch", {"group": self.id(), "progress": True})
            ids = self.c.call("submit_many", "proof/progress", [None] * n, {"group": self.id()})
            self.c.call("wait", ids)
            events = self.events_until_final(w, *ids, c=slow)
        self.assertEqual(sum(kind == "final" for _, kind, _ in events), n)
        self.assertTrue(any(kind == "dropped" and what["n"] > 0 for _, kind, what in events))


class Chatty(ClientCase):
    """Workers that say more than anybody wants to read, and one who watches them and reads nothing."""

    paths = f"worker = {os.path.join(BUILD, 'tests', 'lib', 'hostile_worker')}\n"
    pools = "".join(f"[pool {name}]\nhandler = module\nmodule = {PROOF}\nworkers = 1\n"
                    for name in ("nice", "nice_endless_news"))

    def watch_bytes(self):
        return self.c.call("stats")["gauges"]["watch_bytes"]

    def progress(self, id):
        return self.c.call("info", id).get("progress", [0])[0]

    def test_a_worker_that_is_killed_in_a_flood_of_news(self):
        with Client(self.folder.socket) as slow:
            w = slow.call("watch", {"group": "many", "progress": True})
            many = self.c.call("submit_many", "nice/run", [None] * 5000, {"group": "many"})
            self.c.call("wait", many)
            chatty = self.c.call("submit", "nice_endless_news/run", None, {"group": "many"})
            self.poold.await_that(lambda: self.progress(chatty) > 1000, "it speaks")
            used = self.c.call("stats")
            self.assertEqual((used["gauges"]["watches"], used["gauges"]["watched"] > 0), (1, True))
            heard = self.progress(chatty)
            self.poold.await_that(lambda: self.progress(chatty) > heard + 5000, "it goes on")
            now = self.c.call("stats")
            self.assertEqual(now["gauges"]["watch_bytes"], used["gauges"]["watch_bytes"])
            self.assertEqual(now["limits"]["bytes"], used["limits"]["bytes"])
            os.kill(self.c.call("info", chatty)["worker_pid"], signal.SIGKILL)
            self.assertEqual(self.c.call("wait", [chatty]), [[chatty, "lost"]])
            events, left = [], {chatty, *many}
            while left:
                number, id, kind, what = slow.note("event")
                self.assertIn(id, left)  # nothing comes behind a final
                if kind == "final":
                    left.remove(id)
                if id == chatty:
                    events.append((kind, what))
        self.assertEqual((events[-1][0], events[-1][1]["state"]), ("final", "lost"))
        self.assertGreater(sum(what["n"] for kind, what in events if kind == "dropped"), 1000)
        self.poold.await_that(lambda: self.watch_bytes() == 0, "all of it is given back")
        self.assertEqual(self.c.call("stats")["gauges"]["watches"], 0)


class Poor(ClientCase):
    """A uid that may have few waits."""

    settings = "[limits]\nwaits = 10\n"

    def test_what_cannot_be_charged_is_refused(self):
        ids = self.c.call("submit_many", "bench/sleep", [1000] * 20)
        failure = self.fails("quota", "watch", {"ids": ids})
        self.assertEqual(failure.details["limit"], "waits")
        self.assertEqual(self.c.call("stats")["limits"]["waits"]["used"], 0)

    def test_a_watcher_that_would_miss_an_end_is_disconnected(self):
        with Client(self.folder.socket) as watcher:
            watcher.call("watch", {"group": "many"})
            ids = self.c.call("submit_many", "bench/sleep", [1000] * 20, {"group": "many"})
            self.assertEqual(watcher.until_closed()[0], "quota")
        self.c.call("wait", ids)


class Narrow(ClientCase):
    """A uid that may hold few bytes."""

    settings = "[limits]\nbytes = 100K\n"
    pools = POOLS.replace("handler = exec", "handler = exec\nmax_result = 1K")

    def test_a_watcher_beyond_the_bytes_is_disconnected(self):
        with Client(self.folder.socket) as watcher:
            watcher.call("watch", {"group": "many"})
            # Until what is kept leaves no room for one more to be watched. The watcher reads nothing.
            while self.c.call("stats")["gauges"]["watches"]:
                self.c.call("put", "x", {"group": "many"})
            self.assertEqual(self.c.call("stats")["gauges"]["watch_bytes"], 0)
            self.assertEqual(watcher.until_closed()[0], "quota")


if __name__ == "__main__":
    run_cases()
