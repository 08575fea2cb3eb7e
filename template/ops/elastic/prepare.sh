#!/usr/bin/env bash
# Once Elasticsearch answers: how long lines are kept, and accounts that may do what they are for.
# Running it again changes nothing.
set -euo pipefail

ask() { # method path body
  curl --fail --silent --show-error --user "elastic:$ELASTIC_PASSWORD" --request "$1" \
    --header 'Content-Type: application/json' --data "$3" "http://elasticsearch:9200/$2"
  echo
}

ask PUT _ilm/policy/app '{"policy": {"phases": {
  "hot": {"actions": {"rollover": {"max_age": "1d", "max_primary_shard_size": "5gb"}}},
  "delete": {"min_age": "14d", "actions": {"delete": {}}}}}}'
# One machine has nowhere to put a second copy.
ask PUT _component_template/logs@custom '{"template": {"settings": {
  "index.lifecycle.name": "app", "index.number_of_replicas": 0}}}'
ask PUT _security/role/collector '{"cluster": ["monitor"], "indices": [
  {"names": ["logs-app.otel-*"], "privileges": ["auto_configure", "create_doc"]}]}'
ask PUT _security/role/reader '{"indices": [
  {"names": ["logs-app.otel-*"], "privileges": ["read", "view_index_metadata"]}]}'
ask PUT _security/user/collector '{"roles": ["collector"], "password": "'"$COLLECTOR_PASSWORD"'"}'
ask PUT _security/user/grafana '{"roles": ["reader"], "password": "'"$GRAFANA_READER_PASSWORD"'"}'
ask POST _security/user/kibana_system/_password '{"password": "'"$KIBANA_PASSWORD"'"}'
