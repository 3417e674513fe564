"""Who may see and do what: other uids, the admin group, pools that are closed. Needs root, to be others."""

import os
import sys

sys.path.insert(0, os.path.join(os.environ["POOLD_TEST_SRCDIR"], "tests", "lib"))
from pooldtest import DaemonCase, run_cases, skip
from wire import Client, future_ext

ALICE, BOB, ADMIN_GID = 61001, 61002, 61009

POOLS = f"""
[pool default]
handler = exec
workers = 1

[pool bench]
handler = module
module = bench
workers = 1

[pool opened]
handler = exec
workers = 1
allow = {ALICE}

[pool grouped]
handler = exec
workers = 1
allow = @{ADMIN_GID}
"""


class As:
    """A connection made as another uid: the kernel notes who connects, so the process may change back."""

    def __init__(self, path, uid, groups=()):
        self.path, self.uid, self.groups = path, uid, groups

    def __enter__(self):
        os.setgroups(self.groups)
        os.setegid(self.uid)
        os.seteuid(self.uid)
        try:
            self.client = Client(self.path)
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups([])
        return self.client

    def __exit__(self, *why):
        self.client.close()


class Uids(DaemonCase):
    pools = POOLS
    settings = f"socket_mode = 0666\nadmin_group = {ADMIN_GID}\n"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.chmod(cls.folder.path, 0o755)

    def as_uid(self, uid, groups=()):
        return As(self.folder.socket, uid, groups)

    def test_foreign_and_never_issued_ids_look_the_same(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob:
            id = alice.call("put", "secret")
            for foreign in id, 2**52:
                for method in "poll", "result", "info":
                    failure = bob.error(method, foreign)
                    self.assertEqual((failure.code, failure.message.replace(str(foreign), "N")),
                                     ("unknown_future", "no such future: N"))
                self.assertEqual(bob.error("read", foreign, 0, 1).code, "unknown_future")
                self.assertEqual(bob.error("set", foreign, {"ttl": 1}).code, "unknown_future")
                self.assertEqual(bob.call("wait", [foreign]), [[foreign, "unknown_future"]])
                self.assertEqual(bob.call("cancel", [foreign]), [[foreign, "unknown_future"]])
                self.assertEqual(bob.call("release", [foreign]), 0)
                bob.call("deliver", [foreign])
                self.assertEqual(bob.note()[1], "unknown_future")
            self.assertEqual(alice.call("result", id), "secret")
            self.assertEqual(bob.call("list"), [])
            self.assertEqual(bob.error("list", {"owner": ALICE}).code, "not_allowed")
            self.assertEqual(bob.error("list", {"owner": "all"}).code, "not_allowed")

    def used(self, c):
        limits = c.call("stats")["limits"]
        return [limits[k]["used"] for k in ("futures", "bytes", "jobs")]

    def test_foreign_futures_are_no_inputs(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob, \
                self.as_uid(BOB, [ADMIN_GID]) as admin:
            before = self.used(alice), self.used(bob)
            object = alice.call("put", "secret")
            job = alice.call("submit", "bench/sleep", 60_000_000)
            mine = bob.call("put", 1)
            while alice.call("poll", job) != "running":
                pass
            for foreign in object, job, 2**52:
                for input in future_ext(foreign), [future_ext(mine), {"x": [future_ext(foreign)]}]:
                    for method, *params in (("submit", "bench/echo", input), ("call", "bench/echo", input),
                                            ("submit_many", "bench/echo", [future_ext(mine), input])):
                        failure = bob.error(method, *params)
                        self.assertEqual((failure.code, failure.message.replace(str(foreign), "N")),
                                         ("unknown_future", "no such future: N"))
            # nothing came of it, and what he named of his own is not held
            self.assertEqual(bob.call("release", [mine]), 1)
            self.assertEqual(self.used(bob), before[1])
            # who sees all may use all; what a released value takes is still its owner's
            user = admin.call("submit", "bench/echo", future_ext(object))
            self.assertEqual(alice.call("release", [object]), 1)
            self.assertEqual(self.used(alice)[0], before[0][0] + 2)
            alice.call("cancel", [job])
            self.assertEqual(admin.call("result", user, {"timeout": 60, "release": True}), "secret")
            alice.call("wait", [job])
            alice.call("release", [job])
            self.assertEqual((self.used(alice), self.used(bob)), before)

    def test_expired_foreign_ids_are_unknown(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob:
            id = alice.call("put", 1, {"ttl": 0.01})
            while alice.call("wait", [id]) != [[id, "expired"]]:
                pass
            self.assertEqual(bob.call("wait", [id]), [[id, "unknown_future"]])

    def test_root_and_the_admin_group_see_all(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB, [ADMIN_GID]) as admin, \
                Client(self.folder.socket) as root:
            id = alice.call("put", 5)
            for c in admin, root:
                self.assertEqual(c.call("result", id), 5)
                self.assertIn(id, [i["id"] for i in c.call("list", {"owner": "all"})])
                self.assertEqual([i["owner"] for i in c.call("list", {"owner": ALICE})][-1], ALICE)

    def test_pages_of_everybodys_futures_while_some_go(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob, Client(self.folder.socket) as root:
            owners = alice, bob, root, alice
            left = {owners[n % 4].call("put", n): owners[n % 4] for n in range(200)}
            first, seen, at = min(left), [], {}
            while True:
                page = [i["id"] for i in root.call("list", {"owner": "all", "limit": 7, "after": first - 1, **at})]
                if not page:
                    break
                seen += reversed(page)
                # where the next page begins goes, and so do some on either side, of any owner
                for id in page[0], page[0] - 1, page[0] - 2, page[-1]:
                    if id in left:
                        self.assertEqual(left.pop(id).call("release", [id]), 1)
                at = {"before": page[0]}
            gone = [id for id in range(first, first + 200) if id not in left and id not in seen]
            self.assertEqual(sorted(seen + gone, reverse=True), list(range(first + 199, first - 1, -1)))
            self.assertEqual(seen, sorted(set(seen), reverse=True))
            self.assertLessEqual(set(left), set(seen))
            for id, owner in left.items():
                owner.call("release", [id])

    def test_workers_tell_jobs_to_those_who_may_see_them(self):
        def jobs(c):
            return [w["job"] for w in c.call("workers", {"pool": "bench"}) if "job" in w]
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob, Client(self.folder.socket) as root:
            id = alice.call("submit", "bench/sleep", 60_000_000)
            while alice.call("poll", id) != "running":
                pass
            self.assertEqual(jobs(alice), [id])
            self.assertEqual(jobs(root), [id])
            self.assertEqual(jobs(bob), [])
            alice.call("cancel", [id])
            alice.call("wait", [id])

    def test_only_admins_stop_the_daemon(self):
        with self.as_uid(ALICE) as alice:
            self.assertEqual(alice.error("shutdown").code, "not_allowed")

    def test_only_admins_size_and_stop_pools(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB, [ADMIN_GID]) as bob:
            for method, *params in (("resize", "bench", {"workers": 1}), ("pause", "bench"),
                                    ("resume", "bench"), ("drain", "bench"), ("reload",)):
                self.assertEqual(alice.error(method, *params).code, "not_allowed")
            self.assertEqual(bob.call("pause", "bench"), True)
            self.assertEqual(bob.call("resume", "bench"), True)

    def test_commands_of_other_uids_are_refused_with_the_way_out(self):
        with self.as_uid(ALICE) as alice:
            failure = alice.error("submit", "exec", ["true"])
            self.assertEqual(failure.code, "not_allowed")
            self.assertIn("systemctl --user enable --now poold.socket", failure.message)
            self.assertEqual(alice.call("call", "bench/echo", 1), 1)

    def test_allow_opens_a_pool_to_uids_and_groups(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB, [ADMIN_GID]) as bob:
            self.assertEqual(alice.call("call", "opened/exec", ["true"])["exit_code"], 0)
            self.assertEqual(bob.error("call", "opened/exec", ["true"]).code, "not_allowed")
            self.assertEqual(bob.call("call", "grouped/exec", ["true"])["exit_code"], 0)
            self.assertEqual(alice.error("call", "grouped/exec", ["true"]).code, "not_allowed")

    def test_a_job_knows_who_submitted_it(self):
        with self.as_uid(ALICE) as alice:
            result = alice.call("call", "opened/exec", ["sh", "-c", "echo $POOLD_SUBMIT_UID"])
            self.assertEqual(result["stdout"], b"%d\n" % ALICE)

    def test_one_uid_with_many_jobs_does_not_keep_another_waiting(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob:
            flood = alice.call("submit_many", "bench/sleep", [2_000] * 500)
            mine = bob.call("submit", "bench/noop", None)
            order = [id for id, _ in Client(self.folder.socket).call("wait", flood + [mine])]
            self.assertLess(order.index(mine), 20)

    def test_uids_share_the_time_of_workers_not_the_number_of_jobs(self):
        with self.as_uid(ALICE) as alice, self.as_uid(BOB) as bob, Client(self.folder.socket) as root:
            blocker = root.call("submit", "bench/sleep", 60_000_000)
            while root.call("poll", blocker) != "running":
                pass
            long = bob.call("submit_many", "bench/sleep", [20_000] * 12)
            short = alice.call("submit_many", "bench/sleep", [1_000] * 600)
            # Only one's own jobs stand before one.
            self.assertEqual(bob.call("info", long[5])["waits_for"]["ahead"], 5 - self.taken(bob, long))
            root.call("cancel", [blocker])
            order = [id for id, _ in root.call("wait", long + short)]
            # Some 20 for one of his, were it not for what a sleep takes beyond its time.
            done = order.index(long[11])
            self.assertGreater(done, 12 + 12 * 5)
            self.assertLess(done, 12 + 12 * 25)

    def taken(self, c, ids):
        """How many lie in the worker's inbox."""
        return sum(c.call("info", id)["waits_for"]["ahead"] == 0 for id in ids[:3]) - 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        skip("only root can be other users")
    run_cases()
