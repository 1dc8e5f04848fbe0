#!/usr/bin/env bash
# Does the profile for Slurm do what it says? A cluster of one node is set up on this machine, the pipeline of the scale
# smoke runs through it in a fresh clone of HEAD, and one training is interrupted in three ways on its way:
#   1. cancelled (scancel): Snakemake submits it again;
#   2. put back by Slurm, as on preemption (scontrol requeue): the same job starts again;
#   3. out of time: it stops with a checkpoint and puts itself back.
# Each time it must go on from its checkpoint, and at the end its parameters must be, bit for bit, those of a training
# that nothing interrupted. Everything is taken down again.
#   workflow/profiles/slurm/trial.sh             the whole pipeline: about half an hour on two cores
#   workflow/profiles/slurm/trial.sh TARGET...   only these, for instance
#                                                results/smoke/evaluation/burgers-gauss_newton/runs.csv
# It needs a Debian or Ubuntu machine of your own, two cores, the network, and root: it installs the packages of Slurm,
# starts its daemons, writes /etc/slurm/, and in the end removes what it installed. Never on a node of a real cluster.
set -euo pipefail

refuse() {
  echo "trial.sh: $*" >&2
  exit 2
}

packages="slurmctld slurmd slurm-client munge"
run=burgers-gauss_newton
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

[ "$(id -u)" = 0 ] || refuse "it sets up Slurm and so has to run as root, on a machine where that does no harm"
command -v apt-get > /dev/null || refuse "it installs Slurm with apt-get, which this system does not have"
for file in slurm.conf gres.conf; do
  [ ! -e "/etc/slurm/$file" ] ||
    refuse "/etc/slurm/$file exists: this machine is part of a cluster, or an earlier trial was killed"
done
{ ! pgrep -x slurmd && ! pgrep -x slurmctld; } > /dev/null || refuse "Slurm runs already on this machine"

work=$(mktemp -d /var/tmp/slurm-trial.XXXXXX)
chmod 755 "$work" # munge looks
host=$(hostname -s)
export XDG_CACHE_HOME=$work/cache # nothing computed or compiled before
unset SLURM_CONF PYTHONPATH PYTHONHOME VIRTUAL_ENV

installed() {
  dpkg-query --show --showformat '${db:Status-Status} ${Package}\n' | awk '$1 == "installed" {print $2}' | sort
}

stop() { # a daemon by the file with its number
  local number
  number=$(cat "$work/$1.pid" 2> /dev/null) || return 0
  kill "$number" 2> /dev/null || return 0
  for _ in $(seq 100); do kill -0 "$number" 2> /dev/null || return 0; sleep 0.1; done
}

take_down() {
  local code=$?
  trap - EXIT INT TERM
  set +e
  echo "== taking everything down ($((SECONDS / 60)) min $((SECONDS % 60)) s)"
  # Asked politely, Snakemake waits for its jobs
  [ -z "${pipeline:-}" ] || { kill -KILL "$pipeline"; wait "$pipeline"; } 2> /dev/null
  if [ -e "$work/slurmctld.pid" ]; then
    timeout 10 scancel --user root
    sleep 6 # longer than Slurm waits until it kills
  fi
  stop slurmd
  stop slurmctld
  stop munged
  rm -f /etc/slurm/slurm.conf /etc/slurm/gres.conf
  if [ -f "$work/installed" ]; then
    new=$(comm -13 "$work/installed" <(installed))
    # shellcheck disable=SC2086 # a list of names
    [ -z "$new" ] || DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq $new > "$work/purge.log" 2>&1
  fi
  if [ "$code" = 0 ]; then
    rm -rf "$work"
    echo "== the trial succeeded"
  else
    echo "== the trial FAILED ($code); logs and results are kept in $work" >&2
  fi
  exit "$code"
}
trap take_down EXIT
trap 'exit 130' INT TERM

stage() { echo "== $1 ($((SECONDS / 60)) min $((SECONDS % 60)) s)"; }

stage "packages"
installed > "$work/installed"
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages > "$work/install.log" 2>&1

stage "a cluster of one node, with two GPUs that are none"
mkdir -p "$work/state" "$work/spool" /etc/slurm
head --bytes 1024 /dev/urandom > "$work/munge.key"
chmod 600 "$work/munge.key"
megabytes=$(awk '/MemTotal/ {print int(0.9 * $2 / 1024)}' /proc/meminfo)
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=trial
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
SlurmdPort=26818
SlurmUser=root
AuthType=auth/munge
# A job that was put back starts again after the life of a credential: here ten seconds, usually two minutes
AuthInfo=socket=$work/munged.socket,cred_expire=10
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MinJobAge=3600
ReturnToService=2
KillWait=5
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$megabytes Gres=gpu:2
PartitionName=trial Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
printf 'Name=gpu File=%s\n' /dev/null /dev/zero > /etc/slurm/gres.conf
munged --key-file="$work/munge.key" --socket="$work/munged.socket" --pid-file="$work/munged.pid" \
  --log-file="$work/munged.log" --seed-file="$work/munged.seed"
slurmctld
slurmd
for _ in $(seq 50); do [ "$(sinfo --noheader --format %t)" = idle ] && break || sleep 0.2; done
[ "$(sinfo --noheader --format %t)" = idle ] || { sinfo --list-reasons; tail -5 "$work/slurmd.log"; exit 1; }
sinfo --Node --noheader --format "%N: %c CPUs, %m MB, %G, %t; Slurm $(slurmctld -V | cut -d' ' -f2)"

