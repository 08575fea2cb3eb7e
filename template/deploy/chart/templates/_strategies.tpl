{{- define "app.strategy.rolling" -}}
type: RollingUpdate
rollingUpdate: {maxUnavailable: 0, maxSurge: 25%}
{{- end }}

{{- define "app.strategy.blue_green" -}}
blueGreen:
  activeService: {{ .Release.Name }}-app
  previewService: {{ .Release.Name }}-preview
  # The pipeline waits until the preview stands and then promotes.
  autoPromotionEnabled: false
  scaleDownDelaySeconds: {{ .Values.release.keepOldSeconds }}
{{- if .Values.release.analysis.enabled }}
  # After the switch it is watched; a bad figure switches back.
  postPromotionAnalysis: {{- include "app.watched" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "app.strategy.canary" -}}
canary:
  stableService: {{ .Release.Name }}-app
  canaryService: {{ .Release.Name }}-preview
  maxUnavailable: 0
  maxSurge: 25%
  abortScaleDownDelaySeconds: 60
  trafficRouting:
{{- if has .Values.entry.kind (list "gateway" "google") }}
    plugins:
      argoproj-labs/gatewayAPI:
        httpRoute: {{ .Release.Name }}-app
        namespace: {{ .Release.Namespace }}
{{- else }}
    nginx: {stableIngress: {{ .Release.Name }}-app}
{{- end }}
  steps:
{{- range .Values.release.canary.steps }}
    - setWeight: {{ . }}
{{- if $.Values.release.analysis.enabled }}
    - analysis: {{- include "app.watched" $ | nindent 8 }}
{{- else }}
    - pause: {duration: {{ $.Values.release.canary.watchMinutes }}m}
{{- end }}
{{- end }}
{{- end }}

{{- /* The pods of the new version carry this hash, and Prometheus keeps it as a label. */ -}}
{{- define "app.watched" -}}
templates:
{{- range list "errors" "latency" "cost" "quality" }}
  - templateName: {{ $.Release.Name }}-{{ . }}
{{- end }}
args:
  - name: version
    valueFrom: {podTemplateHashValue: Latest}
{{- end }}
