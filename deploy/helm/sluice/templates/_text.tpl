{{/*
Turns texts of settings into numbers, as src/config/kinds.ts does it.
*/}}

{{/* A value as the text of a setting. Numbers of a values file are floats, and must not become 1e+06. */}}
{{- define "sluice.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* Milliseconds of a duration such as 1m30s. Takes `name`, for the message, and `text`. */}}
{{- define "sluice.durationMs" -}}
{{- $name := .name -}}
{{- $text := trim .text -}}
{{- $units := dict "ns" 0.000001 "us" 0.001 "µs" 0.001 "μs" 0.001 "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0 -}}
{{- $ms := 0.0 -}}
{{- if not (regexMatch "^[+]?(0|(([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$" $text) -}}
{{- fail (printf "\n\n%s is %q, which is not a duration such as 500ms, 10s or 1m30s" $name .text) -}}
{{- end -}}
{{- range $part := regexFindAll "([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)" $text -1 -}}
{{- $unit := regexFind "[^0-9.]+$" $part -}}
{{- $ms = addf $ms (mulf (float64 (trimSuffix $unit $part)) (get $units $unit)) -}}
{{- end -}}
{{- printf "%.6f" $ms -}}
{{- end -}}

{{/* Bytes of a size of Sluice such as 1GiB, or of a quantity of Kubernetes such as 4Gi. Takes `name` and `text`. */}}
{{- define "sluice.bytes" -}}
{{- $units := dict "" 1.0 "b" 1.0 "kib" 1024.0 "mib" 1048576.0 "gib" 1073741824.0 "tib" 1099511627776.0 "kb" 1000.0 "mb" 1000000.0 "gb" 1000000000.0 "tb" 1000000000000.0 -}}
{{- $quantities := dict "" 1.0 "k" 1000.0 "M" 1000000.0 "G" 1000000000.0 "T" 1000000000000.0 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)? ?[A-Za-z]*$" .text) -}}
{{- fail (printf "\n\n%s is %q, which is not a size" .name .text) -}}
{{- end -}}
{{- $unit := regexFind "[A-Za-z]*$" .text -}}
{{- $factor := ternary (get $quantities $unit) (get $units (lower $unit)) (hasKey $quantities $unit) -}}
{{- if not $factor -}}
{{- fail (printf "\n\n%s is %q, whose unit is not known" .name .text) -}}
{{- end -}}
{{- printf "%.0f" (mulf (float64 (trim (trimSuffix $unit .text))) $factor) -}}
{{- end -}}
