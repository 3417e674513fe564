"""Option `each`: one job runs its function once for each element of an array, as PROTOCOL.md says."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import run_cases
from wire import Client, fd_ext, future_ext, pack, sealed

EACH = {"each": True}
MANY = 60_000


class Each(ClientCase):
    def each(self, function, elements, **options):
        return self.c.call("call", function, elements, {**EACH, **options})

    def failed(self, function, elements, **options):
        """The details of the failure."""
        return self.fails("failed", "call", function, elements, {**EACH, **options}).details

    # results

    def test_results_are_those_of_the_elements_in_order(self):
        self.assertEqual(self.each("bench/echo", [1, "two", [3], {"four": 4}, b"five", None]),
                         [1, "two", [3], {"four": 4}, b"five", None])
        self.assertEqual(self.each("bench/noop", [1, 2, 3]), [None] * 3)
        self.assertEqual(self.each("bench/sum", [b"\1\2", b"\3", b""]), [3, 3, 0])
        self.assertEqual(self.each("bench/echo", []), [])
        self.assertEqual(self.each("bench/noop", list(range(MANY))), [None] * MANY)

    def test_without_it_the_array_is_one_input(self):
        self.assertEqual(self.c.call("call", "bench/add", [1, 2], {"each": False}), 3)
        self.assertEqual(self.each("bench/add", [[1, 2], [3]]), [3, 3])

    def test_each_element_is_one_input(self):
        self.assertEqual(self.each("digest/sha256", [b"", b"a"]),
                         [self.c.call("call", "digest/sha256", x) for x in (b"", b"a")])

    def test_submit_and_submit_many_have_it_and_hello_tells_it(self):
        id = self.c.call("submit", "bench/echo", [1, 2], EACH)
        self.assertEqual(self.c.call("result", id), [1, 2])
        ids = self.c.call("submit_many", "bench/add", [[[1], [2]], [[3, 4]]], {**EACH, "deliver": True})
        self.assertEqual([self.c.call("result", id) for id in ids], [[1, 2], [7]])
        self.assertEqual({self.c.note()[0] for _ in ids}, set(ids))
        self.assertIn("each", self.c.call("hello", {})["features"])

    def test_a_key_tells_it_from_one_without(self):
        id = self.c.call("submit", "bench/echo", [1], {**EACH, "key": "k"})
        self.assertEqual(self.c.call("submit", "bench/echo", [1], {**EACH, "key": "k"}), id)
        self.fails("key_conflict", "submit", "bench/echo", [1], {"key": "k"})

    # what is refused

    def test_what_is_no_array_is_refused(self):
        for value in None, 1, b"bytes", "text", {"a": 1}:
            self.assertIn("each", self.fails("bad_request", "submit", "bench/echo", value, EACH).message)
        fd = sealed(b"\x92\1\2")
        self.fails("bad_request", "submit", "bench/echo", fd_ext(0), EACH, fds=[fd])
        os.close(fd)
        self.fails("bad_request", "submit_many", "bench/echo", [[1], 2], EACH)
        self.fails("bad_request", "submit", "bench/echo", [1], {"each": 1})

    def test_commands_have_no_elements(self):
        self.assertIn("each", self.fails("bad_request", "call", "exec", [["true"]], EACH).message)

    def test_put_has_no_such_option(self):
        self.fails("unknown_option", "put", [1], EACH)

    # failures

    def test_the_first_failure_ends_it_with_its_index(self):
        details = self.failed("bench/sum", [b"\1", b"\2", 3, b"\4"])
        self.assertEqual((details["index"], details["results"]), (2, [1, 2]))
        self.assertEqual(details["code"], "failed")
        details = self.failed("bench/fail", [["first", "the words"], ["second", ""]])
        self.assertEqual((details["code"], details["message"]), ("first", "the words"))
        self.assertEqual((details["index"], details["results"]), (0, []))

    def test_others_have_no_index(self):
        self.assertNotIn("index", self.fails("failed", "call", "bench/sum", 1).details)

    def test_a_failure_is_read_again(self):
        id = self.c.call("submit", "bench/sum", [b"\1", 2], EACH)
        self.c.call("wait", [id])
        for _ in range(2):
            self.assertEqual(self.fails("failed", "result", id).details["results"], [1])
        self.assertEqual(self.c.call("info", id)["error"][2]["index"], 1)

    def test_a_retry_does_each_again(self):
        id = self.c.call("submit", "bench/sum", [b"\1", 2], EACH)
        self.c.call("wait", [id])
        again = self.c.call("retry", id)
        self.assertEqual(self.fails("failed", "result", again).details["index"], 1)

    def test_a_death_is_that_of_the_job(self):
        failure = self.fails("lost", "call", "bench/crash", [signal.SIGKILL, signal.SIGKILL], EACH)
        self.assertEqual(failure.details["signal"], signal.SIGKILL)
        self.assertEqual(self.each("bench/echo", [1]), [1])

    # its end from outside

    def test_a_cancel_comes_between_two_elements(self):
        with Client(self.folder.socket) as other:
            id = other.call("submit", "bench/spin", [1000] * 60_000, {**EACH, "grace": 600})
            while other.call("poll", id) != "running":
                pass
            self.c.call("cancel", [id])
            self.assertEqual(other.call("wait", [id]), [[id, "cancelled"]])

    def test_a_time_out_counts_for_all_elements(self):
        failure = self.fails("timeout", "call", "bench/spin", [1000] * 60_000,
                             {**EACH, "timeout": 0.05, "grace": 600})
        self.assertEqual(failure.details, {"clock": "timeout"})

    def test_timing_and_counts_are_those_of_one_job(self):
        before = self.c.call("stats")["work"]
        id = self.c.call("submit", "bench/spin", [1000] * 5, EACH)
        self.c.call("wait", [id])
        self.assertGreaterEqual(self.c.call("info", id)["timing"]["run"], 0.005)
        after = self.c.call("stats")["work"]
        self.assertEqual((after["jobs"] - before["jobs"], after["runs"] - before["runs"]), (1, 1))

    # large ones

    def test_an_array_above_the_inline_limit_is_an_input(self):
        elements = [bytes([i]) * 1000 for i in range(250)]
        self.assertEqual(self.each("bench/sum", elements), [i * 1000 for i in range(250)])

    def test_results_above_the_inline_limit_end_it(self):
        elements = [b"x" * 1000] * 50
        self.assertEqual(self.each("bench/echo", elements), elements)
        texts = ["x" * 1000] * 100
        failure = self.fails("too_large", "call", "bench/echo", texts, EACH)
        self.assertEqual(failure.details["limit"], "inline_bytes")
        self.assertLess(failure.details["max"], failure.details["value"])
        self.assertEqual(failure.details["results"], texts[:failure.details["index"]])
        self.assertGreater(failure.details["index"], 60)

    def test_byte_strings_have_eight_places_beyond_it(self):
        elements = [bytes([i]) * 100_000 for i in range(8)]
        self.assertEqual(self.each("bench/echo", elements), elements)
        small = [b"x" * 1000] * 70
        self.assertEqual(self.each("bench/echo", small), small)
        failure = self.fails("too_large", "call", "bench/echo", [b"x" * 70_000] * 9, EACH)
        self.assertEqual((failure.details["limit"], failure.details["index"]), ("result_fds", 8))
        self.assertIn("9 byte strings", failure.message)

    def test_a_failure_keeps_byte_strings_in_shared_memory(self):
        with Client(self.folder.socket, fds=True) as c:
            failure = c.error("call", "bench/echo", [b"a" * 70_000, b"b" * 70_000] + [b"c" * 70_000] * 7, EACH)
            self.assertEqual(failure.details["results"], [fd_ext(i) for i in range(8)])
            self.assertEqual([os.pread(fd, 1, 0) for fd in c.fds], [b"a", b"b"] + [b"c"] * 6)
        self.assertEqual(self.each("bench/fill", [70_000, 3]), [b"x" * 70_000, b"xxx"])

    def test_max_result_is_that_of_the_array(self):
        failure = self.fails("too_large", "call", "small/fill", [400, 400, 400], EACH)
        self.assertEqual((failure.details["limit"], failure.details["max"]), ("max_result", 1000))
        self.assertEqual((failure.details["index"], len(failure.details["results"])), (2, 2))
        failure = self.fails("too_large", "call", "small/noop", [0] * 1001, EACH)
        self.assertLess(failure.details["index"], 1001)

    # what lies elsewhere

    def test_elements_may_be_shared_memory(self):
        fds = [sealed(bytes([i]) * 100_000) for i in (1, 2)]
        with Client(self.folder.socket, fds=True) as c:
            self.assertEqual(c.call("call", "bench/sum", [fd_ext(0), b"\7", fd_ext(1), fd_ext(0)], EACH, fds=fds),
                             [100_000, 7, 200_000, 100_000])
            self.assertEqual(c.call("call", "bench/echo", [fd_ext(0), fd_ext(1), fd_ext(0)], EACH, fds=fds),
                             [fd_ext(0), fd_ext(1), fd_ext(2)])
            self.assertEqual([os.pread(fd, 1, 0) for fd in c.fds], [b"\1", b"\2", b"\1"])
        for fd in fds:
            os.close(fd)

    def test_elements_may_be_values_of_futures(self):
        a, b = self.c.call("put", b"\1" * 3), self.c.call("put", b"\2" * 100_000)
        self.assertEqual(self.each("bench/sum", [future_ext(a), future_ext(b), b"\5", future_ext(a)]),
                         [3, 200_000, 5, 3])
        self.assertEqual(self.each("bench/add", [[1, future_ext(self.c.call("put", 41))], [future_ext(self.c.call("put", 2))]]),
                         [42, 2])

    def test_the_input_may_be_an_array_that_a_future_gives(self):
        first = self.c.call("submit", "bench/sum", [b"\1", b"\2"], EACH)
        second = self.c.call("submit", "bench/noop", future_ext(first), EACH)
        self.assertEqual(self.c.call("result", second), [None, None])
        large = self.c.call("put", [b"x" * 1000] * 100)
        self.assertEqual(self.each("bench/sum", future_ext(large)), [120_000] * 100)
        none = self.c.call("put", b"bytes")
        self.assertEqual(self.failed("bench/echo", future_ext(none))["code"], "bad_request")

    def test_what_is_kept_of_an_object_serves_all_elements(self):
        id = self.c.call("put", b"\1" * 10)
        results = self.each("bench/kept", [future_ext(id)] * 100)
        self.assertEqual(len(set(results)), 1)

    # hostile

    def test_an_element_may_nest_as_deep_as_the_array_allows(self):
        deep = 1
        for _ in range(16):
            deep = [deep]
        self.assertEqual(self.each("bench/echo", deep), deep)
        self.fails("too_deep", "submit", "bench/echo", [deep], EACH)

    def test_a_million_elements_are_one_job(self):
        raw = pack([0, 1, "call", ["bench/noop"]])[:-1 - len(pack("bench/noop"))]
        n = 1_000_000
        self.c.send_raw(raw + b"\x93" + pack("bench/noop") + b"\xdd" + n.to_bytes(4, "big") + b"\xc0" * n + pack(EACH))
        self.c.msgid = 1
        with self.assertRaisesRegex(Exception, "too_large"):
            self.c.answer(1)
        self.assertEqual(self.c.call("ping"), "pong")


Each.pools = Each.pools + """
[pool small]
handler = module
module = bench
workers = 1
max_result = 1000
"""

run_cases()
