#!/bin/sh
# The packages in a Debian of their own, a step at a time: cargo xtask package --try
set -eu
cd /trial

say() {
    echo "trial: $*"
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
        "/var/lib/dpkg/info/$package.postinst" configure
        "/var/lib/dpkg/info/$package.postinst" configure 0.0
    done

    say "their units are good, and nothing starts that nobody has switched on"
    for unit in omadm omadm-agent; do
        systemd-analyze verify "/lib/systemd/system/$unit.service"
        test ! -e "/etc/systemd/system/multi-user.target.wants/$unit.service"
    done
    systemd-analyze security --offline=true --no-pager --threshold=20 /lib/systemd/system/omadm.service >/dev/null
    systemd-analyze security --offline=true --no-pager --threshold=65 /lib/systemd/system/omadm-agent.service >/dev/null
}

use() {
    say "the server runs as its user, by the settings that came with it"
    export OMADM_SERVER__PUBLIC_URL=https://localhost:8443
    runuser -u omadm -- omadm serve --config /etc/omadm/omadm.toml --data /var/lib/omadm >server.log 2>&1 &
    server=$!
    tries=0
    until operator device ls >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! kill -0 "$server"; then
            cat server.log
            exit 1
        fi
        sleep 1
    done

    say "the agent gets to know it, and has a session with it"
    device=$(omadm-agent id)
    mkdir -m 0777 made
    operator bootstrap factory --device "$device" --output-file made/bootstrap.json --ca-file made/ca.pem >/dev/null
    cp made/bootstrap.json made/ca.pem /etc/omadm
    omadm-agent --config /etc/omadm/agent.toml run >agent.log 2>&1 &
    agent=$!
    tries=0
    until operator device ls | grep -q 'Debian'; do
        tries=$((tries + 1))
        if [ "$tries" -gt 60 ] || ! kill -0 "$agent"; then
            cat agent.log
            exit 1
        fi
        sleep 1
    done
    test -d /var/lib/omadm-agent
    kill "$agent" "$server"
    wait "$agent" "$server" || true

    say "settings that were changed stay when the package is installed again"
    echo "# ours" >>/etc/omadm/omadm.toml
    dpkg --install ./omadm_*.deb ./omadm-agent_*.deb >/dev/null
    grep -q "# ours" /etc/omadm/omadm.toml
}

remove() {
    say "what was removed leaves settings and state"
    apt-get remove --yes --quiet=2 omadm omadm-agent
    test ! -e /usr/bin/omadm
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
