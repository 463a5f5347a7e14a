{{/*
What the chart has to know of the gateway's settings: their effective values, the ports, and how long a stop takes.
files/settings.json is generated from src/config by `npm run docs`.
*/}}

{{/* The text of a setting as it is given, empty if it is not. 0 and false are given. Takes `root` and `name`. */}}
{{- define "sluice.given" -}}
{{- if hasKey .root.Values.settings .name -}}{{ include "sluice.text" (get .root.Values.settings .name) }}{{- end -}}
{{- end -}}

{{/* The text of a setting: given, or that of PROFILE, or its default. Takes `root` and `name`. */}}
{{- define "sluice.setting" -}}
{{- $known := .root.Files.Get "files/settings.json" | fromJson -}}
{{- $given := include "sluice.given" . -}}
{{- $profile := lower (include "sluice.text" (.root.Values.settings.PROFILE | default "")) -}}
{{- $byProfile := get (get $known.profiles $profile | default dict) .name -}}
{{- coalesce $given $byProfile (get $known.defaults .name) | default "" -}}
{{- end -}}

{{/* A port: empty = off. An empty text that is given means off too. Takes `root`, `name` and `byDefault`. */}}
{{- define "sluice.port" -}}
{{- if hasKey .root.Values.settings .name -}}
{{- include "sluice.text" (get .root.Values.settings .name) -}}
{{- else -}}
{{- .byDefault -}}
{{- end -}}
{{- end -}}

{{- define "sluice.port.plain" -}}{{ include "sluice.port" (dict "root" . "name" "TCP_PORT" "byDefault" "8080") }}{{- end -}}
{{- define "sluice.port.tls" -}}{{ include "sluice.port" (dict "root" . "name" "TCP_TLS_PORT" "byDefault" (ternary "8443" "" (ne .Values.tls.secretName ""))) }}{{- end -}}
{{- define "sluice.port.lines" -}}{{ include "sluice.port" (dict "root" . "name" "TCP_LINES_PORT" "byDefault" "") }}{{- end -}}
{{- define "sluice.port.admin" -}}{{ include "sluice.port" (dict "root" . "name" "HTTP_PORT" "byDefault" "9108") }}{{- end -}}

{{/* The open ports for devices as JSON: {"ports": [{name, number}]}. */}}
{{- define "sluice.devicePorts" -}}
{{- $ports := list -}}
{{- range $name := list "plain" "tls" "lines" -}}
{{- $number := include (printf "sluice.port.%s" $name) $ -}}
{{- if $number -}}{{- $ports = append $ports (dict "name" $name "number" (int $number)) -}}{{- end -}}
{{- end -}}
{{- dict "ports" $ports | toJson -}}
{{- end -}}

{{/* The seconds that a stop takes at most, rounded up. */}}
{{- define "sluice.stopSeconds" -}}
{{- $ms := 0.0 -}}
{{- range $name := list "SHUTDOWN_DRAIN" "SHUTDOWN_SPREAD" "SHUTDOWN_TIMEOUT" -}}
{{- $text := include "sluice.setting" (dict "root" $ "name" $name) -}}
{{- $ms = addf $ms (float64 (include "sluice.durationMs" (dict "name" (printf "settings.%s" $name) "text" $text))) -}}
{{- end -}}
{{- ceil (divf $ms 1000.0) | int -}}
{{- end -}}

{{/*
The grace period of a pod: the stop, and 10 s for the start of the preStop command on a busy node and for the end of the
processes. A shorter one would kill gateways that still have records in memory, so it is refused.
*/}}
{{- define "sluice.graceSeconds" -}}
{{- $stop := int (include "sluice.stopSeconds" .) -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- add $stop 10 -}}
{{- else if lt (int $given) (int (add $stop 5)) -}}
{{- fail (printf "\n\nterminationGracePeriodSeconds is %d, but a stop takes up to %d s (SHUTDOWN_DRAIN, SHUTDOWN_SPREAD and SHUTDOWN_TIMEOUT together, PROFILE included). Leave it null, set it to at least %d, or shorten the settings" (int $given) $stop (int (add $stop 5))) -}}
{{- else -}}
{{- int $given -}}
{{- end -}}
{{- end -}}

