#!/usr/bin/env bash
# A device in bash 5 on Linux with nc, or with openssl for TLS, and sync of coreutils: takes a reading every INTERVAL_MS, keeps
# it in STATE_FILE until the gateway has `stored` it, and sends it again after a cut. README.md beside this file explains the
# rules.
set -u

# Prints the fields of one reading. Replace it by your sensor.
read_sensor() { printf '"temperature":%d.%02d' $((20 + RANDOM % 5)) $((RANDOM % 100)); }

host=${SLUICE_HOST:-localhost} port=${SLUICE_PORT:-8080} ca=${SLUICE_CA:-} file=${STATE_FILE:-device.state}
interval_ms=${INTERVAL_MS:-60000} second_ms=${SECOND_MS:-1000} max_kept=${MAX_KEPT:-10000} count=${COUNT:-9007199254740991}
declare -A reply # the fields of the last one
kept=()          # lines of messages that are not stored, by seq
highest=0        # the highest seq that was used
stored=-1        # all up to here are stored; -1: no gateway knows the count of this file
wait_factor=1

say() { echo "$*" >&2; }
now() { # by a clock that nobody sets
  local seconds
  read -r seconds _ </proc/uptime
  now_ms=$((10#${seconds/./} * 10))
}
is_done() { ((highest >= count && ${#kept[@]} == 0)); }

append() { # LINE
  printf '%s\n' "$1" >&"$disk" || exit 1
  ((++file_lines))
}

keep() { # DATA. A reading counts, and may be sent, once it is on the disk
  local line="{\"type\":\"metrics\",\"seq\":$((highest + 1)),\"data\":$1}"
  append "$line"
  sync "$file" || exit 1 # coreutils: only this file
  kept[++highest]=$line
}

take_reading() { # if it is due
  now
  ((now_ms < next_reading)) && return
  next_reading=$((now_ms + interval_ms))
  if ((${#kept[@]} >= max_kept)); then
    say "no reading is taken: ${#kept[@]} wait to be stored"
  elif ((highest < count)); then
    keep "{\"n\":$((highest + 1)),$(read_sensor)}"
  fi
}

drop() { # SEQ
  if [[ ${kept[$1]-} ]] && (($1 <= sent)); then ((unconfirmed--)); fi
  unset "kept[$1]"
}

forget() { # SEQ: all messages up to it
  local seq
  for ((seq = stored + 1; seq <= $1 && seq <= highest; seq++)); do drop "$seq"; done
  ((stored = $1 > stored ? $1 : stored, highest = $1 > highest ? $1 : highest))
}

on_stored() { # SEQ
  forget "$1"
  append "stored $stored"
  if ((file_lines > ${#kept[@]} + 1000)); then
    exec {disk}>&-
    rewrite_file
  fi
}

load_file() {
  local line
  : >>"$file" || exit 1
  while IFS= read -r line; do # a crash may have cut off the last line: it was never sent, its number is free, and read skips it
    if [[ $line =~ ^stored\ ([0-9]+)$ ]]; then
      forget "${BASH_REMATCH[1]}"
    elif [[ $line =~ ^\{\"type\":\"metrics\",\"seq\":([0-9]+),.*\}\}$ ]]; then
      highest=${BASH_REMATCH[1]}
      kept[highest]=$line
    fi
  done <"$file"
  rewrite_file
}

rewrite_file() { # writes what is still needed to a new file; a crash leaves the old file or the new one
  {
    echo "stored $stored"
    if ((${#kept[@]})); then printf '%s\n' "${kept[@]}"; fi
  } >"$file.new" && sync "$file.new" && mv "$file.new" "$file" && sync "$(dirname "$file")" && exec {disk}>>"$file" || exit 1
  file_lines=${#kept[@]}
}

text() { # NAME VALUE: a field of JSON, or nothing if the value is empty
  local value=${2//\\/\\\\}
  if [[ $2 ]]; then printf ',"%s":"%s"' "$1" "${value//\"/\\\"}"; fi
}

write_line() { printf '%s\n' "$1" >&"$to" 2>/dev/null; } # if it fails, the next read finds the end

identify() {
  local resume=''
  # A new file begins a new count, so it asks nothing.
  if ((stored >= 0)) && [[ ${RESUME:-} != false ]]; then resume=',"resume":true'; fi
  write_line "{\"type\":\"identify\"$(
    text device_id "${DEVICE_ID:-device-1}"
    text zipcode "${ZIPCODE-90210}"
    text city "${CITY-Beverly Hills}"
    text token "${SLUICE_TOKEN:-}"
  )$resume}"
}

send() { # what may be sent: in order, and at most 100 messages that are not confirmed
  [[ $identified ]] && ((now_ms >= pause_until)) || return
  while ((sent < highest && unconfirmed < 100)); do
    [[ ${kept[++sent]-} ]] || continue
    ((++unconfirmed))
    write_line "${kept[sent]}"
  done
}

# Sets the array `reply` to the fields of a line of JSON. Fields of objects inside it do not count. Bash would run commands that
# stand in place of a number, so only digits are taken for one.
parse() { # LINE
  local rest=${1//\\?/} depth=0 name=none value token='^[, ]*([][{}]|"[^"]*" *:?|[^][{}", ]+)(.*)$'
  reply=([status]='' [code]='' [seq]='' [stored_seq]='' [reconnect_after_ms]='')
  while [[ $rest =~ $token ]]; do
    value=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
    case $value in
      [{[]) ((++depth)) ;;
      []}]) ((--depth)) ;;
      *:) name=${value//[^a-z_]/} ;;
      *)
        value=${value//\"/}
        ((depth == 1)) || continue
        if [[ $name = @(status|code) || $value =~ ^(0|[1-9][0-9]{0,15})$ ]]; then reply[${name:-none}]=$value; fi
        ;;
    esac
  done
}

hear() { # LINE
  local seq data
  case $1 in # of openssl
    *'verify error'* | *'SSL alert number'*) code=certificate ;;
    *'verify return:1'* | *'connect:errno'*) if [[ $code = handshake_failed ]]; then code=cut; fi ;;
  esac
  [[ $1 = \{*\} ]] || return # a reply that was cut off says nothing
  parse "$1"
  heard_at=$now_ms seq=${reply[seq]:-0}
  case ${reply[status]} in
    identified) identified=yes && on_stored "${reply[stored_seq]:-0}" ;;
    stored) wait_factor=1 && on_stored "$seq" ;;
    closing) code=closing told_ms=${reply[reconnect_after_ms]} ended=yes ;; # nc would go on until the next write
    error)
      say "refused: $1"
      code=${reply[code]} told_ms=${reply[reconnect_after_ms]} data=${kept[seq]-}
      drop "$seq"
      if [[ $code = queue_full && $data ]]; then # no fault of the message; higher ones are sent already, so it needs a new seq
        data=${data#*\"data\":}
        keep "${data%\}}"
        pause_until=$((now_ms + second_ms))
      fi
      case $code in
        invalid_* | already_identified | record_too_large | queue_full | rate_limited) ;; # the connection goes on
        *) ended=yes ;;
      esac
      ;;
  esac
}

talk() { # one connection
  local check line seconds
  identified='' ended='' sent=0 unconfirmed=0 pause_until=0 code=cut told_ms='' partial='' heard_at=$now_ms asked_at=$now_ms
  # Each program starts once a line has come, because bash forgets the pipes of one that ends before they are copied.
  if [[ $ca ]]; then
    code=handshake_failed
    if [[ $host =~ ^[0-9.]+$|: ]]; then check=-verify_ip; else check=-verify_hostname; fi
    coproc LINK { read -r && exec openssl s_client -quiet -verify_return_error "$check" "$host" -CAfile "$ca" -host "$host" -port "$port" 2>&1; }
  else
    coproc LINK { read -r && exec nc "$host" "$port" 2>/dev/null; }
  fi
  pid=$LINK_PID
  exec {from}<&"${LINK[0]}" {to}>&"${LINK[1]}"
  echo >&"$to"
  identify
  until [[ $ended ]] || is_done; do
    take_reading
    if ((now_ms - heard_at > 180 * second_ms)); then ended=yes; fi
    if ((now_ms - heard_at >= 60 * second_ms && now_ms - asked_at >= 60 * second_ms)); then
      write_line '{"type":"keepalive"}'
      asked_at=$now_ms
    fi
    send
    seconds_until $((next_reading < now_ms + second_ms ? next_reading : now_ms + second_ms))
    if ((next_reading <= now_ms)); then # the next reading is late, so there is no time to wait for a reply
      read -r -t 0 -u "$from" || continue
      seconds=0.1
    fi
    if read -r -t "$seconds" -u "$from" line; then
      hear "$partial$line"
      partial=''
    elif (($? > 128)); then
      partial+=$line # the time is over
    else
      ended=yes
    fi
  done
  exec {from}<&- {to}>&-
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
}

seconds_until() { # MS. Sets $seconds, at least one thousandth, for sleep and read
  now
  local ms=$(($1 > now_ms ? $1 - now_ms : 1))
  printf -v seconds '%d.%03d' $((ms / 1000)) $((ms % 1000))
}

back_off() {
  local wait_ms=$second_ms until seconds
  case $code in
    wrong_protocol | tls_required)
      say 'The address, the port or the TLS settings are wrong. No retry would help.'
      exit 78
      ;;
    server_full | overloaded | handshake_timeout | handshake_failed) ((wait_ms *= 5)) ;;
    unauthorized | too_many_errors | certificate) ((wait_ms *= 60)) ;;
  esac
  wait_ms=${told_ms:-$wait_ms}
  if [[ $code != closing && $code != kicked ]]; then
    ((wait_ms *= wait_factor, wait_factor = wait_factor < 30 ? wait_factor * 2 : 60))
  fi
  if [[ $code != closing ]]; then ((wait_ms += wait_ms * (RANDOM % 500) / 1000)); fi
  now
  until=$((now_ms + wait_ms + 10)) # since the clock counts hundredths
  say "no connection ($code), the next in $((until - now_ms)) ms"
  while ((now_ms < until)); do
    seconds_until $((next_reading < until ? next_reading : until))
    sleep "$seconds"
    take_reading
  done
}

trap '' PIPE
trap 'kill "${pid:-}" 2>/dev/null' EXIT
next_reading=0 sent=0 unconfirmed=0
load_file
take_reading
until is_done; do
  talk
  is_done || back_off
done
