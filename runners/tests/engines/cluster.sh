#!/bin/sh
# A cluster of one node on the loopback interface, in the throw-away system where this runs as root; then a command on it.
# It ends with the pid namespace that it is in.
set -eu
mkdir -p /etc/slurm /run/munge /var/log/munge /var/lib/munge /etc/munge /var/spool/cluster/state /var/spool/cluster/node
cat >/etc/slurm/slurm.conf <<END
ClusterName=engines
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CryptoType=crypto/munge
StateSaveLocation=/var/spool/cluster/state
SlurmdSpoolDir=/var/spool/cluster/node
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/out/slurmctld.log
SlurmdLogFile=/out/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=/out/jobcomp.txt
NodeName=$(hostname) NodeAddr=127.0.0.1 CPUs=$(nproc) Boards=1 SocketsPerBoard=1 CoresPerSocket=$(nproc) ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
END
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >/etc/slurm/cgroup.conf
dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none
chmod 400 /etc/munge/munge.key
chown -R munge: /run/munge /var/log/munge /var/lib/munge /etc/munge
chmod 755 /run/munge
# It refuses to run below a folder that others may write to.
setpriv --reuid munge --regid munge --clear-groups munged
slurmctld
slurmd
for _ in $(seq 100); do
    case $(timeout 2 sinfo -h -o %T 2>/dev/null) in idle*) exec "$@" ;; esac
    sleep 0.1
done
echo "the cluster did not come up" >&2
tail -n 20 /out/slurmctld.log /out/slurmd.log >&2
exit 3
