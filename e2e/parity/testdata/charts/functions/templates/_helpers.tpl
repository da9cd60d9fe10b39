{{- define "functions.name" -}}
{{ .Chart.Name }}-{{ .Release.Name }}
{{- end -}}
{{- define "functions.labels" -}}
app: {{ include "functions.name" . }}
{{- end -}}
