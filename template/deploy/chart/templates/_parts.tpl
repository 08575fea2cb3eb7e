{{- define "app.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else if eq $image.tag "latest" -}}
{{ fail "image.tag: latest is no release; give a digest or the tag of a build" }}
{{- else -}}
{{ $image.repository }}:{{ required "image.digest or image.tag must say which build is deployed" $image.tag }}
{{- end -}}
{{- end }}

{{- /* What selects pods and may never change; (list . "worker") */ -}}
{{- define "app.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "app.labels" -}}
{{- $root := index . 0 -}}
{{ include "app.selector" . }}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{- /* The restricted pod security standard, with a root file system that nobody writes to. */ -}}
{{- define "app.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "app.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- /* What the chart knows by itself; a setting that says otherwise wins. */ -}}
{{- define "app.settings" -}}
{{- $known := dict "APP_ENV" "production" "PUBLIC_URL" (printf "https://%s" .Values.host) }}
{{- $given := .Values.settings }}
{{- if .Values.scanner.enabled }}
{{- $scanner := printf "%s-scanner" .Release.Name }}
{{- $_ := set $known "DOCUMENTS_SCANNER" (printf "tcp://%s:3310" $scanner) }}
{{- /* It stands in a network that only we are in, beside what is named. */}}
{{- $hosts := $given.UNENCRYPTED_HOSTS | default "[]" | fromJsonArray }}
{{- $given = omit $given "UNENCRYPTED_HOSTS" }}
{{- $_ := set $known "UNENCRYPTED_HOSTS" (append $hosts $scanner | uniq | toJson) }}
{{- end }}
{{- if .Values.monitoring.enabled }}
{{- $release := .Values.image.tag | default .Values.image.digest }}
{{- $known = merge (dict "METRICS_HOST" "0.0.0.0" "METRICS_PORT" "9000" "METRICS_RELEASE" $release) $known }}
{{- end }}
{{- range $name, $value := merge (dict) $given $known }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- /* Pods go to different machines and zones as long as there are some. */ -}}
{{- define "app.spread" -}}
{{- $selector := include "app.selector" . | fromYaml -}}
topologySpreadConstraints:
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ $selector | toJson }}}
{{- end }}
{{- end }}

{{- /* "yes" when Argo Rollouts brings the new version in. */ -}}
{{- define "app.rollouts" -}}
{{- if ne .Values.release.strategy "rolling" }}yes{{ end }}
{{- end }}
