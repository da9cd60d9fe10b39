{{- define "pw" -}}
{{ uuidv4 }}
{{- end }}
