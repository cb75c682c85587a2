#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A current Blender with a window on a Debian machine whose own Blender is too old.
#
#   sudo ./blender_chroot.sh make DIR          Debian's unstable release with Blender in DIR: 2 GB, some minutes
#   sudo ./blender_chroot.sh run DIR ARGS...   Blender from there, on this machine's DISPLAY and /tmp
#
# Needs debootstrap.  The mirror is the one in this machine's apt sources.
set -eu

mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null |
        sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | head -n 1
}

make() {
    case "$1" in /?*) ;; *) echo "DIR must be an absolute path" >&2; exit 2 ;; esac
    [ ! -e "$1/complete" ] || exit 0
    rm -rf --one-file-system "$1"
    debootstrap --variant=minbase sid "$1" "$(mirror)"
    # The unstable release's own file is often out of date on mirrors that are frozen.
    echo "deb [check-valid-until=no] $(mirror) sid main" > "$1/etc/apt/sources.list"
    chroot "$1" apt-get -qq update
    DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -qq install --yes --no-install-recommends \
        blender python3-numpy python3-cattr python3-requests libgl1 libgl1-mesa-dri libglx-mesa0 libegl1 libegl-mesa0
    chroot "$1" apt-get clean
    touch "$1/complete"
}

run() {
    root=$1
    shift
    # The mounts live in a name space of their own and vanish with Blender.
    exec unshare --mount sh -euc '
        root=$1; shift
        for folder in /proc /sys /dev /tmp; do mount --bind "$folder" "$root$folder"; done
        exec chroot "$root" env LIBGL_ALWAYS_SOFTWARE=1 HOME=/root PATH=/usr/bin:/bin blender "$@"
    ' blender "$root" "$@"
}

command=$1
shift
case "$command" in
    make) make "$1" ;;
    run) run "$@" ;;
    *) echo "usage: $0 make|run DIR [ARGS...]" >&2; exit 2 ;;
esac
