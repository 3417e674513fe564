"""Keys, groups and filters on the wire."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import run_cases
from wire import Client, fd_ext, sealed

UNFINISHED = ["delayed", "blocked", "queued", "running", "cancelling"]


class Names(ClientCase):
    def tearDown(self):
        self.c.call("cancel", {"state": UNFINISHED}, {"mode": "kill"})
        self.c.call("wait", {})
        self.c.call("release", {})
        super().tearDown()

    def submit(self, input=None, function="bench/echo", **options):
        return self.c.call("submit", function, input, options)

    # keys

    def test_the_same_key_and_content_give_the_same_future(self):
        id = self.submit([1, "x"], key="k", label="l", timeout=5)
        self.assertEqual(self.submit([1, "x"], timeout=5, label="l", key="k"), id)
        self.assertEqual(self.c.call("result", id), [1, "x"])
        self.assertEqual(self.submit([1, "x"], key="k", label="l", timeout=5), id)
        with Client(self.folder.socket) as other:
            self.assertEqual(other.call("submit", "bench/echo", [1, "x"],
                                        {"key": "k", "label": "l", "timeout": 5}), id)
        self.assertEqual(len(self.c.call("list", {})), 1)

    def test_other_content_is_a_conflict_that_names_key_and_future(self):
        id = self.submit(1, key="k", label="l")
        for function, input, options in [
                ("bench/echo", 2, {"label": "l"}), ("bench/noop", 1, {"label": "l"}),
                ("bench/echo", 1, {}), ("bench/echo", 1, {"label": "m"}),
                ("bench/echo", 1, {"label": "l", "priority": 1}),
                ("bench/echo", 1, {"label": "l", "timeout": 9})]:
            message = self.fails("key_conflict", "submit", function, input,
                                 {"key": "k", **options}).message
            self.assertIn('"k"', message)
            self.assertIn(str(id), message)
        self.fails("key_conflict", "put", 1, {"key": "k", "label": "l"})
        self.assertEqual(len(self.c.call("list", {})), 1)

    def test_a_key_is_free_once_its_future_is_released(self):
        id = self.submit(1, key="k")
        self.c.call("wait", [id])
        self.c.call("release", [id])
        self.assertGreater(self.submit(2, key="k"), id)

    def test_a_key_is_free_once_its_future_has_expired(self):
        id = self.submit(1, key="k", ttl=0.01)
        self.c.call("wait", [id])
        while self.c.call("list", {}):
            pass
        self.assertGreater(self.submit(2, key="k"), id)

    def test_sizes_of_memfds_count_and_their_bytes_do_not(self):
        def put(data):
            fd = sealed(data)
            try:
                return self.c.call("put", [fd_ext(0)], {"key": "k"}, fds=[fd])
            finally:
                os.close(fd)
        id = put(b"a" * 100_000)
        self.assertEqual(put(b"b" * 100_000), id)
        fd = sealed(b"a" * 100_001)
        self.fails("key_conflict", "put", [fd_ext(0)], {"key": "k"}, fds=[fd])
        os.close(fd)

    def test_one_that_asks_again_is_delivered_to(self):
        id = self.submit(7, key="k", deliver=True)
        self.assertEqual(self.c.note()[0], id)
        with Client(self.folder.socket) as other:
            self.assertEqual(other.call("submit", "bench/echo", 7, {"key": "k", "deliver": True}), id)
            self.assertEqual(other.note()[:3], [id, "done", 7])
            self.assertEqual(other.call("submit", "bench/echo", 7, {"key": "k"}), id)
            self.assertEqual(other.call("ping"), "pong")

    def test_an_attached_object_goes_with_the_connection_that_put_it_last(self):
        with Client(self.folder.socket) as last:
            with Client(self.folder.socket) as first:
                id = first.call("put", 7, {"key": "k", "attached": True})
                self.assertEqual(last.call("put", 7, {"key": "k", "attached": True}), id)
                self.assertEqual(first.call("put", 7, {"key": "k", "attached": True}), id)
                self.assertEqual(last.call("put", 7, {"key": "k", "attached": True}), id)
            self.assertEqual(self.c.call("result", id), 7)
        while self.c.call("list", {}):
            pass
        self.fails("unknown_future", "poll", id)

    def test_where_a_key_makes_no_sense_it_is_unknown(self):
        self.fails("unknown_option", "submit_many", "bench/noop", [1], {"key": "k"})
        self.fails("unknown_option", "call", "bench/noop", 1, {"key": "k"})
        self.fails("bad_request", "submit", "bench/noop", 1, {"key": "k" * 129})
        self.fails("bad_request", "submit", "bench/noop", 1, {"key": 1})

    # filters

    def test_filters_choose_by_every_key(self):
        a = self.submit(1, group="g", label="x")
        b = self.submit(2, group="g", label="y")
        d = self.submit(3, label="x")
        put = self.c.call("put", 4, {"group": "g"})
        self.c.call("wait", [a, b, d])

        def matched(**filter):
            pairs = self.c.call("wait", filter)
            self.assertEqual({state for _, state in pairs}, {"done"})
            return sorted(id for id, _ in pairs)
        self.assertEqual(matched(), [a, b, d, put])
        self.assertEqual(matched(group="g"), [a, b, put])
        self.assertEqual(matched(group="g", pool="bench"), [a, b])
        self.assertEqual(matched(label="x"), [a, d])
        self.assertEqual(matched(group="g", label="x"), [a])
        self.assertEqual(matched(state="done"), [a, b, d, put])
        self.assertEqual(matched(state=["done", "failed"], pool="bench"), [a, b, d])
        for nothing in {"group": "none"}, {"state": "failed"}, {"pool": "digest"}, {"label": "z"}:
            self.assertEqual(self.c.call("wait", nothing), [])
            self.assertEqual(self.c.call("cancel", nothing), [])
            self.assertEqual(self.c.call("release", nothing), 0)
        self.assertEqual(self.c.call("release", {"label": "y"}), 1)
        self.assertEqual(matched(group="g"), [a, put])
        self.assertEqual(self.c.call("release", {"group": "g"}), 2)
        self.assertEqual(matched(), [d])

    def test_wait_by_filter_waits(self):
        ids = self.c.call("submit_many", "bench/sleep", [1000, 2000, 3000], {"group": "g"})
        self.submit(60_000_000, "bench/sleep", group="other")
        self.assertEqual(sorted(id for id, _ in self.c.call("wait", {"group": "g"})), ids)
        self.assertEqual(self.c.call("wait", {"group": "other"}, {"timeout": 0}), [])
        self.assertEqual(len(self.c.call("wait", {"group": "g"}, {"for": 2})), 3)
        self.fails("bad_request", "wait", {"group": "g"}, {"for": 4})

    def test_cancel_by_filter_ends_what_matches_only(self):
        running, other = (self.submit(["sh", "-c", "echo on; exec sleep 60"], "exec", group=group)
                          for group in ("g", "other"))
        for id in running, other:  # a state of "running" may be that of one not yet received
            self.c.call("read", id, 0, 1, {"stream": "stdout", "timeout": 60})
        queued = self.c.call("submit_many", "exec", [["true"]] * 50, {"group": "g"})
        done = self.submit(1, "digest/sha256", group="g")
        self.c.call("wait", [done])
        outcomes = dict(self.c.call("cancel", {"group": "g", "state": UNFINISHED}))
        self.assertEqual(sorted(outcomes), [running, *queued])
        self.assertEqual(outcomes[running], "cancelling")
        self.assertEqual({outcomes[id] for id in queued}, {"cancelled"})
        self.assertEqual(self.c.call("poll", other), "running")
        self.assertIn([done, "too_late"], self.c.call("cancel", {"group": "g"}))

    def test_cancel_by_state_goes_on_where_it_was(self):
        def cancelled():
            return [id for id, _ in self.c.call("cancel", {"state": UNFINISHED})]

        first = [self.submit(delay=3600) for _ in range(3)]
        self.assertEqual(cancelled(), first)
        self.assertEqual(cancelled(), [])
        second = [self.submit(delay=3600) for _ in range(3)]
        self.c.call("cancel", [second[0]])
        self.assertEqual(cancelled(), second[1:])
        third = [self.submit(delay=3600) for _ in range(3)]
        self.c.call("release", [*first, *second])
        self.assertEqual(cancelled(), third)
        kept, gone = (self.submit(delay=3600) for _ in range(2))
        self.assertEqual(self.c.call("cancel", {"state": "running"}), [])
        self.c.call("cancel", [gone])
        self.c.call("release", [gone])
        self.assertEqual(cancelled(), [kept])
        self.assertEqual(len(self.c.call("cancel", {})), 4)  # final ones as well

    def test_more_than_a_list_may_have(self):
        for _ in range(4):
            self.c.call("submit_many", "default/exec", [["true"]] * 9000, {"group": "g"})
        n = 0
        while True:
            outcomes = self.c.call("cancel", {"group": "g", "state": ["queued", "running"]})
            n += len(outcomes)
            self.assertLessEqual(len(outcomes), 32768)
            if len(outcomes) < 32768:
                break
        self.assertGreater(n, 32768)
        self.c.call("wait", {"group": "g", "state": UNFINISHED})
        self.assertIn("36000", self.fails("too_large", "wait", {"group": "g"}).message)
        self.assertEqual(self.c.call("release", {"group": "g"}), 32768)
        self.assertEqual(self.c.call("release", {"group": "g"}), 36000 - 32768)

    def test_unknown_keys_and_values_are_refused_by_name(self):
        for method in "wait", "cancel", "release":
            self.assertIn("colour", self.fails("unknown_option", method, {"colour": 1}).message)
            self.assertIn("state", self.fails("bad_request", method, {"state": "red"}).message)
            self.fails("bad_request", method, {"group": 5})
            self.fails("bad_request", method, "g")
        self.fails("bad_request", "deliver", {"group": "g"})

    def test_list_of_a_group_pages(self):
        ids = self.c.call("submit_many", "bench/noop", list(range(10)), {"group": "g"})
        self.submit(1)
        self.assertEqual([i["id"] for i in self.c.call("list", {"group": "g"})], ids)
        self.assertEqual([i["id"] for i in self.c.call("list", {"group": "g", "limit": 3})], ids[-3:])
        self.assertEqual([i["id"] for i in self.c.call(
            "list", {"group": "g", "limit": 3, "before": ids[-3]})], ids[-6:-3])
        self.assertEqual([i["id"] for i in self.c.call("list", {"group": "g", "owner": os.geteuid()})],
                         ids)


if __name__ == "__main__":
    run_cases()
