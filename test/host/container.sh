#!/bin/sh
# container.sh NAME NAMESPACE ROOTFS FOLDER: boots a systemd in a network namespace, again after each reboot.
# Runs in a mount namespace of its own. FOLDER/pid holds the pid of systemd-nspawn; FOLDER/boots counts.
set -eu
name=$1 namespace=$2 rootfs=$3 folder=$4

# There are no cgroups to give away here; a fresh view of them, and a group of our own.
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/eip-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

mkdir -p "$folder/root" "$folder/work" "$folder/upper"
mount -t overlay overlay -o "lowerdir=$rootfs,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mkdir -p "$folder/root/root/.ssh"
cp "$folder/../id.pub" "$folder/root/root/.ssh/authorized_keys"

boots=0
while :; do
  boots=$((boots + 1))
  SYSTEMD_NSPAWN_API_VFS_WRITABLE=network setpriv --pdeathsig KILL systemd-nspawn \
    --quiet -D "$folder/root" --network-namespace-path="/run/netns/$namespace" --register=no --keep-unit \
    --capability=CAP_NET_ADMIN,CAP_NET_RAW --machine="$name" --boot --console=read-only \
    --kill-signal=SIGRTMIN+3 </dev/null &
  echo $! >"$folder/pid"
  echo $boots >"$folder/boots"
  status=0
  wait $! || status=$?
  # 133 is a reboot. A real machine comes back with an empty kernel; a network namespace outlives the container.
  [ $status = 133 ] || exit $status
  ip -n "$namespace" -4 route flush table all proto 86
  ip -n "$namespace" -6 route flush table all proto 86
  ip -n "$namespace" nexthop flush
  ip netns exec "$namespace" sysctl -q -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
    net.ipv4.conf.all.send_redirects=1 net.ipv4.conf.all.rp_filter=1
  ip -n "$namespace" route show proto 86 >"$folder/routes-at-boot"
done
