#!/bin/sh
# Plays the suite; tmt reads results.yaml where this leaves it. If there is none then something failed that is not under
# test, and tmt says that itself.

# shellcheck disable=SC2086 # several arguments
exec "$(dirname "$0")/../skc" run --verbose --report "$TMT_TEST_DATA" $SKC_ARGS
