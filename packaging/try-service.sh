#!/bin/sh
# Tries the service under a real systemd: boots this machine's own in namespaces, over a copy-on-write view of this machine's
# files, installs the license server there, and looks at what systemd makes of it. Nothing of the machine is changed.
#
#     sudo packaging/try-service.sh target/debug/leasehold [PACKAGE.deb]
#
# Needs root, systemd, and a kernel with overlayfs and cgroups. It is no step of `cargo xtask ci`: a container mostly does not
# allow it. Run it after a change of the unit, or of what the server asks of the operating system.
set -eu

if [ "${1:-}" = --boot ]; then
    # In the new namespaces: the root folder, then systemd as process 1.
    folder=$2
    mount --make-rprivate /
    mount -t tmpfs tmpfs "$folder"
    mkdir "$folder/up" "$folder/scratch" "$folder/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/up,workdir=$folder/scratch" "$folder/root"
    cd "$folder/root"
    mkdir -p oldroot srv/try
    cp "$3" srv/try/leasehold
    [ -z "${4:-}" ] || cp "$4" srv/try/leasehold.deb
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    mount --rbind /dev dev
    for empty in run tmp var/tmp; do mount -t tmpfs tmpfs "$empty"; done
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mount -t cgroup2 cgroup2 sys/fs/cgroup
    else
        mount -t tmpfs tmpfs sys/fs/cgroup
        mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
        mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
        mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    fi
    # None of this machine's own services; and packages may start theirs.
    printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' > etc/systemd/system/try.target
    rm -f usr/sbin/policy-rc.d etc/machine-id
    rm -rf var/lib/leasehold-server etc/leasehold
    echo 0123456789abcdef0123456789abcdef > etc/machine-id
    pivot_root . oldroot
    umount -l /oldroot
    export container=try-service
    exec /lib/systemd/systemd --system --unit=try.target --log-target=journal --show-status=no
fi

program=$(readlink -f "$1")
package=${2:+$(readlink -f "$2")}
[ "$(id -u)" = 0 ] || { echo "try-service: must be root: sudo $0 $*" >&2; exit 1; }

folder=$(mktemp -d)
groups=""
for hierarchy in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ -e "$hierarchy/cgroup.procs" ]; then
        mkdir -p "$hierarchy/leasehold-try"
        groups="$groups $hierarchy/leasehold-try"
    fi
done
sh -c 'for group in $1; do echo $$ > "$group/cgroup.procs"; done; shift
       exec unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup "$@"' \
    sh "$groups" sh "$0" --boot "$folder" "$program" "$package" > /dev/null 2>&1 &
unshared=$!
end() {
    kill -KILL "$unshared" 2>/dev/null || true
    wait "$unshared" 2>/dev/null || true
    # What is left in there dies with process 1, a moment later.
    for try in 1 2 3 4 5 6 7 8 9 10; do
        left=""
        for group in $groups; do
            [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || left=$group
        done
        [ -n "$left" ] || break
        sleep 0.2
    done
    rmdir "$folder" 2>/dev/null || true
}
trap end EXIT
trap 'exit 1' INT TERM

inside() {
    nsenter -t "$booted" -m -p -u -i -n -C -r -w \
        env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
# Tries a command for ten seconds.
soon() {
    tries=100
    until "$@" > /dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { echo "try-service: never came: $*" >&2; inside journalctl --no-pager -n 30 >&2 || true; exit 1; }
        sleep 0.1
    done
}
says() { echo "try-service: $*"; }
main_pid() { inside systemctl show --property MainPID --value leasehold-server; }
is_new() { [ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "$1" ] && inside systemctl is-active --quiet leasehold-server; }
is_well() { inside leasehold server health --data /var/lib/leasehold-server; }

booted=""
find_booted() { booted=$(pgrep -P "$unshared" | head -n 1) && [ -n "$booted" ] && inside systemctl is-active --quiet try.target; }
soon find_booted
inside ip link set lo up 2>/dev/null || true
says "systemd $(inside systemctl --version | head -n 1 | cut -d ' ' -f 2) runs"

inside /srv/try/leasehold server install --listen 127.0.0.1:30304 > /dev/null
soon is_well
inside test -s /var/lib/leasehold-server/setup-secret
pid=$(main_pid)
status=$(inside cat "/proc/$pid/status")
for line in 'Seccomp:	2' 'NoNewPrivs:	1' 'CapBnd:	0000000000000000'; do
    echo "$status" | grep -q "$line" || { echo "try-service: $line is not so" >&2; exit 1; }
done
! echo "$status" | grep -q '^Uid:	0' || { echo "try-service: it runs as root" >&2; exit 1; }
says "installed and started, locked, not as root"

inside systemctl reload leasehold-server
read_again() { inside journalctl -u leasehold-server -o cat | grep -q "were read again"; }
soon read_again
[ "$(main_pid)" = "$pid" ]
says "reloaded, without a stop"

inside systemctl kill --signal=KILL leasehold-server
soon is_new "$pid"
soon is_well
says "killed, and started again"

inside mkdir -p /run/systemd/system/leasehold-server.service.d
inside sh -c 'printf "[Service]\nWatchdogSec=2\n" > /run/systemd/system/leasehold-server.service.d/try.conf'
inside systemctl daemon-reload
inside systemctl restart leasehold-server
pid=$(main_pid)
sleep 5
[ "$(main_pid)" = "$pid" ] || { echo "try-service: the watchdog struck a server that answers" >&2; exit 1; }
inside kill -STOP "$pid"
soon is_new "$pid"
says "the watchdog leaves what answers, and starts again what hangs"

pid=$(main_pid)
inside /srv/try/leasehold server install > /dev/null
is_new "$pid"
inside leasehold server uninstall > /dev/null
! inside systemctl is-active --quiet leasehold-server
! inside test -e /usr/local/bin/leasehold
inside test -s /var/lib/leasehold-server/server.db
says "installed again, taken away; the data stays"

if [ -n "$package" ]; then
    inside rm -rf /run/systemd/system/leasehold-server.service.d /var/lib/leasehold-server /etc/leasehold
    inside dpkg -i /srv/try/leasehold.deb > /dev/null
    ! inside systemctl is-enabled --quiet leasehold-server
    ! inside systemctl is-active --quiet leasehold-server
    inside systemctl --quiet enable --now leasehold-server
    soon is_well
    pid=$(main_pid)
    inside dpkg -i /srv/try/leasehold.deb > /dev/null
    soon is_new "$pid"
    inside systemctl stop leasehold-server
    inside sh -c 'printf "[Socket]\nListenStream=443\nListenStream=127.0.0.1:30304\n" > /etc/systemd/system/leasehold-server.socket'
    inside systemctl daemon-reload
    inside systemctl start leasehold-server.socket
    inside systemctl start leasehold-server
    soon is_well
    passed() { inside journalctl -u leasehold-server -o cat | grep -q "address=\[::\]:443"; }
    soon passed
    inside systemctl stop leasehold-server.socket
    inside dpkg -r leasehold > /dev/null
    ! inside systemctl is-active --quiet leasehold-server
    inside test -s /var/lib/leasehold-server/server.db
    says "the package: installed, enabled, upgraded, on passed sockets, removed; the data stays"
fi
