{{/* Number → key text, of the keys that the live Secret holds. Without a cluster there are none. */}}
{{- define "lightrun.liveKeys" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "lightrun.backendSecret" .) | default dict -}}
{{- $keys := dict -}}
{{- range $field, $data := $secret.data -}}
  {{- if hasPrefix "encryption-key-" $field -}}
    {{- $_ := set $keys (trimPrefix "encryption-key-" $field) ($data | b64dec) -}}
  {{- end -}}
{{- end -}}
{{- $keys | toJson -}}
{{- end -}}

{{/* Number → key text, of the keys to render: the live ones, of which the newest is replaced by the user's key or, when
     rotating, followed by a new one. */}}
{{- define "lightrun.keys" -}}
{{- $live := include "lightrun.liveKeys" . | fromJson -}}
{{- $keys := deepCopy $live -}}
{{- with .Values.secrets.keysEncryption -}}
  {{- $last := max 0 (sub (len $live) 1) | toString -}}
  {{- if .rotateKey -}}
    {{- $_ := set $keys (len $live | toString) (.userEncryptionKey | default (randBytes 32)) -}}
  {{- else if or .userEncryptionKey (not $live) -}}
    {{- $_ := set $keys $last (.userEncryptionKey | default (randBytes 32)) -}}
  {{- end -}}
{{- end -}}
{{- $keys | toJson -}}
{{- end -}}

{{/* The numbers that a pod mounts: the live ones (0 without a cluster), and one more when rotating. */}}
{{- define "lightrun.mountedNumbers" -}}
{{- $count := include "lightrun.liveKeys" . | fromJson | len -}}
{{- $numbers := until (max 1 $count | int) -}}
{{- if .Values.secrets.keysEncryption.rotateKey -}}
  {{- $numbers = append $numbers $count -}}
{{- end -}}
{{- dict "numbers" $numbers | toJson -}}
{{- end -}}

{{/* Blanks at the ends of lines are part of the shape; where no action leaves one by itself it is written {{ " " }}. */}}
{{- define "lightrun.keysVolume" }}
        {{ $mounted := include "lightrun.mountedNumbers" . | fromJson }}
        - name: encryption-keys
          secret:{{ " " }}
            secretName: {{ include "lightrun.backendSecret" . }}
            optional: true
            items:{{ " " }}
              # Only select items that start with encryption-key-
              {{ $prefix := "encryption-key-" }}
              {{ range $number := $mounted.numbers }}
              - key: {{ $prefix }}{{ $number }}
                path: {{ $prefix }}{{ $number }}
              {{ end }}
{{- end }}
