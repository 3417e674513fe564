"""Every method and option of PROTOCOL.md, spoken by a client that is no more than a MessagePack library. How jobs
end, commands and large values: wire_jobs.py."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from clientcase import ClientCase
from pooldtest import run_cases
from wire import Client, Failure, fd_ext, msgpack, pack, sealed

OPTIONS_OF_LATER = []


class Wire(ClientCase):
    # hello, ping

    def test_hello_tells_version_features_and_limits(self):
        hello = self.c.call("hello", {"client": "test", "version": "1"})
        self.assertEqual((hello["server"], hello["protocol"]), ("poold", 1))
        self.assertEqual((hello["pid"], hello["uid"]), (self.poold.process.pid, os.geteuid()))
        for name in "submit", "wait", "result", "read", "timeout", "trace":
            self.assertIn(name, hello["features"])
        for name in OPTIONS_OF_LATER:
            self.assertNotIn(name, hello["features"])
        self.assertEqual(hello["limits"]["message_bytes"], 1 << 20)
        self.assertEqual(hello["limits"]["inline_bytes"], 64 << 10)
        self.assertEqual(hello["limits"]["message_fds"], 4)

    def test_hello_is_optional_and_names_an_unknown_key(self):
        self.assertEqual(self.c.call("ping"), "pong")
        self.assertIn("colour", self.fails("unknown_option", "hello", {"colour": "red"}).message)

    def test_hello_that_is_refused_changes_nothing(self):
        self.fails("unknown_option", "hello", {"fds": True, "colour": "red"})
        fd = sealed(b"x" * 100)
        id = self.c.call("put", fd_ext(0), fds=[fd])
        os.close(fd)
        self.assertEqual(self.c.call("result", id), b"x" * 100)

    def test_text_is_taken_as_bin_too(self):
        self.c.send_raw(msgpack.packb([0, 7, b"submit", [b"bench/echo", 5, {b"label": b"x"}]],
                                      use_bin_type=True))
        id = self.c.answer(7)
        self.assertEqual(self.c.call("result", id), 5)

    # what this version does not have

    def test_methods_of_later_versions_are_refused_by_name(self):
        for name in ["no_such_thing"]:
            self.assertIn(name, self.fails("unknown_method", name).message)

    def test_options_of_later_versions_are_refused_by_name(self):
        for name in OPTIONS_OF_LATER + ["tiemout"]:
            self.assertIn(name, self.fails("unknown_option", "submit", "bench/noop", None,
                                           {name: 1}).message)

    def test_put_refuses_options_of_jobs(self):
        for name in "timeout", "priority", "deliver", "trace":
            self.fails("unknown_option", "put", 1, {name: 1})

    def test_value_ext_of_the_daemon_is_refused(self):
        fd = sealed(b"\xc0")
        self.fails("bad_request", "submit", "bench/echo", msgpack.ExtType(3, b"\0"), fds=[fd])
        os.close(fd)

    # submit and friends

    def test_values_come_back_as_they_went(self):
        for value in [None, True, -1, 2**63, 1.5, "text", b"bytes", [], {}, [1, [2, {"a": b"b"}]],
                      msgpack.ExtType(42, b"own"), "x" * 60000, b"y" * 60000]:
            self.assertEqual(self.c.call("call", "bench/echo", value), value)

    def test_large_inline_value_is_taken_and_kept(self):
        for value in "x" * 70000, [b"y" * 70000, {"k": "z" * 500_000}]:
            self.assertEqual(self.c.call("result", self.c.call("put", value)), value)
        digest = self.c.call("call", "digest/sha256", b"d" * 900_000)
        self.assertEqual(digest, hashlib.sha256(b"d" * 900_000).hexdigest())

    def test_byte_strings_around_the_inline_limit_come_back(self):
        for size in [*range(65530, 65546), 1_000_000]:
            data = os.urandom(size)
            self.assertEqual(self.c.call("call", "bench/echo", data), data, size)
            with Client(self.folder.socket, fds=True) as other:
                got = other.call("call", "bench/echo", data)
                if size > (64 << 10) - 3:
                    self.assertEqual(got, fd_ext(0), size)
                    got = os.pread(other.fds[0], size + 1, 0)
                self.assertEqual(got, data, size)

    def test_result_above_the_inline_limit_must_be_shared_memory(self):
        failure = self.fails("too_large", "call", "bench/echo", ["x" * 70000])
        self.assertEqual(failure.details["max"], 64 << 10)

    def test_submit_answers_before_it_delivers(self):
        id = self.c.call("submit", "bench/noop", None, {"deliver": True})
        final = self.c.note()
        self.assertEqual(final[:4], [id, "done", None, None])
        self.assertEqual(set(final[4]), {"queued", "handover", "run", "return"})

    def test_ids_count_up(self):
        ids = [self.c.call("submit", "bench/noop", None) for _ in range(5)]
        self.assertEqual(ids, sorted(set(ids)))
        self.assertLess(ids[-1], 2**53)

    def test_submit_many_is_in_order(self):
        ids = self.c.call("submit_many", "bench/echo", [10, 11, 12], {"deliver": True})
        self.assertEqual([self.c.call("result", id) for id in ids], [10, 11, 12])
        self.assertEqual(sorted(self.c.note()[0] for _ in ids), ids)
        self.assertEqual(self.c.call("submit_many", "bench/echo", []), [])

    def test_submit_many_is_all_or_none(self):
        before = len(self.c.call("list", {"label": "half"}))
        too_deep = 1
        for _ in range(17):
            too_deep = [too_deep]
        self.fails("too_deep", "submit_many", "bench/echo", [1, too_deep], {"label": "half"})
        self.assertEqual(len(self.c.call("list", {"label": "half"})), before)

    def test_submit_many_gives_each_its_own_fds(self):
        fds = [sealed(b"a" * 70000), sealed(b"b" * 70000)]
        ids = self.c.call("submit_many", "digest/sha256", [fd_ext(1), fd_ext(0), fd_ext(1)], fds=fds)
        results = [self.c.call("result", id) for id in ids]
        self.assertEqual(results[0], results[2])
        self.assertNotEqual(results[0], results[1])
        for fd in fds:
            os.close(fd)

    def test_call_gives_the_failure_as_error(self):
        failure = self.fails("failed", "call", "bench/fail", ["no_luck", "not today"])
        self.assertEqual(failure.details["code"], "no_luck")
        self.assertIn("not today", failure.message)

    def test_bare_name_means_pool_default(self):
        self.assertEqual(self.c.call("call", "exec", ["true"])["exit_code"], 0)

    def test_unknown_pool_and_function(self):
        self.assertIn("nowhere", self.fails("unknown_pool", "submit", "nowhere/f", 1).message)
        self.assertIn("nothing", self.fails("unknown_function", "submit", "bench/nothing", 1).message)

    def test_wrong_parameters_are_bad_requests(self):
        for params in [(), ("bench/noop",), (1, 2), ("bench/noop", 1, 5), ("bench/noop", 1, {}, 4),
                       ("", 1), ("x" * 500, 1)]:
            self.fails("bad_request", "submit", *params)
        for params in [(), ("x",), (["x"],), ([-1],), ([1.5],), ([2**53],), ([1], 5)]:
            self.fails("bad_request", "wait", *params)

    def test_options_of_every_method_stand_once(self):
        id = self.c.call("put", 1)
        for method, params, key, value in (("wait", b"\x91" + pack([id]), "for", "any"), ("list", b"\x90", "limit", 1),
                                           ("result", b"\x91" + pack(id), "timeout", 1)):
            self.c.msgid += 1
            params = bytes([params[0] + 1]) + params[1:] + b"\x82" + (pack(key) + pack(value)) * 2
            self.c.send_raw(b"\x94\x00" + pack(self.c.msgid) + pack(method) + params)
            with self.assertRaises(Failure) as caught:
                self.c.answer(self.c.msgid)
            self.assertEqual(caught.exception.code, "bad_request")
            self.assertIn("twice", caught.exception.message)

    def test_wrong_option_values_are_bad_requests(self):
        for options in [{"timeout": 0}, {"timeout": -1}, {"timeout": "soon"}, {"grace": 0},
                        {"ttl": 0}, {"priority": 1.5}, {"priority": 2**40}, {"deliver": 1},
                        {"label": 5}, {"label": "x" * 257}, {"group": "x" * 129}, {"group": "a\nb"},
                        {1: 2}]:
            self.fails("bad_request", "submit", "bench/noop", None, options)

    def test_duplicate_option_is_a_bad_request(self):
        self.c.send_raw(b"\x94\x00\x01\xa6submit\x93\xaabench/noop\xc0\x82"
                        b"\xa3ttl\x05\xa3ttl\x06")
        with self.assertRaises(Failure) as caught:
            self.c.answer(1)
        self.assertEqual(caught.exception.code, "bad_request")

    def test_depth_16_passes_and_17_does_not(self):
        value = 1
        for _ in range(16):
            value = [value]
        self.assertEqual(self.c.call("call", "bench/echo", value), value)
        self.fails("too_deep", "submit", "bench/echo", [value])

    def test_put_is_a_done_future(self):
        id = self.c.call("put", {"k": [1, 2]}, {"label": "thing"})
        self.assertEqual(self.c.call("poll", id), "done")
        self.assertEqual(self.c.call("result", id), {"k": [1, 2]})
        self.assertEqual(self.c.call("info", id)["label"], "thing")
        self.assertEqual(self.c.call("cancel", [id]), [[id, "too_late"]])

    # waiting

    def test_wait_polls_without_time(self):
        id, = self.blockers(1)
        self.assertEqual(self.c.call("wait", [id], {"timeout": 0}), [])
        self.assertEqual(self.c.call("wait", [id], {"timeout": 0.01}), [])
        self.c.call("cancel", [id])
        self.assertEqual(self.c.call("wait", [id]), [[id, "cancelled"]])

    def test_wait_gives_the_order_of_completion(self):
        first, second, third = self.blockers(3)
        for id in second, third, first:
            self.c.call("cancel", [id])
            self.c.call("wait", [id])
        self.assertEqual(self.c.call("wait", [first, second, third, second]),
                         [[second, "cancelled"], [third, "cancelled"], [first, "cancelled"]])

    def test_wait_for_any_and_n(self):
        never, = self.blockers(1)
        done = [self.c.call("put", n) for n in range(2)]
        self.assertEqual(len(self.c.call("wait", [never] + done, {"for": "any"})), 2)
        self.assertEqual(len(self.c.call("wait", [never] + done, {"for": 2})), 2)
        self.assertEqual(self.c.call("wait", [never], {"for": 0}), [])
        self.fails("bad_request", "wait", [never], {"for": 2})
        self.fails("bad_request", "wait", [never], {"for": "some"})
        self.assertEqual(self.c.call("wait", []), [])
        self.c.call("cancel", [never])

    def test_wait_for_first_failure(self):
        never, = self.blockers(1)
        bad = self.c.call("submit", "bench/fail", ["a", "b"])
        self.assertEqual(self.c.call("wait", [never, bad], {"for": "first_failure"}),
                         [[bad, "failed"]])
        self.c.call("cancel", [never])
        self.assertEqual(self.c.call("wait", [never], {"for": "first_failure"}),
                         [[never, "cancelled"]])

    def test_unknown_ids_stand_in_the_answers(self):
        id = self.c.call("put", 1)
        self.assertEqual(sorted(self.c.call("wait", [id, 2**52])),
                         [[id, "done"], [2**52, "unknown_future"]])
        self.assertEqual(self.c.call("cancel", [2**52]), [[2**52, "unknown_future"]])
        self.assertEqual(self.c.call("release", [2**52]), 0)
        for method in "poll", "result", "info":
            self.fails("unknown_future", method, 2**52)
        self.fails("unknown_future", "read", 2**52, 0, 1)

    def test_expired_is_not_unknown(self):
        id = self.c.call("put", 1, {"ttl": 0.01})
        while self.c.call("wait", [id]) == [[id, "done"]]:
            pass
        self.assertEqual(self.c.call("wait", [id]), [[id, "expired"]])
        self.fails("expired", "result", id)
        self.c.call("deliver", [id])
        self.assertEqual(self.c.note()[:2], [id, "expired"])

    def test_result_waits_or_is_not_ready(self):
        id, = self.blockers(1)
        self.fails("not_ready", "result", id, {"timeout": 0})
        self.fails("not_ready", "result", id, {"timeout": 0.01})
        self.c.call("cancel", [id])
        self.assertEqual(self.fails("cancelled", "result", id).details["uid"], os.geteuid())

    def test_result_with_release_forgets(self):
        id = self.c.call("submit", "bench/echo", "once")
        self.assertEqual(self.c.call("result", id, {"release": True}), "once")
        self.fails("unknown_future", "result", id)

    def test_release_forgets_a_running_job_at_its_end(self):
        id = self.c.call("submit", "bench/sleep", 20_000)
        waiting = self.c.send("result", id)
        self.assertEqual(self.c.call("release", [id, id]), 1)
        self.fails("unknown_future", "poll", id)
        self.assertEqual(self.c.answer(waiting), None)

    def test_deliver_asks_for_one_final_each(self):
        ids = [self.c.call("submit", "bench/echo", n) for n in range(3)]
        self.c.call("wait", ids)
        with Client(self.folder.socket) as other:
            self.assertEqual(other.call("deliver", ids + [2**52, ids[0]]), True)
            finals = {note[0]: note for note in (other.note() for _ in range(4))}
        self.assertEqual(finals[ids[1]][1:4], ["done", 1, None])
        self.assertEqual(finals[2**52][1], "unknown_future")
        self.assertEqual(finals[2**52][3][0], "unknown_future")

    def test_answers_come_in_any_order(self):
        id, = self.blockers(1)
        waiting = self.c.send("result", id)
        self.assertEqual(self.c.call("ping"), "pong")
        self.c.call("cancel", [id])
        with self.assertRaises(Failure):
            self.c.answer(waiting)

    def test_notifications_run_and_are_not_answered(self):
        self.c.notify("submit", "bench/noop", None, {"label": "quiet"})
        self.c.notify("no_such_method", 1)
        self.c.notify("ping")
        self.assertEqual(self.c.call("ping"), "pong")
        self.assertEqual(len(self.c.call("list", {"label": "quiet"})), 1)
        self.assertEqual(self.c.answers, {})

    # info, list, operators

    def test_info_of_a_done_job(self):
        id = self.c.call("submit", "bench/echo", b"12345", {"label": "l", "group": "g", "priority": -3})
        self.c.call("wait", [id])
        info = self.c.call("info", id)
        self.assertEqual([info[k] for k in ("id", "state", "pool", "function", "label", "group",
                                            "owner", "priority", "attempt")],
                         [id, "done", "bench", "echo", "l", "g", os.geteuid(), -3, 1])
        self.assertLessEqual(info["submitted"], info["started"])
        self.assertLessEqual(info["started"], info["finished"])
        self.assertEqual(info["bytes"]["in"], len(pack(b"12345")))
        for absent in "error", "waits_for", "worker_pid", "progress":
            self.assertNotIn(absent, info)

    def test_info_of_a_queued_and_a_running_job(self):
        ids = self.blockers(8)
        infos = []
        while {info["state"] for info in infos} != {"queued", "running"}:  # workers may be starting
            infos = [self.c.call("info", id) for id in ids]
        for info in infos:
            self.assertEqual("waits_for" in info, info["state"] == "queued")
            self.assertEqual("worker_pid" in info, info["state"] == "running")
        self.c.call("cancel", ids)
        self.c.call("wait", ids)

    def test_list_filters_and_pages(self):
        ids = [self.c.call("put", n, {"group": "page"}) for n in range(5)]
        listed = lambda **f: [i["id"] for i in self.c.call("list", {"group": "page", **f})]
        self.assertEqual(listed(), ids)
        self.assertEqual(listed(limit=2), ids[-2:])
        self.assertEqual(listed(before=ids[2]), ids[:2])
        self.assertEqual(listed(after=ids[2]), ids[3:])
        self.assertEqual(listed(state=["queued", "running"]), [])
        self.assertEqual(listed(state="done", since=0, owner="all"), ids)
        self.fails("bad_request", "list", {"state": "dreaming"})
        self.fails("unknown_option", "list", {"colour": 1})

    def test_pools_workers_functions_stats(self):
        self.assertEqual([p["name"] for p in self.c.call("pools")], ["default", "digest", "bench"])
        self.assertGreaterEqual(len(self.c.call("workers", {"pool": "bench"})), 2)
        functions = {f["name"]: f for f in self.c.call("functions")}
        self.assertEqual(functions["bench/noop"]["flags"], ["pure"])
        self.assertEqual(functions["bench/noop_serial"]["flags"], [])
        self.assertIn("default/exec", functions)
        self.fails("unknown_pool", "pools", {"pool": "nowhere"})
        stats = self.c.call("stats")
        self.assertEqual(set(stats), {"counters", "gauges", "limits", "total_limits", "started",
                                      "version", "work", "advice"})
        self.assertGreaterEqual(stats["limits"]["connections"]["used"], 1)

    # the connection

    def test_half_closed_connection_is_still_answered(self):
        id = self.c.call("submit", "bench/sleep", 20_000)
        waiting = self.c.send("result", id)
        self.c.socket.shutdown(1)
        self.assertEqual(self.c.answer(waiting), None)

    def test_messages_in_pieces(self):
        message = pack([0, 5, "call", ["bench/echo", "p" * 300]])
        for i in range(len(message)):
            self.c.send_raw(message[i:i + 1])
        self.assertEqual(self.c.answer(5), "p" * 300)

    def test_many_messages_at_once(self):
        self.c.send_raw(b"".join(pack([0, n, "ping", []]) for n in range(5000)))
        for n in range(5000):
            self.assertEqual(self.c.answer(n), "pong")

    def test_slow_reader_loses_nothing(self):
        data = b"s" * 30_000
        id = self.c.call("put", data)
        ids = [self.c.send("result", id) for _ in range(60)]
        for msgid in ids:
            self.assertEqual(self.c.answer(msgid), data)


if __name__ == "__main__":
    run_cases()
