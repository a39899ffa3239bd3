#!/bin/sh
# A real Slurm of three nodes, n1 to n3, on this one host:
#
#     slurm_cluster.sh install                    Debian's slurm-wlm, where it is missing
#     slurm_cluster.sh start FOLDER               returns once all three nodes are idle
#     slurm_cluster.sh run FOLDER COMMAND...      inside the cluster: sbatch, squeue
#     slurm_cluster.sh lose FOLDER NODE           kills the slurmd of a node, and lets Slurm know
#     slurm_cluster.sh crash FOLDER NODE          as `lose`, and everything that runs on it dies
#     slurm_cluster.sh heal FOLDER NODE           and back
#     slurm_cluster.sh stop FOLDER                ends every process of it; its logs stay in FOLDER
#
# Needs root on Debian or Ubuntu. The cluster lives in namespaces of its own (mounts, network, host name, processes) and
# keeps all its state in FOLDER: nothing of the host's is changed, and when its first process ends the kernel ends all.
set -eu

NODES=3
CPUS=2 # of each node, whatever the host has
ADDRESS=10.97.0.1

install() {
    command -v slurmctld slurmd sbatch >/dev/null && return
    command -v apt-get >/dev/null || fail "needs Debian or Ubuntu, for their slurm-wlm"
    apt-get update -q
    # Without recommendations: munge and a mail server are not needed. The services that it starts are not ours.
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends slurm-wlm
}

fail() {
    echo "slurm_cluster.sh: $*" >&2
    exit 1
}

configure() {
    cat >"$1/slurm.conf" <<END
ClusterName=bench
SlurmctldHost=head($ADDRESS)
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
JobRequeue=1
KillWait=5
SlurmdTimeout=20
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=5
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool.%n
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd.%n.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd.%n.log
SlurmctldPort=16817
NodeName=n[1-$NODES] NodeHostname=head NodeAddr=$ADDRESS Port=[17001-1700$NODES] CPUs=$CPUS
PartitionName=all Nodes=n[1-$NODES] Default=YES MaxTime=INFINITE State=UP
END
    echo "CgroupPlugin=cgroup/v1" >"$1/cgroup.conf" # read even though nothing here uses cgroups
    printf '127.0.0.1 localhost\n%s head n1 n2 n3\n' "$ADDRESS" >"$1/hosts"
    mkdir -p "$1/state"
}

# The first process of the namespaces.
serve() {
    hostname head
    # With the loopback alone getaddrinfo finds no address at all.
    ip link add bench0 type veth peer name bench1
    ip address add "$ADDRESS/24" dev bench0
    for link in lo bench0 bench1; do ip link set "$link" up; done
    mount --bind "$1/hosts" /etc/hosts
    export SLURM_CONF="$1/slurm.conf"
    slurmctld -D &
    for node in $(seq "$NODES"); do slurmd -D -N "n$node" & done
    # Collects whatever loses its parent, as the first process of a system must.
    while true; do wait || true; sleep 1; done
}

start() {
    mkdir -p "$1"
    configure "$1"
    setsid unshare --mount --net --uts --pid --fork --kill-child --mount-proc "$0" serve "$1" \
        >"$1/cluster.log" 2>&1 </dev/null &
    unshared=$!
    # The first process inside, as the host numbers it.
    until pgrep -P "$unshared" >"$1/pid"; do
        kill -0 "$unshared" 2>/dev/null || fail "no namespaces: $(cat "$1/cluster.log")"
        sleep 0.1
    done
    await_nodes "$1" || { stop "$1"; exit 1; }
}

run() {
    folder=$1
    shift
    [ -s "$folder/pid" ] || return 1
    SLURM_CONF="$folder/slurm.conf" nsenter --target "$(cat "$folder/pid")" --mount --net --uts --pid -- \
        sh -c 'cd "$1" && shift && exec "$@"' sh "$PWD" "$@"
}

lose() {
    run "$1" pkill -KILL -f "^slurmd -D -N $2\$"
    run "$1" scontrol update "NodeName=$2" State=DOWN Reason=test
}

crash() {
    # All at once, as when the power fails: else an srun whose twin is killed still cancels its step.
    run "$1" sh -c '
        all=$(grep -lsz "^SLURMD_NODENAME=$0\$" /proc/[0-9]*/environ | cut -d / -f 3)
        keepers=$(for pid in $all; do ps -o ppid= -p "$pid"; done | sort -u)
        for pid in $keepers; do
            [ "$(ps -o comm= -p "$pid")" != slurmstepd ] || all="$all $pid"
        done
        for signal in STOP KILL; do kill -"$signal" $(pgrep -f "^slurmd -D -N $0\$") $all; done' "$2" || true
    run "$1" scontrol update "NodeName=$2" State=DOWN Reason=test
}

heal() {
    run "$1" setsid slurmd -D -N "$2" >>"$1/cluster.log" 2>&1 </dev/null &
    run "$1" scontrol update "NodeName=$2" State=RESUME
    await_nodes "$1"
}

# Until all nodes are idle.
await_nodes() {
    tries=0
    until [ "$(run "$1" sinfo --noheader --Node --states=idle --format=%t 2>/dev/null | grep -cx idle)" -ge "$NODES" ]; do
        tries=$((tries + 1))
        kill -0 "$(cat "$1/pid")" 2>/dev/null || fail "the cluster ended: $(tail -n 3 "$1/cluster.log")"
        [ "$tries" -lt 120 ] || fail "not all nodes are idle after 60 s; see $1/slurmctld.log"
        sleep 0.5
    done
}

stop() {
    [ -s "$1/pid" ] || return 0
    pid=$(cat "$1/pid")
    kill -KILL "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f "$1/pid"
}

[ $# -ge 1 ] || fail "install, start, run, lose, crash, heal or stop?"
verb=$1
shift
case $verb in
install | serve | start | run | lose | crash | heal | stop) "$verb" "$@" ;;
*) fail "install, start, run, lose, crash, heal or stop?" ;;
esac
