{{- define "parts.config" -}}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .name }}}
data: { {{ .key }}: {{ .value | quote }} }
{{- end -}}