stage "a fresh clone of $(git -C "$checkout" rev-parse --short HEAD), its environment and the extra 'slurm'"
git clone --quiet "$checkout" "$work/clone"
cd "$work/clone"
make environment > "$work/environment.log" 2>&1
export PATH="$PWD/.venv/bin:$PATH"
python -m pip install --disable-pip-version-check --quiet -e '.[slurm]' >> "$work/environment.log" 2>&1
python -m pip list --disable-pip-version-check 2> /dev/null | grep -E '^snakemake(-executor-plugin-slurm)? '

stage "the pipeline at the scale smoke through Slurm"
options=(
  --profile workflow/profiles/slurm
  --config scale=smoke
  --configfile workflow/profiles/slurm/trial.yaml
  # What a site adapts: this one is small and looks often. Training asks for a GPU, which a CPU run leaves alone.
  --default-resources mem_mb=1500 runtime=10
  --set-threads train=1
  --set-resources train:gpu=1 train:mem_mb=2000 train:runtime=2
  --slurm-init-seconds-before-status-checks 5
  --latency-wait 10
)
snakemake "${options[@]}" "$@" > "$work/pipeline.log" 2>&1 &
pipeline=$!

folder=results/smoke/runs/$run
log=results/smoke/logs/runs/$run.log

give_up() {
  echo "$*"
  exit 1
}
alive() {
  kill -0 "$pipeline" 2> /dev/null && return
  tail -40 "$work/pipeline.log"
  give_up "the pipeline ended too early: it failed, or this machine is fast and needs more steps in trial.yaml"
}
jobs_of_run() { # in these states
  squeue --noheader --states="$1" --format '%i|%k' |
    awk -F'|' -v comment="rule_train_wildcards_$run" '$2 == comment {print $1}'
}
checkpoints() { find "$folder/checkpoints" -name 'step-*.safetensors' -newer "$work/mark" 2> /dev/null; }
newest() { find "$folder/checkpoints" -name 'step-*.safetensors' | sort | tail -1 | sed "s|$folder/checkpoints/||"; }
shares() { grep -o "^train $run: *[0-9]*%" "$log" | grep -o '[0-9]*%' | tr -d %; }
field() { scontrol show job "$1" | grep -o "\b$2=[^ ]*" | head -1 | cut -d= -f2; }

training_reaches_a_checkpoint() {
  touch "$work/mark"
  until [ -n "$(checkpoints)" ]; do alive; sleep 0.2; done
}
it_starts_again() { # the training, after `job` was stopped at the share `before`
  until [ -z "$(jobs_of_run RUNNING,COMPLETING)" ]; do alive; sleep 0.2; done
  touch "$work/mark"
  until [ -n "$(jobs_of_run RUNNING)" ]; do alive; sleep 0.2; done
  until [ "$log" -nt "$work/mark" ] && [ -n "$(shares)" ]; do alive; sleep 0.2; done
  again=$(jobs_of_run RUNNING)
  after=$(shares | head -1)
  echo "   job $again (restarted $(field "$again" Restarts) times) goes on from $after %"
  # The log names shares in steps of five hundredths; a training that begins anew says 0 %
  [ "$after" -ge 1 ] && [ "$((after + 1))" -ge "$before" ] || give_up "it did not go on from its checkpoint"
}
interrupt() { # how, with which command
  training_reaches_a_checkpoint
  # Past its first hundredth, so that 0 % says that it began anew
  until [ "$(shares | tail -1)" -ge 5 ]; do alive; sleep 0.2; done
  job=$(jobs_of_run RUNNING) before=$(shares | tail -1)
  stage "$1: job $job at $before %, last checkpoint $(newest)"
  "${@:2}" "$job"
  it_starts_again
}

interrupt "cancelled" scancel
[ "$again" != "$job" ] || give_up "the job was not submitted anew"
interrupt "put back by Slurm" scontrol requeue
[ "$again" = "$job" ] || give_up "it is another job"
until grep -q "it goes back into the queue" "$log"; do alive; sleep 0.1; done
job=$(jobs_of_run RUNNING,COMPLETING) before=$(shares | tail -1)
stage "out of time: job $job at $before %, last checkpoint $(newest)"
it_starts_again
[ "$again" = "$job" ] || give_up "it is another job"

wait "$pipeline" || { tail -60 "$work/pipeline.log"; pipeline=""; exit 1; }
pipeline=""
stage "the pipeline is done"
echo "   jobs by their end:"
squeue --states=all --noheader --format %T | sort | uniq -c
[ "$#" -gt 0 ] || python workflow/scripts/check_outputs.py smoke

stage "the same training without Slurm and without a break"
XLA_FLAGS=--xla_backend_optimization_level=0 gradalign train "$run" \
  --specification "results/smoke/specifications/runs/$run.json" \
  --reference results/smoke/references/burgers.npz --output "$work/undisturbed" > "$work/undisturbed.log" 2>&1
(cd "$work/undisturbed" && find parameters -name '*.safetensors' | sort) > "$work/files"
[ -s "$work/files" ]
while read -r file; do
  cmp "$folder/$file" "$work/undisturbed/$file"
  echo "   $file: the same bits"
done < "$work/files"
