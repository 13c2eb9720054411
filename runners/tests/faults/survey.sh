#!/bin/sh
# Plays the suite once for each fault of behaviour-faults.patch and says which are noticed.
#
#   survey.sh SKC KERNEL [FAULT...]
#
# KERNEL is one with the patch, as `skc run --kernel` takes it; FAULT a name of behaviour-faults.txt, and
# without any all of them are tried. A line is `caught NAME` with the first case that failed, `survived NAME`, or
# `unknown NAME` if nothing was learnt. The arguments of ARGUMENTS go to `skc run` as well.
set -eu

[ $# -ge 2 ] || { sed -n '4,8p' "$0"; exit 2; }
skc=$1 kernel=$2
shift 2
folder=$(dirname "$0")
[ $# -gt 0 ] || set -- $(cut -f 1 "$folder/behaviour-faults.txt")
caught=0
played=0
for fault; do
	status=0
	# shellcheck disable=SC2086
	said=$("$skc" run --kernel "$kernel" --append "keys_fault=$fault" --fail-fast --order random:1 \
		--color never ${ARGUMENTS-} 2>&1) || status=$?
	case $status in
	0) what=survived ;;
	1) what=caught caught=$((caught + 1)) ;;
	*) what=unknown ;;
	esac
	played=$((played + 1))
	echo "$what $fault $(echo "$said" | grep -m 1 -E '^(FAIL|TIMEOUT|CRASH) ' | cut -d ' ' -f 2)"
done
echo "$caught of $played caught"
