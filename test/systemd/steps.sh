# What the test does to the service, inside of the namespaces. The output is divided by lines `== STEP`.
ask() { node /opt/ask.mjs "$@"; }
show() { systemctl show sluice -p ActiveState,SubState,Result,ExecMainStatus,NRestarts; }
pid() { systemctl show sluice -p MainPID --value; }
log() { journalctl -u sluice -o cat | grep "\"event\":\"$1\"" | tail -1; }

cat >> /etc/sluice/sluice.env <<'SETTINGS'
TCP_PROCESSES=2
SETTINGS

echo "== started"
systemctl start sluice
ask ready
show
grep -E '^(Uid|NoNewPrivs|Seccomp|CapEff|CapBnd):' "/proc/$(pid)/status"
ask device tls 8443

echo "== writable"
nsenter -t "$(pid)" -m -- setpriv --reuid sluice --regid sluice --clear-groups sh -c '
  for folder in / /etc /etc/sluice /opt/sluice/current /usr /boot /var/lib /var/log /home /root /run /sys /tmp /var/lib/sluice /dev/shm; do
    touch "$folder/x" 2>/dev/null && echo "$folder"
  done'

echo "== reloaded"
systemctl reload sluice
for _ in $(seq 50); do log files_reload_began | grep . && break; sleep 0.1; done

echo "== killed"
# With secrets, and a port below 1024: what the comments of the unit propose.
mkdir /etc/systemd/system/sluice.service.d
{
  echo '[Service]'
  sed -n -E 's/^#((LoadCredential|Environment)=.*http-token.*|AmbientCapabilities=.*|CapabilityBoundingSet=.*|PrivateUsers=.*)/\1/p' \
    /etc/systemd/system/sluice.service
  echo 'Environment=TCP_PORT=443'
} > /etc/systemd/system/sluice.service.d/override.conf
systemctl daemon-reload
kill -9 "$(pid)"
while systemctl show sluice -p NRestarts --value | grep -qx 0; do sleep 0.1; done
ask ready
show
journalctl -u sluice -o cat | grep '"event":"stopped"'
log spool_recovered
ask device plain 443
ask status POST '/log-level?level=info'
ask status POST '/log-level?level=info' "$(cat /etc/sluice/secrets/http-token)"

echo "== stopped"
systemctl stop sluice
show
log stopped

echo "== wrong setting"
echo 'TCP_PROT=1' >> /etc/sluice/sluice.env
systemctl start sluice
while [ "$(systemctl show sluice -p ActiveState --value)" = active ]; do sleep 0.1; done
show
journalctl -u sluice -o cat | grep TCP_PROT

echo "== end"
