#!/bin/sh
# Help goes to standard output and exits with 0; wrong usage is named and exits with 2, or with 125 where the verb
# stands for one job.
. "${POOLD_TEST_SRCDIR:?}/tests/lib/cli.sh"

run_ctl 0 --help
expect_out_line '^  submit '
expect_no_err
run_ctl 0 --version
expect_out_line '^poolctl [0-9]+\.[0-9]+\.[0-9]+$'
for verb in $(poolctl help --tables | awk -F'\t' '$2 == "verb" { print $1 }'); do
	run_ctl 0 "$verb" --help
	expect_out_line "^Usage: poolctl $verb"
	run_ctl 0 help "$verb"
done

run_ctl 2
expect_err_line 'a verb is missing'
run_ctl 2 bogus
expect_err_line 'unknown verb bogus'
run_ctl 2 list --bogus
expect_err_line 'unknown option --bogus.*poolctl list --help'
run_ctl 2 --color loud list
expect_err_line 'none of auto, always, never'
run_ctl 2 list operand
run_ctl 2 info
run_ctl 2 info 12x
expect_err_line '"12x" is no ID'
run_ctl 2 result 1 2
run_ctl 2 submit
run_ctl 2 submit --timeout soon -- true
expect_err_line '"soon" is not a time'
run_ctl 2 submit -E =x -- true
run_ctl 2 submit -f bench/noop --shell
expect_err_line 'shell is for commands'
run_ctl 2 submit -f bench/noop --append
expect_err_line 'append are for commands'
run_ctl 2 submit --wait-timeout 1s -- true
run_ctl 2 map -f bench/noop -p pool ::: a
run_ctl 2 map --files -- true ::: a
run_ctl 2 submit --timeout 0 -- true
expect_err_line 'above 0'
run_ctl 2 call
run_ctl 2 call bench/echo --json-arg '{'
run_ctl 2 map
run_ctl 2 map --halt sometimes -- true ::: a

run_ctl 125 run
run_ctl 125 run --bogus -- true
run_ctl 125 wait
run_ctl 125 submit --wait
run_ctl 125 submit --bogus --wait -- true
