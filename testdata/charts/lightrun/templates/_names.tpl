{{- define "lightrun.name" -}}
{{- .Values.nameOverride | default .Release.Name -}}
{{- end -}}

{{- define "lightrun.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "lightrun.backendSecret" -}}
{{- with .Values.general.deploy_secrets -}}
{{- if .enabled -}}
{{ include "lightrun.name" $ }}-backend
{{- else -}}
{{ required "general.deploy_secrets.existing_secrets.backend must name the Secret" .existing_secrets.backend }}
{{- end -}}
{{- end -}}
{{- end -}}