{{/* Refuses values that contradict each other. What a schema can say stands in values.schema.json. */}}
{{- define "sluice.check" -}}
{{- $known := .Files.Get "files/settings.json" | fromJson -}}
{{- $values := .Values -}}
{{- if not $values.settings.KAFKA_BROKERS -}}
{{- if not (include "sluice.isInExtraEnv" (dict "root" . "name" "KAFKA_BROKERS")) -}}
{{- fail "\n\nsettings.KAFKA_BROKERS is not set. Set it to the brokers to connect to first, such as --set-string settings.KAFKA_BROKERS=kafka:9092" -}}
{{- end -}}
{{- end -}}
{{- $brokers := include "sluice.given" (dict "root" . "name" "KAFKA_BROKERS") -}}
{{- range $broker := ternary (splitList "," $brokers) list (ne $brokers "") -}}
{{- if not (regexMatch "^([^:\\[\\]\\s]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$" (trim $broker)) -}}
{{- fail (printf "\n\nsettings.KAFKA_BROKERS has %q, which is not host:port. Several are separated by commas, IPv6 is [::1]:9092" (trim $broker)) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]" (include "sluice.fullname" .)) -}}
{{- fail (printf "\n\nthe objects would be called %s, and a Service has to begin with a letter. Set fullnameOverride" (include "sluice.fullname" .)) -}}
{{- end -}}
{{- range $field := list "ports" "nodePorts" -}}
{{- $used := dict -}}
{{- range $port := (include "sluice.devicePorts" $ | fromJson).ports -}}
{{- $number := get (get $values.service $field) $port.name | default (ternary $port.number 0 (eq $field "ports")) | int -}}
{{- if and $number (hasKey $used (toString $number)) -}}
{{- fail (printf "\n\nservice.%s has %d twice, for %s and %s" $field $number (get $used (toString $number)) $port.name) -}}
{{- end -}}
{{- $_ := set $used (toString $number) $port.name -}}
{{- end -}}
{{- end -}}
{{- range $name, $range := $known.ranges -}}
{{- $text := include "sluice.given" (dict "root" $ "name" $name) -}}
{{- if $text -}}
{{- $amount := ceil (include (ternary "sluice.durationMs" "sluice.bytes" (eq $range.kind "duration")) (dict "name" (printf "settings.%s" $name) "text" $text)) -}}
{{- if not (or (and $range.zero (eq $amount 0.0)) (and (ge $amount (float64 $range.min)) (le $amount (float64 $range.max)))) -}}
{{- fail (printf "\n\nsettings.%s is %s; allowed: %s" $name $text $range.allowed) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (include "sluice.devicePorts" . | fromJson).ports -}}
{{- fail "\n\nTCP_PORT, TCP_TLS_PORT and TCP_LINES_PORT are all empty, so no device could connect. Set one of them in settings" -}}
{{- end -}}
{{- $numbers := dict -}}
{{- range $name := list "plain" "tls" "lines" "admin" -}}
{{- $number := include (printf "sluice.port.%s" $name) $ -}}
{{- if $number -}}
{{- if or (lt (int $number) 1024) (gt (int $number) 65535) -}}
{{- fail (printf "\n\nport %s of %s is not one from 1024 to 65535. Give devices another one with service.ports" $number $name) -}}
{{- end -}}
{{- if hasKey $numbers $number -}}
{{- fail (printf "\n\nport %s is used twice, by %s and %s. Each of TCP_PORT, TCP_TLS_PORT, TCP_LINES_PORT and HTTP_PORT needs its own" $number (get $numbers $number) $name) -}}
{{- end -}}
{{- $_ := set $numbers $number $name -}}
{{- end -}}
{{- end -}}
{{- if and $values.settings.TCP_TLS_PORT (not $values.tls.secretName) (not (hasKey $values.files "TCP_TLS_CERT")) (not $values.settings.TCP_TLS_CERT) -}}
{{- fail "\n\nsettings.TCP_TLS_PORT is set, but there is no certificate. Set tls.secretName to a Secret of type kubernetes.io/tls" -}}
{{- end -}}
{{- range $name, $source := $values.files -}}
{{- if hasKey $values.settings $name -}}
{{- fail (printf "\n\n%s is in `files` and in `settings`. Take it out of one of them" $name) -}}
{{- end -}}
{{- if hasKey $values.settings (printf "%s_FILE" $name) -}}
{{- fail (printf "\n\n%s is in `files`, and %s_FILE in `settings`. Take it out of one of them" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if $values.tls.secretName -}}
{{- range $name := list "TCP_TLS_CERT" "TCP_TLS_KEY" -}}
{{- if or (hasKey $values.files $name) (hasKey $values.settings $name) -}}
{{- fail (printf "\n\ntls.secretName gives %s, which is also in `files` or `settings`. Take it out of one of them" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $entry := $values.extraEnv -}}
{{- $name := $entry.name -}}
{{- if has $name $known.chart -}}
{{- fail (printf "\n\nextraEnv sets %s. The chart has to know it: put it into `settings`%s" $name (ternary ", or leave it to the chart" "" (eq $name "SPOOL_DIR"))) -}}
{{- else if and (has $name $known.names) (not (hasKey $entry "valueFrom")) -}}
{{- fail (printf "\n\nextraEnv sets %s, which is a setting of the gateway. Put it into `%s`" $name (ternary "files" "settings" (has $name $known.secrets))) -}}
{{- else if and (not (has $name $known.names)) (regexMatch "^(TCP|KAFKA|SPOOL|HTTP|STATS|SHUTDOWN)_" $name) (not (hasPrefix "HTTP_PROXY" $name)) -}}
{{- fail (printf "\n\nextraEnv sets %s, which is not a setting of the gateway, so it would not start. Is it misspelt? All settings: docs/configuration.md" $name) -}}
{{- end -}}
{{- if and (hasKey $entry "value") (hasKey $entry "valueFrom") -}}
{{- fail (printf "\n\nextraEnv gives %s both a value and a valueFrom. Take one of them out" $name) -}}
{{- end -}}
{{- if or (include "sluice.text" (get $values.settings $name)) (hasKey $values.files $name) -}}
{{- fail (printf "\n\n%s is in extraEnv, and in `settings` or `files`. Take it out of one of them" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq $values.clientAddress "proxy" -}}
{{- if not $values.settings.TCP_PROXY_TRUSTED -}}
{{- fail "\n\nclientAddress is proxy, but settings.TCP_PROXY_TRUSTED is not set. Set it to the networks from which the balancer connects, such as 10.0.0.0/16" -}}
{{- end -}}
{{- if hasKey $values.settings "TCP_PROXY_PROTOCOL" -}}
{{- fail "\n\nclientAddress is proxy, which switches TCP_PROXY_PROTOCOL on. Take TCP_PROXY_PROTOCOL out of settings" -}}
{{- end -}}
{{- end -}}
{{- if $values.persistence.enabled -}}
{{- $need := 0.0 -}}
{{- range $name := list "SPOOL_MAX_BYTES" "SPOOL_DEAD_BYTES" -}}
{{- $need = addf $need (float64 (include "sluice.bytes" (dict "name" (printf "settings.%s" $name) "text" (include "sluice.setting" (dict "root" $ "name" $name))))) -}}
{{- end -}}
{{- $have := float64 (include "sluice.bytes" (dict "name" "persistence.size" "text" (toString $values.persistence.size))) -}}
{{- if lt $have $need -}}
{{- fail (printf "\n\npersistence.size is %s, but SPOOL_MAX_BYTES and SPOOL_DEAD_BYTES need %.0f MiB together. Raise the size, or lower the settings" (toString $values.persistence.size) (ceil (divf $need 1048576.0))) -}}
{{- end -}}
{{- end -}}
{{- with lookup "apps/v1" "StatefulSet" .Release.Namespace (include "sluice.fullname" .) -}}
{{- $claim := first (.spec.volumeClaimTemplates | default list) | default dict -}}
{{- $had := dig "spec" "resources" "requests" "storage" "" $claim -}}
{{- $class := dig "spec" "storageClassName" "" $claim -}}
{{- $isOther := ne (ne $had "") $values.persistence.enabled -}}
{{- if and $had $values.persistence.enabled -}}
{{- $isOther = or (ne (include "sluice.bytes" (dict "name" "the size of the claims" "text" $had)) (include "sluice.bytes" (dict "name" "persistence.size" "text" $values.persistence.size))) (ne $class $values.persistence.storageClassName) -}}
{{- end -}}
{{- if $isOther -}}
{{- fail (printf "\n\nKubernetes allows no change of the claims of StatefulSet %s (size %s, class %s). For a larger disk, patch each claim first. Then run `kubectl -n %s delete statefulset %s --cascade=orphan`, which leaves the pods alone, and this upgrade again" .metadata.name ($had | default "none") ($class | default "of the cluster") $.Release.Namespace .metadata.name) -}}
{{- end -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (not $values.autoscaling.metrics) (kindIs "invalid" $values.autoscaling.targetCPUUtilizationPercentage) -}}
{{- fail "\n\nautoscaling is on, but has nothing to go by. Set autoscaling.targetCPUUtilizationPercentage or autoscaling.metrics" -}}
{{- end -}}
{{- if and $values.autoscaling.enabled (gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- fail (printf "\n\nautoscaling.minReplicas is %d, and maxReplicas is %d, which is less" (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and $values.autoscaling.enabled $values.autoscaling.targetCPUUtilizationPercentage (not (dig "requests" "cpu" "" $values.resources)) -}}
{{- fail "\n\nautoscaling goes by CPU, but resources.requests.cpu is not set, of which it is a share. Set it, or autoscaling.targetCPUUtilizationPercentage to null" -}}
{{- end -}}
{{- if and $values.metrics.serviceMonitor.enabled $values.metrics.podMonitor.enabled -}}
{{- fail "\n\nmetrics.serviceMonitor and metrics.podMonitor are both on, so each gateway would be counted twice. Choose one" -}}
{{- end -}}
{{- if $values.podDisruptionBudget.enabled -}}
{{- if eq (kindIs "invalid" $values.podDisruptionBudget.maxUnavailable) (kindIs "invalid" $values.podDisruptionBudget.minAvailable) -}}
{{- fail "\n\npodDisruptionBudget needs one of maxUnavailable and minAvailable. Set the other one to null" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" if extraEnv has the name. Takes `root` and `name`. */}}
{{- define "sluice.isInExtraEnv" -}}
{{- $name := .name -}}
{{- range .root.Values.extraEnv -}}{{- if eq .name $name -}}true{{- end -}}{{- end -}}
{{- end -}}
