{{/*
Names, labels, and the parts of a pod that the gateway and the Jobs for orphaned spools have in common.
*/}}

{{/*
40 characters at most: Kubernetes adds up to 20 to the names of pods, Jobs and their labels, which end at 63. A release may
have dots in its name, a Service may not.
*/}}
{{- define "sluice.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := .Values.fullnameOverride -}}
{{- if not $full -}}
{{- $full = ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- end -}}
{{- $full | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- end -}}

{{/* The first of the maps wins: labels of the chart over those of the values. A key that came twice would be no YAML. */}}
{{- define "sluice.merged" -}}
{{- $all := dict -}}
{{- range . -}}{{- $all = merge $all (deepCopy .) -}}{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-" | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The gateways, and not the pods of the Jobs. */}}
{{- define "sluice.gatewaySelector" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/part-of: sluice
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{- define "sluice.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "sluice.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Every file that is mounted, by setting, as JSON: {NAME: {secret|configMap, key}}. tls.secretName counts as two. */}}
{{- define "sluice.files" -}}
{{- $files := deepCopy .Values.files -}}
{{- if .Values.tls.secretName -}}
{{- $_ := set $files "TCP_TLS_CERT" (dict "secret" .Values.tls.secretName "key" "tls.crt") -}}
{{- $_ := set $files "TCP_TLS_KEY" (dict "secret" .Values.tls.secretName "key" "tls.key") -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{/* "true" if nobody gives HTTP_TOKEN, so that each pod makes one for itself. */}}
{{- define "sluice.makesToken" -}}
{{- if not (or (hasKey .Values.files "HTTP_TOKEN") .Values.settings.HTTP_TOKEN_FILE (include "sluice.isInExtraEnv" (dict "root" . "name" "HTTP_TOKEN")) (include "sluice.isInExtraEnv" (dict "root" . "name" "HTTP_TOKEN_FILE"))) -}}true{{- end -}}
{{- end -}}

{{/* The settings, for the ConfigMap. Those that the chart has to fix come last. */}}
{{- define "sluice.settingsData" -}}
{{- $any := ternary "::" "0.0.0.0" (has .Values.service.ipFamilyPolicy (list "PreferDualStack" "RequireDualStack")) -}}
{{- $data := dict "TCP_HOST" $any "HTTP_HOST" $any -}}
{{- if .Values.tls.secretName -}}{{- $_ := set $data "TCP_TLS_PORT" "8443" -}}{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $data $name (include "sluice.text" $value) -}}
{{- end -}}
{{- if eq .Values.clientAddress "proxy" -}}{{- $_ := set $data "TCP_PROXY_PROTOCOL" "true" -}}{{- end -}}
{{- $_ := set $data "SPOOL_DIR" "/var/lib/sluice/spool" -}}
{{- if not $data.KAFKA_BROKERS -}}{{- $_ := unset $data "KAFKA_BROKERS" -}}{{- end -}}
{{- $data | toYaml -}}
{{- end -}}

{{/* The environment of the gateway and of `sluice spool drain`. */}}
{{- define "sluice.environment" -}}
envFrom:
  - configMapRef:
      name: {{ include "sluice.fullname" . | quote }}
{{- $known := .Files.Get "files/settings.json" | fromJson }}
{{- $files := include "sluice.files" . | fromJson }}
{{- if or $files .Values.extraEnv (include "sluice.makesToken" .) }}
env:
  {{- range $name, $source := $files }}
  - name: {{ ternary (printf "%s_FILE" $name) $name (has $name $known.secrets) }}
    value: {{ printf "/etc/sluice/%s" $name | quote }}
  {{- end }}
  {{- if include "sluice.makesToken" . }}
  - name: HTTP_TOKEN_FILE
    value: /run/sluice/http-token
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* One volume for all files: Kubernetes swaps its whole content at once, so a certificate never lies beside an old key. */}}
{{- define "sluice.filesVolume" -}}
- name: files
  projected:
    # 0400. With fsGroup the files get 0440: readable for the gateway, and not for others.
    defaultMode: 256
    sources:
      {{- range $name, $source := include "sluice.files" . | fromJson }}
      {{- if $source.secret }}
      - secret:
          name: {{ $source.secret | quote }}
          items:
            - key: {{ $source.key | quote }}
              path: {{ $name }}
      {{- else }}
      - configMap:
          name: {{ $source.configMap | quote }}
          items:
            - key: {{ $source.key | quote }}
              path: {{ $name }}
      {{- end }}
      {{- end }}
{{- end -}}

{{/*
A hash of the Secrets and ConfigMaps that `files` and extraEnv name. Helm reads them from the cluster, so it is that of nothing
in `helm template`, in a dry run, and before they exist. The uid is in it so that nobody who sees the hash, but not the Secret,
can try out passwords.
*/}}
{{- define "sluice.filesChecksum" -}}
{{- $found := dict -}}
{{- $wanted := dict -}}
{{- range $name, $source := include "sluice.files" . | fromJson -}}
{{- $kind := ternary "Secret" "ConfigMap" (hasKey $source "secret") -}}
{{- $_ := set $wanted (printf "%s/%s" $kind (default $source.configMap $source.secret)) $kind -}}
{{- end -}}
{{- range $entry := .Values.extraEnv -}}
{{- with dig "valueFrom" "secretKeyRef" "name" "" $entry -}}{{- $_ := set $wanted (printf "Secret/%s" .) "Secret" -}}{{- end -}}
{{- with dig "valueFrom" "configMapKeyRef" "name" "" $entry -}}{{- $_ := set $wanted (printf "ConfigMap/%s" .) "ConfigMap" -}}{{- end -}}
{{- end -}}
{{- range $path, $kind := $wanted -}}
{{- $object := lookup "v1" $kind $.Release.Namespace (base $path) -}}
{{- if $object -}}{{- $_ := set $found $path (dict "uid" $object.metadata.uid "data" $object.data "binaryData" $object.binaryData) -}}{{- end -}}
{{- end -}}
{{- $found | toJson | sha256sum -}}
{{- end -}}
