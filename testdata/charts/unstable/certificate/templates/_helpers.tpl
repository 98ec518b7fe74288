{{- define "certificate.host" -}}
{{ .Release.Name }}-webhook.{{ .Release.Namespace }}.svc
{{- end -}}

{{/* The certificate as YAML: given, or made up with genCA. Called once, so that all three belong together. */}}
{{- define "certificate.tls" -}}
{{- if .Values.tls.crt -}}
ca: {{ .Values.tls.ca | b64enc }}
crt: {{ .Values.tls.crt | b64enc }}
key: {{ .Values.tls.key | b64enc }}
{{- else -}}
{{- $host := include "certificate.host" . -}}
{{- $ca := genCA "webhook-ca" 365 -}}
{{- $certificate := genSignedCert $host nil (list $host) 365 $ca -}}
ca: {{ $ca.Cert | b64enc }}
crt: {{ $certificate.Cert | b64enc }}
key: {{ $certificate.Key | b64enc }}
{{- end -}}
{{- end -}}
