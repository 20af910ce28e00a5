#!/bin/sh
# The packages in a Debian of their own, a step at a time: cargo xtask package --try
set -eu
cd /trial

say() {
    echo "trial: $*"
}

# What has to fail.
never() {
    if "$@"; then
        say "this should not be so: $*"
        exit 1
    fi
}

# Calls the server's command as an operator of this machine does.
operator() {
    runuser -u omadm -- omadm "$@" --token-file /var/lib/omadm/operator.token
}

install() {
    say "they install, with what they need"
    apt-get update --quiet=2
    apt-get install --yes --quiet=2 --no-install-recommends ./omadm_*.deb ./omadm-agent_*.deb
    test "$(stat -c '%U:%G %a' /var/lib/omadm)" = "omadm:omadm 700"
    dpkg --verify omadm omadm-agent

    say "their scripts do no harm when they run again"
    for package in omadm omadm-agent; do
        for arguments in "configure" "configure 0.0"; do
            # shellcheck disable=SC2086 # two words
            DPKG_MAINTSCRIPT_PACKAGE=$package "/var/lib/dpkg/info/$package.postinst" $arguments
        done
    done

    say "their units are good, and nothing starts that nobody has switched on"
    for unit in omadm omadm-agent; do
        systemd-analyze verify --man=no "/lib/systemd/system/$unit.service"
        test ! -e "/etc/systemd/system/multi-user.target.wants/$unit.service"
    done
    systemd-analyze security --offline=true --no-pager --threshold=15 /lib/systemd/system/omadm.service >/dev/null
    systemd-analyze security --offline=true --no-pager --threshold=70 /lib/systemd/system/omadm-agent.service >/dev/null
}

# Waits for what comes by itself; $1 is the service that it comes of.
until_it_does() {
    service=$1
    shift
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! systemctl --quiet is-active "$service"; then
            journalctl --no-pager --unit="$service"
            exit 1
        fi
        sleep 1
    done
}

has_answered() {
    operator command ls "$device" | grep --quiet done
}

# In a machine that was started: see trial.service.
use() {
    say "the server runs as its unit says"
    # The least Debian knows no names.
    echo "127.0.0.1 localhost" >>/etc/hosts
    echo "OMADM_SERVER__PUBLIC_URL=https://localhost:8443" >>/etc/default/omadm
    systemctl start omadm.service
    until_it_does omadm.service operator device ls
    test "$(ps -o user= -C omadm)" = omadm

    say "the agent gets to know it, and has a session with it"
    device=$(omadm-agent id)
    mkdir --mode=0777 made
    operator bootstrap factory --device "$device" --output-file made/bootstrap.json --ca-file made/ca.pem >/dev/null
    cp made/bootstrap.json made/ca.pem /etc/omadm
    operator run "$device" get urn:oma:mo:oma-dm-devinfo:1.2//Man >/dev/null
    systemctl start omadm-agent.service
    until_it_does omadm-agent.service has_answered

    say "what runs is started anew when it is installed again, with the settings that were changed"
    before=$(systemctl show --property=MainPID omadm.service)
    dpkg --install ./omadm_*.deb ./omadm-agent_*.deb >/dev/null
    test "$before" != "$(systemctl show --property=MainPID omadm.service)"
    grep --quiet PUBLIC_URL /etc/default/omadm
    until_it_does omadm.service has_answered
    systemctl --quiet is-active omadm-agent.service

    say "who switched it on has it on after a restart, and a removal ends it"
    systemctl --quiet enable omadm.service
    apt-get remove --yes --quiet=2 omadm omadm-agent >/dev/null
    never systemctl --quiet is-active omadm.service
    never systemctl --quiet is-active omadm-agent.service
    dpkg --install ./omadm_*.deb ./omadm-agent_*.deb >/dev/null
    systemctl --quiet is-enabled omadm.service
    never systemctl --quiet is-enabled omadm-agent.service
}

remove() {
    say "what was removed leaves settings and state"
    apt-get remove --yes --quiet=2 omadm omadm-agent
    test ! -e /usr/bin/omadm
    test ! -e /usr/bin/omadm-agent
    test -e /etc/omadm/omadm.toml
    test -e /var/lib/omadm/operator.token
    apt-get install --yes --quiet=2 --no-install-recommends ./omadm_*.deb ./omadm-agent_*.deb

    say "what was purged leaves nothing but what others put there"
    rm -f /etc/omadm/bootstrap.json /etc/omadm/ca.pem
    apt-get purge --yes --quiet=2 omadm omadm-agent
    left=$(find / -xdev -path /trial -prune -o -path /proc -prune -o -path '/var/log/*' -prune -o -name '*omadm*' -print)
    if [ -n "$left" ]; then
        echo "$left"
        exit 1
    fi
}

"$1"
