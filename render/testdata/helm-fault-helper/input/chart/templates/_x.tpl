{{- define "x" -}}
fine
{{ .Values.a.b }}
{{- end }}
